# SPDX-License-Identifier: Apache-2.0
"""A real polkitd behind both doors: it can refuse what is allowed without it, and nothing else."""

import grp
import os
import signal
import time

import pytest

from bus import OWNER, STRANGER, Bus, Polkit
from harness import TIMEOUT, wait_for
from steps import ask_push, ask_totp, call, enroll_push, enroll_totp, shown
from test_rights import SystemDaemon, User

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="wants root to be other users")

GROUP = next(g for g in ("users", "mail", "games") if any(g == e.gr_name for e in grp.getgrall()))

# As an administrator writes it. "daemon" is the name of OWNER, "nobody" that of STRANGER.
RULES = """
polkit.addRule(function(action, subject) {
    var operation = action.lookup("operation"), factor = action.lookup("factor");
    polkit.log("asked " + action.id + " " + subject.user + " " + operation + " " + factor);
    if (action.id == "org.factord.Factord1.approve" && subject.user == "daemon" && factor == "push")
        return polkit.Result.NO;
    if (action.id == "org.factord.Factord1.get-code" && subject.user == "daemon")
        return polkit.Result.AUTH_SELF;
    if (action.id == "org.factord.Factord1.administer" && operation == "Remove")
        return polkit.Result.NO;
});
"""


@pytest.fixture
def bus():
    bus = Bus("system")
    yield bus
    bus.close()


@pytest.fixture
def make_polkit(bus):
    made = []

    def make(rules=""):
        made.append(Polkit(bus, rules))
        return made[-1]

    yield make
    for polkit in made:
        polkit.close()


@pytest.fixture
def system(build_dir, sandbox, bus, show_on_failure):
    config = {"Daemon": {"Bus": "auto", "Group": GROUP}}
    daemon = SystemDaemon(build_dir, sandbox, config, env=bus.env, start=False)
    show_on_failure("factord", lambda: daemon.stderr)
    try:
        daemon.directory.chmod(0o755)
        daemon.start()
        bus.wait_name()
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def held(system):
    return enroll_push(system, owner=OWNER)


def on_bus(challenge):
    return challenge["sid"], challenge["digest"]


def test_defaults(system, bus, make_polkit, held):
    """As shipped, and where there is no polkit: owners decide, the group administers."""
    owner, behind_socket = bus.client(OWNER), User(system, OWNER)
    member = User(system, STRANGER, groups=[grp.getgrnam(GROUP).gr_gid])
    totp = enroll_totp(system, owner=OWNER)
    for there in (False, True):
        if there:
            make_polkit()
        assert owner.call("Approve", "ss", *on_bus(ask_push(system, held)))["state"] == "approved"
        denied = behind_socket.call("Deny", **shown(ask_push(system, held)))
        assert denied["challenge"]["state"] == "denied"
        assert owner.call("Ignore", "s", ask_totp(system, totp)["sid"])["state"] == "ignored"
        assert owner.call("GetCode", "sa{sv}", "totp", {})["code"]
        assert behind_socket.call("GetCode", name="totp")["code"]
        # The default is to ask for an administrator's password; the group is what counts here.
        member.call("Poll")
        assert owner.error("Poll") == behind_socket.error("Poll") == "NotAuthorized"
    # Where there is no system bus there is no polkit.
    bus.kill()
    system.wait_log("has ended the connection")
    wait_for(lambda: "code" in behind_socket.calls(("GetCode", {"name": "totp"}))[0], what="a code")


def test_rules(system, bus, make_polkit, held):
    """An administrator's rule holds on the bus and on the socket, however a thing is named."""
    polkit = make_polkit(RULES)
    owner, behind_socket = bus.client(OWNER), User(system, OWNER)
    other = enroll_push(system, "other", "other-0001", owner=OWNER)
    enroll_totp(system, owner=OWNER)
    asked, others = ask_push(system, held), ask_push(system, other)

    for verb in ("Approve", "Deny"):
        assert owner.error(verb, "ss", *on_bus(asked)) == "NotAuthorized"
        assert behind_socket.error(verb, **shown(asked)) == "NotAuthorized"
    for sid in (asked["sid"], asked["sid"][:12]):
        assert owner.error("Ignore", "s", sid) == "NotAuthorized"
        assert behind_socket.error("Ignore", sid=sid) == "NotAuthorized"
    assert owner.error("GetCode", "sa{sv}", "totp", {}) == "NotAuthorized"
    assert behind_socket.error("GetCode", name="totp") == "NotAuthorized"
    assert call(system, "GetChallenge", sid=asked["sid"])["challenge"]["state"] == "asking"
    assert owner.call("GetChallenge", "s", asked["sid"])["state"] == "asking"
    # The owner check comes first: polkit does not hear of what does not exist.
    log = polkit.process.stderr
    assert "asked org.factord.Factord1.get-code daemon GetCode totp" in log
    assert "asked org.factord.Factord1.approve daemon Ignore push" in log
    stranger = bus.client(STRANGER)
    assert stranger.error("Approve", "ss", *on_bus(asked)) == "NoSuchChallenge"
    assert User(system, STRANGER).error("Deny", **shown(asked)) == "NoSuchChallenge"
    assert polkit.process.stderr == log

    assert owner.call("Approve", "ss", *on_bus(others))["state"] == "approved"
    member = User(system, STRANGER, groups=[grp.getgrnam(GROUP).gr_gid])
    assert member.error("Remove", name="other", local=True) == "NotAuthorized"
    member.call("Poll")
    # Nobody asks about root.
    assert call(system, "Approve", **shown(asked))["challenge"]["state"] == "approved"
    call(system, "Remove", name="other", local=True)


def test_polkit_that_hangs(system, bus, make_polkit, held):
    """Is no yes; and nothing else waits for it."""
    polkit = make_polkit()
    asked = ask_push(system, held)
    owner, watcher = bus.client(OWNER), bus.client(OWNER)
    # sh has become polkitd, in the namespace of its own.
    os.kill(polkit.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        owner.start("Approve", "ss", *on_bus(asked))
        leaver = bus.client(OWNER)
        leaver.start("Approve", "ss", *on_bus(asked))
        assert watcher.call("GetChallenge", "s", asked["sid"])["state"] == "asking"
        leaver.close()
        assert User(system, OWNER).error("Deny", **shown(asked)) == "NotAuthorized"
        with pytest.raises(Exception, match="NotAuthorized"):
            owner.answer()
        assert 4 < time.monotonic() - begun < TIMEOUT
    finally:
        os.kill(polkit.process.pid, signal.SIGCONT)
    wait_for(
        lambda: "polkit does not answer" in system.stderr, what="the log to say so"
    )
    assert owner.call("Approve", "ss", *on_bus(asked))["state"] == "approved"
