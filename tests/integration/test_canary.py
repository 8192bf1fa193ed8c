# SPDX-License-Identifier: Apache-2.0
"""Secrets stay where they belong: in no log, no argument, no environment, no file as they are."""

import base64
import json
import os
import re
import stat
import time

import pytest

from checks import assert_no_secrets, assert_no_tokens
from harness import oath_code, verify_device_jwt
from steps import (
    approve,
    ask_push,
    ask_totp,
    call,
    call_error,
    enroll_push,
    enroll_totp,
    enroll_with_token,
    next_step,
    push_parameters,
    shift_clock,
)

IMPORTED = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK"
LINKED_IDENTITY = "linked-001"
DEBUG = "--log-level", "debug"
VERBS = re.compile(r": (GET|POST|DELETE): HTTP")


@pytest.fixture
def loud(make_daemon, sandbox):
    """A daemon that logs all that it can."""
    daemon = make_daemon(sandbox, start=False)
    plain = daemon.command
    daemon.command = lambda *arguments: plain(*DEBUG, *arguments)
    daemon.start()
    return daemon


def import_secrets(daemon, sandbox):
    """One on its own, and one that belongs to a factor of the backend's."""
    call(daemon, "Import", data=f"otpauth://totp/Shop:eve?secret={IMPORTED}&issuer=Shop", name="shop")
    made = sandbox.create_totp_factor(LINKED_IDENTITY)
    secret = made["binding"]["secret"]
    path = sandbox.entity(LINKED_IDENTITY, f"/Factors/{made['sid']}")
    code = oath_code(secret, when=time.time() + sandbox.state()["clock"]["offset"])
    sandbox.api_ok("POST", path, {"AuthPayload": code})
    call(
        *(daemon, "Import"),
        data=f"otpauth://totp/Bank:eve?secret={secret}",
        name="bank",
        link=made["sid"],
        account="main",
        service_sid=sandbox.service_sid,
        identity=LINKED_IDENTITY,
    )
    return secret


def fail_in_every_way(daemon, sandbox, held):
    """What is refused here and there, with secrets in it."""
    bad = "eyJhbGciOiJIUzI1NiJ9.bm90IGEgdG9rZW4.c2VjcmV0LXNpZ25hdHVyZQ"
    daemon.canaries.append(bad)
    parameters = push_parameters(daemon, "refused", "refused-01", access_token=bad)
    assert call_error(daemon, "EnrollPush", **parameters).name == "ApiError"
    for data in (f"otpauth://totp/x?secret={IMPORTED}1", f"{IMPORTED}", "otpauth-migration://x?data=zz"):
        error = call_error(daemon, "Import", data=data)
        assert IMPORTED not in error.parameters["message"]
    call(daemon, "AccessTokenCreate", account="main", **whose(sandbox, "other-001"))
    target = {"account": "main", **whose(sandbox, held["identity"])}
    sid = sandbox.create_push_challenge(held["identity"], held["sid"])["sid"]
    for payload in (bad, "x" * 6000, "7"):
        error = call_error(
            daemon, "ChallengeUpdate", target=target, sid=sid, auth_payload=payload, metadata="{}"
        )
        assert payload not in error.parameters["message"] or payload == "7"
    # The server echoes what it was sent.
    for status in (400, 500):
        secret = json.dumps({"code": 1, "message": "no"})
        sandbox.fault("POST .*/Challenges/YC.*", status=status, body=secret)
        call_error(daemon, "ChallengeUpdate", target=target, sid=sid, auth_payload=bad)
    call_error(daemon, "GetCode", name="nobody")


def whose(sandbox, identity):
    return {"service_sid": sandbox.service_sid, "identity": identity}


def live(daemon, sandbox):
    """A life with everything in it; returns what must stay secret."""
    token_held = enroll_with_token(daemon, "by-token", "alice-001")
    enroll_push(daemon, "by-account", "carol-001")
    totp = enroll_totp(daemon)
    seed = sandbox.factor(totp["sid"])["secret"]
    linked = import_secrets(daemon, sandbox)
    for name in ("totp", "shop", "bank"):
        call(daemon, "GetCode", name=name)
    approve(daemon, ask_push(daemon, token_held, fields={"a": "b"}, hidden={"c": "d"}))
    # The JWT is refused once, and made anew.
    shift_clock(daemon, 5000)
    next_step(daemon, 30)
    approve(daemon, ask_totp(daemon, totp))
    fail_in_every_way(daemon, sandbox, token_held)
    return [seed, IMPORTED, linked]


def raw_seeds(seeds):
    return [base64.b32decode(seed + "=" * (-len(seed) % 8)) for seed in seeds]


def sent_secrets(sandbox):
    """Passwords, tokens, JWTs, payloads: whatever went over the wire and is worth keeping."""
    secrets, codes = set(), set()
    for request in sandbox.requests():
        assert request["authorization"].startswith("Basic ")
        secrets.add(request["authorization"].removeprefix("Basic "))
        pair = base64.b64decode(request["authorization"].removeprefix("Basic ")).decode()
        secrets.add(pair.partition(":")[2])
        for name, value in request["params"]:
            if name in ("AuthPayload", "Binding.Secret"):
                (secrets if len(value) >= 8 and not value.isdigit() else codes).add(value)
    return {s for s in secrets if len(s) >= 8}, {c for c in codes if len(c) >= 6}


def assert_no_bytes(data, needles, where):
    for needle in needles:
        assert needle not in data, f"a secret stands in {where}"


def test_nothing_leaks(loud, sandbox):
    """Logs at their loudest, arguments, environment and the store, running and stopped."""
    seeds = live(loud, sandbox)
    loud.canaries += seeds
    secrets, codes = sent_secrets(sandbox)
    assert len(secrets) > 10 and codes
    raws = raw_seeds(seeds)
    log = loud.stderr
    assert VERBS.search(log) and "EnrollPush asked by" in log, "the log is not loud"

    assert_no_secrets(log, [*secrets, *seeds], "the log")
    assert_no_tokens(log, "the log")
    for code in codes:
        assert not re.search(rf"(?<![0-9A-Za-z-]){code}(?![0-9A-Za-z-])", log), "a code is logged"
    for raw in raws:
        assert raw.hex() not in log.lower()
        assert base64.b64encode(raw).decode().rstrip("=") not in log

    needles = [s.encode() for s in (*secrets, *seeds)] + raws
    for name in ("cmdline", "environ"):
        with open(f"/proc/{loud.pid}/{name}", "rb") as file:
            assert_no_bytes(file.read(), needles, name)
    look_at_store(loud, needles)
    told = "\n".join(loud.notified())
    assert_no_secrets(told, [*secrets, *seeds], "the status text")

    loud.terminate()
    look_at_store(loud, needles)


def look_at_store(daemon, needles):
    """Database, write-ahead log and whatever else is there; nor is a key there in the clear."""
    names = set()
    for path in daemon.state_directory.rglob("*"):
        data = path.read_bytes()
        names.add(path.name)
        where = path.name
        assert_no_bytes(data, needles, where)
        assert_no_bytes(data.lower(), [n.hex().encode() for n in needles if len(n) >= 10], where)
        for marker in (b"PRIVATE KEY", b"eyJ"):
            assert marker not in data, f"{marker} stands in {where}"
        # RFC 5915 and PKCS#8: an EC private key begins 30 77 02 01 01 04 20, or holds that inside.
        assert b"\x02\x01\x01\x04\x20" not in data, f"an EC private key stands in {where}"
    assert "factord.db" in names


def test_api_key_secret(make_daemon, sandbox):
    """Nor is the secret of an API key anywhere."""
    daemon = make_daemon(sandbox, start=False)
    plain = daemon.command
    daemon.command = lambda *arguments: plain(*DEBUG, *arguments)
    secret = sandbox.api_key_secret
    path = daemon.write_secret("key-secret", secret + "\n")
    daemon.configure({"Account main": {"User": sandbox.api_key_sid, "PasswordFile": path}})
    daemon.canaries.append(secret)
    daemon.start()
    enroll_push(daemon)
    sandbox.fault("POST .*/AccessTokens", status=401, body='{"code":20003,"message":"no"}')
    call_error(daemon, "AccessTokenCreate", account="main", **whose(sandbox, "other-001"))
    status = json.dumps(call(daemon, "GetStatus"))
    assert "refused" in status and secret not in status
    assert_no_secrets(daemon.stderr, [secret], "the log")
    look_at_store(daemon, [secret.encode()])


def test_nothing_is_shown(loud, sandbox):
    """What any client may read has no secret in it: lists, events, status, errors."""
    with loud.monitor(since=0) as monitor:
        seeds = live(loud, sandbox)
        secrets, _ = sent_secrets(sandbox)
        last = call(loud, "GetStatus")["status"]["sequence"]
        wait = monitor.wait(lambda e: e["sequence"] >= last or e["type"] == "challenge")
        assert wait
        shown = [monitor.events]
    shown += [call(loud, method) for method in ("GetStatus", "ListFactors")]
    shown.append(call(loud, "ListChallenges", all=True))
    text = json.dumps(shown)
    assert "by-token" in text
    assert_no_secrets(text, [*secrets, *seeds], "an answer")
    assert_no_tokens(text, "an answer")


def test_tokens_are_used_with_care(loud, sandbox):
    """The device's JWT lives ten minutes, and is the factor's own."""
    held = enroll_with_token(loud)
    approve(loud, ask_push(loud, held))
    key = sandbox.factor(held["sid"])["public_key"]
    device = [r for r in sandbox.requests() if r["auth"] == "device"]
    assert device
    for request in device:
        claims = verify_device_jwt(key, request["authorization"])
        assert abs(claims["nbf"] + 5 - time.time()) < 330


def run_as_user(daemon, uid):
    """Hands the daemon's folder to that user, and has it run as one."""
    for path in (daemon.directory, *daemon.directory.rglob("*")):
        os.chown(path, uid, uid)
    plain = daemon.command
    user = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    daemon.command = lambda *arguments: [*user, *plain(*arguments)]


def test_process_is_closed(make_daemon, sandbox):
    """No core dump, and no look into its memory, not even by others of the same user."""
    daemon = make_daemon(sandbox, start=False)
    if os.getuid() == 0:
        run_as_user(daemon, 65534)
    daemon.start()
    with open(f"/proc/{daemon.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    # What is not dumpable belongs to root in /proc.
    for name in ("mem", "environ", "maps"):
        assert os.stat(f"/proc/{daemon.pid}/{name}").st_uid == 0


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_modes(make_daemon, sandbox):
    """Whatever the umask: the store is for its owner alone."""
    daemon = make_daemon(sandbox, start=False)
    plain = daemon.command
    daemon.command = lambda *arguments: ["sh", "-c", 'umask 0; exec "$@"', "-", *plain(*arguments)]
    daemon.start()
    enroll_push(daemon)
    assert mode(daemon.state_directory) == 0o700
    names = set()
    for path in daemon.state_directory.rglob("*"):
        names.add(path.name)
        assert path.is_file() and mode(path) == 0o600, path
    assert {"factord.db", "lock", "store.key"} <= names
    assert stat.S_ISSOCK(daemon.socket_path.lstat().st_mode) and mode(daemon.socket_path) == 0o600
