# SPDX-License-Identifier: Apache-2.0
"""A locked screen: nothing is approved from behind it, whoever sits there and whatever breaks."""

import os
import signal

import dbus
import dbus.lowlevel
import pytest

from harness import wait_for
from logind import MANAGER, NAME, PATH, SESSION, Logind, SystemBus
from steps import approve, ask_push, call, call_error, challenge, deny, enroll_push, shown
from test_rights import GROUP, OWNER, STRANGER, SystemDaemon, User

ME = os.getuid()


@pytest.fixture
def bus():
    bus = SystemBus()
    yield bus
    bus.stop()


@pytest.fixture
def logind(bus):
    logind = Logind(bus)
    yield logind
    logind.stop()


@pytest.fixture
def make(make_daemon, sandbox, bus):
    """A daemon that finds its logind on that bus."""

    def make(bus_key="auto", **options):
        return make_daemon(sandbox, {"Daemon": {"Bus": bus_key}}, env=bus.env, **options)

    return make


def is_locked(daemon):
    return call(daemon, "GetStatus")["status"]["locked"]


def wait_locked(daemon, locked=True, timeout=None):
    wait_for(lambda: is_locked(daemon) == locked, timeout, f"locked to be {locked}")


def test_locked_screen(make, logind, sandbox):
    """Only what gives nothing away goes through; unlocking is enough."""
    logind.add_session("1", ME)
    daemon = make()
    held = enroll_push(daemon)
    first, second, third = (ask_push(daemon, held, f"Number {i}") for i in range(3))
    assert not is_locked(daemon)
    logind.lock("1")
    wait_locked(daemon)

    assert call_error(daemon, "Approve", **shown(first)).name == "SessionLocked"
    # Neither does it say what it would have said otherwise.
    assert call_error(daemon, "Approve", sid=first["sid"], digest="0" * 64).name == "SessionLocked"
    result = daemon.ctl("approve", first["sid"], check=4)
    assert "locked" in result.err
    assert challenge(daemon, first["sid"])["state"] == "asking"
    assert call_error(daemon, "Approve", sid="YC" + "0" * 32, digest="0" * 64).name == "NoSuchChallenge"

    assert deny(daemon, second)["state"] == "denied"
    assert call(daemon, "Ignore", sid=third["sid"])["challenge"]["state"] == "ignored"
    assert sandbox.challenge(first["sid"])["updates"] == 0

    logind.unlock("1")
    wait_locked(daemon, False)
    assert approve(daemon, first)["state"] == "approved"


def test_presence(make, logind):
    """Who is logged in by SSH is there, until that login ends; also when nobody tells of its end."""
    logind.add_session("1", ME, locked=True)
    logind.add_session("greeter", ME, Class="greeter")
    daemon = make()
    wait_locked(daemon)
    logind.add_ssh_session("2", ME)
    wait_locked(daemon, False)
    logind.remove_session("2")
    wait_locked(daemon)
    logind.add_ssh_session("3", ME)
    wait_locked(daemon, False)
    logind.change_silently("3", State="closing")
    wait_locked(daemon)
    # Another's presence is not this one's.
    logind.add_session("4", ME + 1)
    logind.remove_session("3")
    logind.remove_session("1")
    wait_locked(daemon, False)


def test_logind_restarts(make, logind):
    """What it said stands until it is back; when it stays away nothing is locked."""
    logind.add_session("1", ME, locked=True)
    daemon = make()
    wait_locked(daemon)
    logind.end()
    assert is_locked(daemon)
    logind.start()
    logind.add_session("1", ME, locked=True)
    wait_locked(daemon)
    logind.unlock("1")
    wait_locked(daemon, False)
    logind.lock("1")
    wait_locked(daemon)
    logind.end()
    wait_locked(daemon, False)


def test_bus_restarts(make, bus, logind):
    logind.add_session("1", ME, locked=True)
    daemon = make()
    wait_locked(daemon)
    logind.end()
    bus.end()
    bus.start()
    logind.start()
    logind.add_session("1", ME)
    wait_locked(daemon, False)
    logind.lock("1")
    wait_locked(daemon)


def test_bus_comes_later(make_daemon, sandbox):
    """A machine without a bus locks nothing; the bus is found when it is there."""
    bus = SystemBus(start=False)
    try:
        daemon = make_daemon(sandbox, {"Daemon": {"Bus": "auto"}}, env=bus.env)
        approve(daemon, ask_push(daemon, enroll_push(daemon)))
        bus.start()
        logind = Logind(bus)
        logind.add_session("1", ME, locked=True)
        wait_locked(daemon)
        logind.stop()
    finally:
        bus.stop()


@pytest.mark.parametrize("which", ["bus", "logind"])
def test_hang(make, bus, logind, which):
    """Neither keeps the daemon from its work, and all is well when they go on."""
    logind.add_session("1", ME, locked=True)
    hung = {"bus": bus, "logind": logind}[which].process
    hung.signal(signal.SIGSTOP)
    try:
        daemon = make()
        approve(daemon, ask_push(daemon, enroll_push(daemon)))
        assert not is_locked(daemon)
    finally:
        hung.signal(signal.SIGCONT)
    wait_locked(daemon)
    hung.signal(signal.SIGSTOP)
    try:
        assert is_locked(daemon)
    finally:
        hung.signal(signal.SIGCONT)


def test_bus_none(make, bus, logind):
    """Then logind is not asked: the daemon is on no bus at all."""
    logind.add_session("1", ME, locked=True)
    daemon = make("none")
    approve(daemon, ask_push(daemon, enroll_push(daemon)))
    assert not is_locked(daemon)
    assert names_of(bus, daemon) == []


def names_of(bus, daemon):
    """The daemon's names on the bus."""
    connection = bus.connect()
    try:
        names = [n for n in connection.list_names() if n.startswith(":")]
        pids = {
            n: connection.call_blocking(
                *("org.freedesktop.DBus", "/", "org.freedesktop.DBus"),
                *("GetConnectionUnixProcessID", "s", (n,)),
            )
            for n in names
        }
        return [n for n in names if pids[n] == daemon.pid]
    finally:
        connection.close()


def forgeries(name):
    """Signals that look like logind's and the bus's, from somebody who may send signals."""
    session = f"{PATH}/session/1"
    yield PATH, MANAGER, "SessionRemoved", ("so", "1", dbus.ObjectPath(session))
    yield PATH, MANAGER, "SessionNew", ("so", "9", dbus.ObjectPath(f"{PATH}/session/9"))
    changed = dbus.Dictionary({"LockedHint": False}, signature="sv")
    properties = "org.freedesktop.DBus.Properties"
    yield session, properties, "PropertiesChanged", ("sa{sv}as", SESSION, changed, [])
    owner = ("sss", NAME, "", name)
    yield "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", owner
    yield "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", ("sss", NAME, name, "")


def test_forged_signals(make, bus, logind):
    """Anybody on the system bus can send a signal to one connection; only logind's count."""
    logind.add_session("1", ME, locked=True)
    daemon = make()
    wait_locked(daemon)
    forger = bus.connect()
    try:
        for name in names_of(bus, daemon):
            for path, interface, member, (signature, *values) in forgeries(forger.get_unique_name()):
                message = dbus.lowlevel.SignalMessage(path, interface, member)
                message.set_destination(name)
                message.append(*values, signature=signature)
                forger.send_message(message)
            # Answered after what came before.
            forger.call_blocking(name, "/", "org.freedesktop.DBus.Peer", "Ping", "", ())
            assert is_locked(daemon)
    finally:
        forger.close()
    logind.change("1", IdleHint=True)
    logind.unlock("1")
    wait_locked(daemon, False)


@pytest.mark.skipif(ME != 0, reason="wants root to be other users")
def test_system_daemon(build_dir, sandbox, bus, logind, show_on_failure):
    """Each caller by its own sessions; whose it is comes first; who has no session is not locked."""
    config = {"Daemon": {"Group": GROUP, "Bus": "auto"}}
    daemon = SystemDaemon(build_dir, sandbox, config, start=False, env=bus.env)
    show_on_failure("factord", lambda: daemon.stderr)
    for uid in (OWNER, STRANGER):
        logind.add_session(str(uid), uid, locked=True)
    try:
        daemon.directory.chmod(0o755)
        daemon.start()
        asked = ask_push(daemon, enroll_push(daemon, owner=OWNER))
        owner, stranger = User(daemon, OWNER), User(daemon, STRANGER)
        wait_for(lambda: owner.call("GetStatus")["status"]["locked"], what="the owner to be locked")
        assert owner.error("Approve", **shown(asked)) == "SessionLocked"
        assert stranger.error("Approve", **shown(asked)) == "NoSuchChallenge"
        assert not is_locked(daemon)
        assert approve(daemon, asked)["state"] == "approved"
    finally:
        daemon.stop()
