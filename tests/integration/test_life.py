# SPDX-License-Identifier: Apache-2.0
"""A daemon's life: start, what it tells the service manager, stop, crash, and starts that must fail."""

import os
import signal
import stat
import time

import pytest

from harness import check_request, oath_code, verify_device_jwt, verify_jws, wait_for

SYSTEM_TEXT = "[Daemon]\nSocket={0}/s\nStateDirectory={0}/state\nBus=none\n"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.valgrind
def test_start_and_stop(daemon):
    """Ready when it can be asked; ends with 0 on SIGTERM, leaving no socket and closed files."""
    told = daemon.notified()
    assert told.count("READY=1") == 1
    assert daemon.status_text == "0 factors, 0 challenges pending"
    with daemon.varlink() as varlink:
        status = varlink.call("GetStatus")["status"]
    assert status["mode"] == "user" and status["factors"] == 0 and status["problems"] == []

    daemon.terminate()
    assert "STOPPING=1" in daemon.notified()
    assert not daemon.socket_path.exists()
    assert not list(daemon.state_directory.glob("*-wal"))


def test_interrupt_is_a_stop(daemon):
    daemon.process.signal(signal.SIGINT)
    assert daemon.process.wait() == 0


def test_files_are_private(daemon):
    assert mode(daemon.state_directory) == 0o700
    for path in daemon.state_directory.iterdir():
        assert mode(path) == 0o600, path
    assert mode(daemon.socket_path) == 0o600


def test_no_core_dumps(daemon):
    with open(f"/proc/{daemon.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_one_daemon_a_store(daemon):
    second = daemon.run()
    assert second.rc == 73
    assert str(daemon.state_directory) in second.err
    with daemon.varlink() as varlink:
        varlink.call("GetStatus")


def test_one_daemon_a_socket(daemon, make_daemon, sandbox):
    other = make_daemon(sandbox, {"Daemon": {"Socket": daemon.socket_path}}, start=False)
    second = other.run()
    assert second.rc == 73
    assert str(daemon.socket_path) in second.err
    with daemon.varlink() as varlink:
        varlink.call("GetStatus")


def test_crash_leaves_nothing_in_the_way(daemon):
    daemon.kill()
    assert daemon.socket_path.exists()
    daemon.start()
    with daemon.varlink() as varlink:
        varlink.call("GetStatus")


@pytest.mark.valgrind
def test_factors_survive(daemon, sandbox):
    """What was enrolled works after a stop and after a crash: the key, the seed, the challenge."""
    service = {"service_sid": sandbox.service_sid, "identity": "life-0001", "account": "main"}
    with daemon.varlink() as varlink:
        push = varlink.call("EnrollPush", name="push", **service)["factor"]
        totp = varlink.call("EnrollTotp", name="totp", **service)["factor"]
    secret = sandbox.factor(totp["sid"])["secret"]
    daemon.canaries.append(secret)
    daemon.restart()
    assert daemon.status_text == "2 factors, 0 challenges pending"
    daemon.kill()
    daemon.start()

    with daemon.monitor(since=0) as monitor, daemon.varlink() as varlink:
        before = oath_code(secret)
        assert varlink.call("GetCode", name="totp")["code"] in (before, oath_code(secret))

        sid = sandbox.create_push_challenge("life-0001", push["sid"])["sid"]
        asked = monitor.wait_challenge(sid, "asking")
        varlink.call("Approve", sid=sid, digest=asked["digest"])
        monitor.wait_challenge(sid, "approved")

    key = sandbox.factor(push["sid"])["public_key"]
    _, payload = verify_jws(key, *sandbox.answers(sid))
    assert payload["sid"] == sid and payload["status"] == "approved"
    for request in sandbox.requests():
        check_request(request)
        if request["auth"] == "device":
            verify_device_jwt(key, request["authorization"])


def test_version_and_check(make_daemon, sandbox):
    daemon = make_daemon(sandbox, start=False)
    version = daemon.run("--version")
    assert (version.rc, version.err) == (0, "") and version.out.startswith("factord ")
    check = daemon.run("--check")
    assert (check.rc, check.err) == (0, "")
    assert not daemon.state_directory.exists()
    assert daemon.run("--no-such-option").rc == 2


def test_faults_are_reported_at_once(make_daemon, sandbox):
    """Every fault of a configuration, with its line, in one go; and 78."""
    text = SYSTEM_TEXT + "NoSuchKey=1\n[Poll]\nInterval=never\n[Nowhere]\n[Api]\nBaseUrl=http://example.com\n"
    daemon = make_daemon(sandbox, text=text.format("/tmp"), start=False)
    for arguments in ((), ("--check",)):
        result = daemon.run(*arguments)
        assert result.rc == 78, result
        for line in (5, 7, 8, 10):
            assert f"{daemon.config_path}:{line}" in result.err, result


def test_open_password_file_is_refused(make_daemon, sandbox):
    daemon = make_daemon(sandbox, start=False)
    daemon.password_path.chmod(0o644)
    result = daemon.run()
    assert result.rc == 78
    assert "chmod" in result.err and str(daemon.password_path) in result.err
    assert sandbox.auth_token not in result.err


def test_wrong_store_key_is_refused(make_daemon, sandbox):
    """A store whose key is missing or another is never given a new one."""
    daemon = make_daemon(sandbox)
    daemon.terminate()
    (key,) = [p for p in daemon.state_directory.iterdir() if p.stat().st_size == 32]
    content = key.read_bytes()
    key.write_bytes(bytes(32))
    assert daemon.run().rc == 74
    key.unlink()
    assert daemon.run().rc == 74
    assert not key.exists()
    key.write_bytes(content)
    key.chmod(0o600)
    daemon.start()


def test_watchdog_is_fed(make_daemon, sandbox):
    """Under a watchdog it says that it is alive."""
    daemon = make_daemon(sandbox, start=False, env={"WATCHDOG_USEC": "200000"})
    daemon.start()
    wait_for(lambda: daemon.notified().count("WATCHDOG=1") >= 3, what="three WATCHDOG=1")


def test_idle_is_quiet(make_daemon, sandbox):
    """A daemon without factors sends nothing and uses next to no time."""
    daemon = make_daemon(sandbox, env={"WATCHDOG_USEC": "1000000"})
    with open(f"/proc/{daemon.pid}/stat") as file:
        before = file.read().split()
    fed = daemon.notified().count("WATCHDOG=1")
    wait_for(lambda: daemon.notified().count("WATCHDOG=1") >= fed + 2, what="two WATCHDOG=1")
    with open(f"/proc/{daemon.pid}/stat") as file:
        after = file.read().split()
    ticks = sum(int(after[i]) - int(before[i]) for i in (13, 14))
    assert ticks <= 0.2 * os.sysconf("SC_CLK_TCK")
    assert sandbox.requests() == []
