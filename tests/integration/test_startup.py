# SPDX-License-Identifier: Apache-2.0
"""Starts that fail say why in one line, what to do about it, and end with the right status."""

import os
import socket
import sqlite3
import subprocess

import pytest

from harness import wait_for
from process import TIMEOUT
from steps import call, factors

CONFIGURATION, STORE, IN_USE, USAGE = 78, 74, 73, 2


@pytest.fixture
def idle(make_daemon, sandbox):
    """A daemon whose files are written and that does not run."""
    return make_daemon(sandbox, start=False)


def one_line(daemon, rc, *parts, arguments=()):
    """It ends with that status after exactly one line, which has those parts; nothing else is left."""
    result = daemon.run(*arguments)
    assert result.rc == rc, result
    lines = result.err.splitlines()
    assert len(lines) == 1 and not result.out, result
    for part in parts:
        assert str(part) in lines[0], result
    return lines[0]


def fix(line):
    """Runs the command that the message has."""
    subprocess.run(["sh", "-c", line.partition("run: ")[2]], check=True, timeout=TIMEOUT)


# The configuration.


@pytest.mark.parametrize(
    "section, keys, part",
    [
        ("Daemon", {"Colour": "red"}, "Colour"),
        ("Nowhere", {"Key": "1"}, "[Nowhere]"),
        ("Account two words", {"User": "AC1"}, "two words"),
        ("Daemon", {"Bus": "yellow"}, "yellow"),
        ("Daemon", {"Default": "approve"}, "approve"),
        ("Poll", {"Interval": "99ms", "IdleInterval": None}, "100ms"),
        ("Poll", {"Interval": "soon", "IdleInterval": None}, "Interval"),
        ("Api", {"BaseUrl": "http://verify.example.com"}, "http"),
        ("Api", {"BaseUrl": "ftp://127.0.0.1"}, "BaseUrl"),
        ("Api", {"RequestsPerSecond": "0"}, "RequestsPerSecond"),
        ("Account main", {"AccountSid": "AC1"}, "AccountSid"),
        ("Account main", {"PasswordFile": "relative"}, "PasswordFile"),
        ("Account main", {"PasswordFile": None}, "password"),
        ("Account main", {"AccountSid": None}, "AccountSid"),
    ],
)
def test_one_fault(idle, section, keys, part):
    """One fault is one line, with the file and the line that it stands in."""
    idle.configure({section: keys})
    text = idle.config_path.read_text().splitlines()
    name = next(iter(keys))
    wanted = f"{name}={keys[name]}" if keys[name] and section != "Nowhere" else f"[{section}]"
    if section.startswith("Account two"):
        wanted = f"[{section}]"
    at = f"{idle.config_path}:{text.index(wanted) + 1}:"
    for arguments in ((), ("--check",)):
        result = idle.run(*arguments)
        assert result.rc == CONFIGURATION, result
        first = result.err.splitlines()[0]
        assert at in first and part in first, result
        if not section.startswith("Account two"):
            assert len(result.err.splitlines()) == 1, result
    assert not idle.state_directory.exists()


def test_all_faults_at_once(idle, sandbox):
    """Each with its line, passwords included as far as they can be looked for."""
    text = "\n".join(
        [
            "[Daemon]",
            "Socket=relative",
            "Colour=red",
            "Bus=none",
            "Bus=auto",
            "no key",
            "[Poll]",
            "Interval=never",
            "[Poll]",
            "[Nowhere]",
            "[Api]",
            "BaseUrl=http://example.com",
            "[Account main]",
            "User=nobody",
        ]
    )
    idle.configure({}, text)
    result = idle.run("--check")
    assert result.rc == CONFIGURATION, result
    for line in (2, 3, 5, 6, 8, 9, 10, 12, 14):
        assert f"{idle.config_path}:{line}:" in result.err, (line, result)


def test_bytes_that_do_not_belong(idle):
    for extra, line in ((b"# \xff\n", 1), (b"# a\n# \0\n", 2)):
        text = idle.config_path.read_bytes()
        idle.config_path.write_bytes(extra + text)
        result = idle.run()
        assert result.rc == CONFIGURATION and f"{idle.config_path}:{line}" in result.err, result
        idle.config_path.write_bytes(text)


def test_configuration_file(idle):
    """Missing, a link, or open to others: refused, with the command that helps where there is one."""
    path = idle.config_path
    for mode in (0o664, 0o646):
        path.chmod(mode)
        line = one_line(idle, CONFIGURATION, path, "chmod")
    fix(line)
    assert idle.run("--check").rc == 0
    idle.directory.chmod(0o777)
    line = one_line(idle, CONFIGURATION, idle.directory, "chmod")
    fix(line)
    assert idle.run("--check").rc == 0

    kept = path.rename(path.with_name("kept"))
    one_line(idle, CONFIGURATION, path, "no such file")
    path.symlink_to(kept)
    one_line(idle, CONFIGURATION, path, "link")
    path.unlink()
    path.mkdir()
    one_line(idle, CONFIGURATION, path)


def test_password_file(idle, sandbox):
    path = idle.password_path
    for mode in (0o644, 0o640, 0o620):
        path.chmod(mode)
        line = one_line(idle, CONFIGURATION, path, "chmod", f"{idle.config_path}:")
        assert sandbox.auth_token not in line
    fix(line)
    assert idle.run("--check").rc == 0
    for text, part in (("", "empty"), ("\n", "empty"), ("two\nlines\n", "line"), ("x" * 5000, "long")):
        path.write_text(text)
        line = one_line(idle, CONFIGURATION, path, part)
        assert "two" not in line
    path.unlink()
    one_line(idle, CONFIGURATION, path, "no such file", f"{idle.config_path}:")
    path.symlink_to("/etc/hostname")
    one_line(idle, CONFIGURATION, path, "link")


@pytest.mark.skipif(os.getuid() != 0, reason="wants root to give files away")
def test_files_of_others(idle):
    """What another user owns is not trusted."""
    for path in (idle.config_path, idle.password_path):
        os.chown(path, 65534, 65534)
        line = one_line(idle, CONFIGURATION, path, "chown")
        fix(line)
        assert path.stat().st_uid == 0
    assert idle.run("--check").rc == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://verify.example.com"]
)
def test_base_urls(idle, url):
    """Without TLS only to this machine."""
    idle.configure({"Api": {"BaseUrl": url}})
    check = idle.run("--check")
    assert (check.rc, check.err) == (0, "")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.com", "http://localhost@example.com", "http://10.0.0.1", ""]
)
def test_base_urls_refused(idle, url):
    idle.configure({"Api": {"BaseUrl": url}})
    if url:
        one_line(idle, CONFIGURATION, idle.config_path, "BaseUrl")
    else:
        # Empty is the default.
        assert idle.run("--check").rc == 0


def test_options(idle):
    for arguments, part in (
        (("--no-such-option",), "no-such-option"),
        (("word",), "word"),
        (("--log-level", "loud"), "loud"),
        (("--config",), "config"),
    ):
        one_line(idle, USAGE, part, arguments=arguments)
    for arguments, part in ((("--version",), "factord "), (("--help",), "--config FILE")):
        result = idle.run(*arguments)
        assert result.rc == 0 and part in result.out and not result.err
    check = idle.run("--check")
    assert check.rc == 0 and check.out and not check.err
    assert not idle.state_directory.exists() and not idle.socket_path.exists()


def test_no_configuration_at_all(idle, build_dir):
    """A user's daemon needs none: it has the places of the base directory specification."""
    home = idle.directory / "home"
    runtime = idle.directory / "run"
    for path in (home, runtime):
        path.mkdir(mode=0o700)
    idle.env.update(HOME=str(home), XDG_RUNTIME_DIR=str(runtime))
    idle.command = lambda *arguments: [build_dir / "daemon/factord", "--user", *arguments]
    idle.socket_path = runtime / "factord/factord.sock"
    assert idle.run("--check").rc == 0
    idle.start()
    assert factors(idle) == []
    status = call(idle, "GetStatus")["status"]
    assert status["base_url"] == "https://verify.twilio.com" and status["accounts"] == []
    assert (home / ".local/state/factord/factord.db").exists()
    assert idle.socket_path.parent.stat().st_mode & 0o777 == 0o700
    idle.terminate()
    del idle.env["XDG_RUNTIME_DIR"]
    one_line(idle, CONFIGURATION, "XDG_RUNTIME_DIR", "Socket=")


# The socket and the store.


def test_in_use(daemon, make_daemon, sandbox):
    one_line(daemon, IN_USE, daemon.state_directory, "lock")
    other = make_daemon(sandbox, {"Daemon": {"Socket": daemon.socket_path}}, start=False)
    one_line(other, IN_USE, daemon.socket_path)
    # The one that was there is unharmed.
    assert factors(daemon) == []
    other.configure({})
    other.start()


def test_socket_path(idle):
    """A socket that nobody listens on is replaced; what is no socket is left alone."""
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(idle.socket_path))
    stale.close()
    idle.start()
    assert factors(idle) == []
    idle.terminate()
    idle.socket_path.write_text("precious")
    one_line(idle, IN_USE, idle.socket_path, "no socket")
    assert idle.socket_path.read_text() == "precious"
    too_long = idle.directory / ("x" * 100)
    idle.configure({"Daemon": {"Socket": too_long}})
    one_line(idle, CONFIGURATION, str(too_long)[:40], "107", f"{idle.config_path}:")


def test_store_folder(idle):
    folder = idle.state_directory
    folder.write_text("")
    one_line(idle, STORE, folder)
    folder.unlink()
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    fix(one_line(idle, STORE, folder, "chmod"))
    idle.start()
    idle.terminate()
    database = folder / "factord.db"
    database.chmod(0o644)
    fix(one_line(idle, STORE, database, "chmod"))
    idle.start()
    idle.terminate()
    assert not idle.socket_path.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="wants root to run as another user")
def test_store_that_cannot_be_written(idle):
    """As a user who may not write where the store should be."""
    plain = idle.command
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    idle.command = lambda *arguments: [*user, *plain(*arguments)]
    for path in (idle.config_path, idle.password_path):
        os.chown(path, 65534, 65534)
    idle.directory.chmod(0o755)
    one_line(idle, STORE, idle.state_directory, "Permission denied")
    idle.state_directory.mkdir(mode=0o700)
    one_line(idle, STORE, idle.state_directory)
    os.chown(idle.state_directory, 65534, 65534)
    idle.state_directory.chmod(0o500)
    one_line(idle, STORE, idle.state_directory, "Permission denied")


def test_store_key(idle):
    """A store without its own key does not open, and no other is made for it."""
    idle.start()
    idle.terminate()
    key = idle.state_directory / "store.key"
    content = key.read_bytes()
    key.unlink()
    one_line(idle, STORE, key)
    assert not key.exists()
    for wrong in (bytes(32), content[:31], content + b"x", b""):
        key.touch(mode=0o600)
        key.write_bytes(wrong)
        one_line(idle, STORE, idle.state_directory)
        assert key.read_bytes() == wrong
    key.write_bytes(content)
    key.chmod(0o640)
    fix(one_line(idle, STORE, key, "chmod"))
    idle.start()


def test_store_of_a_later_version(idle):
    idle.start()
    idle.terminate()
    database = idle.state_directory / "factord.db"
    with sqlite3.connect(database) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    one_line(idle, STORE, database, "1000")
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    idle.start()
    idle.terminate()
    database.write_bytes(b"not a database at all" * 300)
    one_line(idle, STORE, database)


# What factorctl says.


def ctl_fails(daemon, rc, *arguments, parts=()):
    result = daemon.ctl(*arguments, check=rc)
    assert result.out == "" and len(result.err.splitlines()) == 1, result
    for part in parts:
        assert str(part) in result.err, result


def enroll(daemon):
    service = daemon.sandbox.service_sid
    return (
        *("enroll", "push", "--name", "push", "--service", service, "--identity", "alice-001"),
        *("--account", "main"),
    )


def test_no_daemon(idle):
    for arguments in (("status",), ("list",), ("pending",), ("code", "x")):
        ctl_fails(idle, 69, *arguments, parts=[idle.socket_path])


def test_enrolment_that_cannot_reach_the_provider(make_daemon, sandbox):
    """Nothing listens there; or it is another server."""
    unused = socket.socket()
    unused.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    daemon = make_daemon(sandbox, {"Api": {"BaseUrl": url}})
    ctl_fails(daemon, 7, *enroll(daemon))
    unused.close()
    assert factors(daemon) == []
    wrong = make_daemon(sandbox, {"Api": {"BaseUrl": sandbox.url + "/elsewhere"}})
    ctl_fails(wrong, 7, *enroll(wrong), parts=["404"])
    assert factors(wrong) == []


def test_enrolment_with_a_wrong_token(make_daemon, sandbox):
    daemon = make_daemon(sandbox)
    daemon.write_secret("password", "0123456789abcdef0123456789abcdef\n")
    daemon.restart()
    ctl_fails(daemon, 7, *enroll(daemon), parts=["401"])
    assert factors(daemon) == []
    (account,) = call(daemon, "GetStatus")["status"]["accounts"]
    assert account["state"] == "refused"
    wait_for(lambda: "refuses the credentials of account main" in daemon.stderr)
    assert daemon.ctl("status").rc == 0
