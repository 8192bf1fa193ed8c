# SPDX-License-Identifier: Apache-2.0
"""factorctl alone: its arguments, how it finds the daemon, and what it ends with."""

import os
import re
import socket
import time

import pytest

from fake_cli import assert_complains, ctl, daemon, factor, socket_path  # noqa: F401
from fake_daemon import Error, FakeDaemon

# Usage.

USAGE = """
|bogus|enroll|enroll bogus|list surplus|--bogus list|list --bogus|code|code a b|list --next
enroll push|enroll push --name x --service VA --identity i
enroll push --name x --service VA --identity i --account a --access-token-file f
enroll totp --name x --service VA --identity i
list --timeout|list --timeout 5|list --timeout -1s|list --system --user
code x --next --wait|approve|deny|approve YC0123456|approve 0123456789|ignore|ignore laptop
chown x|chown x no-such-user-here|chown x -1|chown x 4294967295|import|import /nowhere/at/all
challenge|challenge create|challenge create x --factor y|challenge create x --field novalue
challenge create x --expires soon|challenge fetch YC1|challenge fetch --factor x
challenge list --account a --service VA|challenge list x --page one|challenge list x --page -1
access-token create --account a|access-token create --account a --service V --identity i --ttl 5x
policy|policy bogus|policy test|policy explain|policy explain a b|policy check --policy x
expect|expect a b|expect a b -- c|expect a --|expect -- a|expect -- a b|expect a --json -- b
expect a --within soon|expect a --field x|expect a --next|ticket|ticket revoke|ticket revoke x|ticket revoke -1
ticket list x|watch --since x|watch 5|list --name a --name b|list --json=1|--json
"""


@pytest.mark.parametrize("line", USAGE.strip().replace("\n", "|").split("|"))
def test_usage_errors(ctl, line):
    assert_complains(ctl(*line.split()), 2)


def test_no_verb(ctl):
    assert_complains(ctl(), 2)


def test_help_and_version(ctl):
    result = ctl("--help")
    assert (result.status, result.stderr) == (0, "")
    verbs = re.findall(r"^  ([a-z][a-z -]*[a-z])", result.stdout, re.MULTILINE)
    assert "enroll push" in verbs and "access-token create" in verbs and "code" in verbs
    assert len(verbs) == 31
    for verb in verbs:
        for arguments in ([*verb.split(), "--help"], ["-h", *verb.split()]):
            shown = ctl(*arguments)
            assert (shown.status, shown.stderr) == (0, "")
            assert shown.stdout.startswith(f"factorctl {verb}")
            assert "--timeout SPAN" in shown.stdout
    assert "enroll totp" in ctl("enroll", "--help").stdout
    assert "--digest HEX" in ctl("approve", "--help").stdout
    assert "--digest HEX" not in ctl("list", "--help").stdout
    assert re.fullmatch(r"factorctl \d+\.\d+\.\d+\n", ctl("--version").stdout)


def test_options_anywhere(ctl, daemon):
    fake = daemon(GetCode={"code": "123456", "valid_for": 20, "next": "654321", "warning": None})
    for arguments in (
        ["--json", "--next", "code", "x"],
        ["code", "--next", "x", "--json"],
        ["code", "--json", "--next", "--", "x"],
    ):
        assert ctl(*arguments).json["code"] == "123456"
    assert fake.calls == [("GetCode", {"name": "x", "next": True}, False)] * 3


# Finding the daemon.


def test_no_daemon(ctl, socket_path):
    assert_complains(ctl("list", "--json"), 69)
    with FakeDaemonFile(socket_path):
        assert_complains(ctl("list"), 69)


class FakeDaemonFile:
    """A socket file that nobody listens on."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(self.path))

    def __exit__(self, *_):
        self.path.unlink()


def test_user_socket(ctl, tmp_path):
    (tmp_path / "factord").mkdir()
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    fake = FakeDaemon(tmp_path / "factord/factord.sock", {"ListFactors": {"factors": []}})
    try:
        for arguments in (["list"], ["list", "--user"]):
            assert ctl(*arguments, env=env, find=True).status == 0
        assert len(fake.calls) == 2
        ctl("list", "--system", env=env, find=True)
        assert len(fake.calls) == 2
    finally:
        fake.stop()
    os.unlink(tmp_path / "factord/factord.sock")
    result = ctl("list", "--user", env=env, find=True)
    assert_complains(result, 69)
    assert str(tmp_path / "factord/factord.sock") in result.stderr


def test_timeout(ctl, daemon):
    daemon(ListFactors=None, Monitor=None)
    for arguments in (["list"], ["watch", "--json"]):
        started = time.monotonic()
        assert_complains(ctl(*arguments, "--timeout", "100ms"), 124)
        assert 0.1 <= time.monotonic() - started < 10


def test_daemon_leaves(ctl, daemon):
    fake = daemon()

    def leave(_):
        raise OSError

    fake.answers["ListFactors"] = leave
    assert_complains(ctl("list", "--json"), 69)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"factors": {}},
        {"factors": ["x"]},
        [{"factors": []}, {"factors": None}],
    ],
)
def test_malformed_answers(ctl, daemon, answer):
    daemon(ListFactors=answer)
    assert_complains(ctl("list", "--json"), 1)


def test_full_disk(ctl, daemon):
    daemon(ListFactors={"factors": [factor()]}, GetCode={"code": "123456", "valid_for": 20})
    with open("/dev/full", "wb") as full:
        for arguments in (["list"], ["list", "--json"], ["code", "x"], ["--help"]):
            assert ctl(*arguments, stdout=full).status == 1


# Errors.

ERRORS = {
    "NoSuchFactor": 3,
    "NoSuchChallenge": 3,
    "AlreadyAnswered": 6,
    "Expired": 6,
    "Stale": 6,
    "NotAuthorized": 4,
    "StoreLocked": 4,
    "SessionLocked": 4,
    "PolicyDenied": 5,
    "RateLimited": 8,
    "Unconfirmed": 124,
    "ApiError": 7,
    "InvalidParameter": 2,
    "StoreError": 1,
    "EventsLost": 1,
    "NewerThanThis": 1,
    "org.varlink.service.MethodNotFound": 1,
    "org.varlink.service.InvalidParameter": 2,
}


@pytest.mark.parametrize("error", ERRORS)
def test_error_exit_status(ctl, daemon, error):
    def fail(_):
        raise Error(error, message="It \x1b[31mfailed\u202e")

    daemon(GetCode=fail, ListChallenges=fail, Monitor=fail)
    for arguments in (["code", "x"], ["pending", "--json"], ["watch", "--json"]):
        result = ctl(*arguments)
        assert_complains(result, ERRORS[error])
        assert result.stderr.lower() == "factorctl: it \\x1b[31mfailed\\u{202e}\n"


def test_error_without_message(ctl, daemon):
    def fail(_):
        raise Error("org.varlink.service.MethodNotFound", method="x")

    daemon(ListFactors=fail)
    result = ctl("list")
    assert_complains(result, 1)
    assert "MethodNotFound" in result.stderr


def test_api_error(ctl, daemon):
    def fail(_):
        raise Error("ApiError", message="Not found", http_status=404, code=20404)

    daemon(Poll=fail)
    assert ctl("poll").stderr == "factorctl: Not found\n"
