# SPDX-License-Identifier: Apache-2.0
"""The door on D-Bus, with clients that know nothing of the daemon: busctl and python3-dbus."""

import json
import os
import subprocess
import xml.etree.ElementTree as tree

import pytest

from bus import (
    CHALLENGE,
    FACTOR,
    NAME,
    OBJECT_MANAGER,
    OWNER,
    PROPERTIES,
    ROOT,
    SOURCE_ROOT,
    STRANGER,
    Bus,
)
from harness import wait_for
from steps import ask_push, ask_totp, call, enroll_push, enroll_totp, factor, wait_state
from test_rights import SystemDaemon

as_root = pytest.mark.skipif(os.getuid() != 0, reason="wants root to be other users")


@pytest.fixture
def make_bus():
    made = []

    def make(kind, **options):
        made.append(Bus(kind, **options))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture
def session(make_bus):
    return make_bus("session")


@pytest.fixture
def make_on_session(make_daemon, sandbox):
    """A function that starts a user's daemon on a session bus."""

    def make(bus):
        return make_daemon(sandbox, {"Daemon": {"Bus": "session"}}, env=bus.env)

    return make


@pytest.fixture
def daemon(session, make_on_session):
    daemon = make_on_session(session)
    session.wait_name()
    return daemon


def path_of(challenge):
    return f"{ROOT}/challenge/{challenge['sid']}"


def on_object(challenge, interface=CHALLENGE):
    return {"path": path_of(challenge), "interface": interface}


def same(on_bus, behind_socket):
    """On the bus what is null is left out."""
    assert on_bus == {key: value for key, value in behind_socket.items() if value is not None}


# The session bus.


def test_busctl(session, daemon, sandbox):
    """List, watch and approve."""
    held = enroll_push(daemon)
    asked = ask_push(daemon, held, fields={"City": "Köln"})
    (listed,) = session.call("ListChallenges", "a{sv}", 0)
    same(listed, asked)
    same(session.call("ListFactors", "a{sv}", 1, "name", "s", "push")[0], factor(daemon, "push") | {
        "last_poll": session.call("ListFactors", "a{sv}", 0)[0]["last_poll"]})
    assert session.call("GetStatus")["pending"] == 1

    with subprocess.Popen(
        ["busctl", f"--address={session.address}", "--json=short", "monitor", NAME],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **session.user(),
    ) as monitor:
        try:
            assert "Monitoring" in monitor.stderr.readline() or monitor.stderr.readline()
            answer = session.call("Approve", "ss", asked["sid"], asked["digest"])
            assert answer["state"] == "approved"
            states = []
            for line in monitor.stdout:
                message = json.loads(line)
                if message.get("member") == "PropertiesChanged":
                    states.append(message["payload"]["data"][1]["State"]["data"])
                if message.get("member") == "InterfacesRemoved":
                    break
        finally:
            monitor.kill()
    assert states == ["answering", "submitted", "approved"]
    assert sandbox.challenge(asked["sid"])["status"] == "approved"
    assert session.call("ListChallenges", "a{sv}", 0) == []
    assert session.busctl("call", NAME, path_of(asked), CHALLENGE, "Ignore", check=False).rc != 0


def test_objects(session, daemon, sandbox):
    """They come and go, and say when they change; their methods are the manager's."""
    client = session.client()
    held = enroll_push(daemon)
    factor_path = f"{ROOT}/factor/push"

    def added(path, interface):
        _, interfaces = client.member("InterfacesAdded", lambda a: a[0] == path)
        return interfaces[interface]

    enrolled = added(factor_path, FACTOR)
    assert enrolled["Name"] == "push" and enrolled["Error"] == "" and enrolled["Digits"] == 0
    _, properties, _ = client.member("PropertiesChanged", lambda a: a[1].get("Status") == "verified")
    assert properties["Sid"] == held["sid"]

    one, two = ask_push(daemon, held, fields={"A": "1"}), ask_push(daemon, held, "Other?")
    shown_one = added(path_of(one), CHALLENGE)
    assert shown_one["State"] == "asking" and shown_one["Fields"] == [{"label": "A", "value": "1"}]
    assert (shown_one["Sid"], shown_one["Digest"]) == (one["sid"], one["digest"])
    assert added(path_of(two), CHALLENGE)["Message"] == "Other?"

    objects = client.call("GetManagedObjects", interface=OBJECT_MANAGER)
    assert {path_of(one), path_of(two), factor_path} == set(objects)
    assert objects[path_of(one)][CHALLENGE] == shown_one
    everything = client.call("GetAll", "s", CHALLENGE, **on_object(two, PROPERTIES))
    assert everything == objects[path_of(two)][CHALLENGE]
    state = client.call("Get", "ss", CHALLENGE, "State", **on_object(two, PROPERTIES))
    assert state == "asking"
    read_only = client.error("Set", "ssv", CHALLENGE, "State", "approved", **on_object(two, PROPERTIES))
    assert read_only == "org.freedesktop.DBus.Error.PropertyReadOnly"

    assert client.error("Approve", "s", two["digest"], **on_object(one)) == "Stale"
    assert client.call("Approve", "s", one["digest"], **on_object(one))["state"] == "approved"
    assert client.call("Deny", "s", two["digest"], **on_object(two))["state"] == "denied"
    for challenge, last in ((one, "approved"), (two, "denied")):
        seen = client.signal("its end", lambda s: s["path"] == path_of(challenge)
                             and s["arguments"][1]["State"] == last)
        assert seen["member"] == "PropertiesChanged"
        path, interfaces = client.member("InterfacesRemoved")
        assert path == path_of(challenge) and CHALLENGE in interfaces
    unknown = "org.freedesktop.DBus.Error.UnknownObject"
    assert client.error("Deny", "s", two["digest"], **on_object(two)) == unknown

    totp = enroll_totp(daemon)
    third = ask_totp(daemon, totp)
    assert client.error("Deny", "s", third["digest"], **on_object(third)) == "InvalidParameter"
    assert client.call("Ignore", **on_object(third))["state"] == "ignored"
    call(daemon, "Remove", name="push", local=True)
    path, interfaces = client.member("InterfacesRemoved", lambda a: a[0] == factor_path)
    assert FACTOR in interfaces
    assert set(client.call("GetManagedObjects", interface=OBJECT_MANAGER)) == {f"{ROOT}/factor/totp"}
    assert sandbox.challenge(two["sid"])["status"] == "denied"


def test_manager(session, daemon, sandbox):
    """Arguments and options are the operations' parameters, errors have their names."""
    client = session.client()
    whose = (sandbox.service_sid, "alice-001")
    made = client.call("EnrollPush", "sssa{sv}", "push", *whose, {"account": "main", "owner": OWNER})
    assert made["status"] == "verified" and made["owner"] == OWNER
    totp = enroll_totp(daemon)
    assert len(client.call("GetCode", "sa{sv}", "totp", {"next": True})["code"]) == 6
    assert client.call("SetOwner", "sx", "push", 0)["owner"] == 0
    asked = ask_push(daemon, made)
    fetched = client.call("ChallengeFetch", "a{sv}s", {"factor": "push"}, asked["sid"])
    assert fetched["details"]["message"] == "Sign in?" and fetched["status"] == "pending"
    listed = client.call("ChallengeList", "a{sv}a{sv}", {"factor": "push"}, {"status": "pending"})
    assert [c["sid"] for c in listed["challenges"]] == [asked["sid"]]
    created = client.call(
        *("ChallengeCreate", "a{sv}a{sv}", {"factor": "push"}),
        {"factor_sid": made["sid"], "message": "Mine", "fields": [{"label": "a", "value": "b"}]},
    )
    assert created["details"]["fields"] == [{"label": "a", "value": "b"}]
    token = client.call("AccessTokenCreate", "sssa{sv}", "main", *whose, {})
    daemon.canaries.append(token["token"])
    assert token["token"] and client.call("Poll") is None
    folder = daemon.directory / "policy.d"
    folder.mkdir(mode=0o755)
    (folder / "a.policy").write_text("[Rule a]\nMessage=x\nDecision=deny\n")
    (folder / "a.policy").chmod(0o644)
    assert client.call("Reload", "") == {"problems": [], "notes": []}
    told = client.call("ExplainPolicy", "s", asked["sid"])
    assert told["decision"] == "ask" and told["rules"][0]["why"].startswith("Message=x:")
    assert {c["would"] for c in client.call("ReplayPolicy", "a{sv}", {})} == {"ask"}
    assert client.call("GetStatus", "")["policy"]["rules"] == 1
    announced = {"message": "Deploy *", "fields": [{"label": "a", "value": "b"}], "within_ms": 5000}
    ticket = client.call("Expect", "sa{sv}", "push", announced)["ticket"]
    assert (ticket["factor"], ticket["message"]) == ("push", "Deploy *")
    assert ticket["fields"] == announced["fields"] and client.call("ListTickets") == [ticket]
    assert client.call("RevokeTicket", "x", ticket["id"]) is None and client.call("ListTickets") == []
    assert client.error("RevokeTicket", "x", ticket["id"]) == "InvalidParameter"

    assert client.error("GetCode", "sa{sv}", "nobody", {}) == "NoSuchFactor"
    assert client.error("GetCode", "sa{sv}", "totp", {"name": "push"}) == "InvalidParameter"
    assert client.error("ListFactors", "a{sv}", {"nonsense": 1}) == "InvalidParameter"
    assert client.error("ListFactors", "a{sv}", {"name": 1.5}) == "InvalidParameter"
    assert client.error("SetOwner", "sx", "push", -1) == "InvalidParameter"
    assert client.error("GetChallenge", "s", "YC" + "0" * 32) == "NoSuchChallenge"
    assert client.error("Approve", "ss", asked["sid"], "0" * 64) == "Stale"
    assert client.call("Ignore", "s", asked["sid"])["state"] == "ignored"
    assert client.error("Deny", "ss", asked["sid"], asked["digest"]) == "AlreadyAnswered"
    assert client.error("GetStatus", "s", "x") == "org.freedesktop.DBus.Error.InvalidArgs"
    assert client.error("Monitor") == "org.freedesktop.DBus.Error.UnknownMethod"
    assert client.call("Remove", "sa{sv}", "totp", {}) is None
    assert totp["sid"] not in [f["sid"] for f in sandbox.state()["factors"]]


def test_confirm(session, daemon, sandbox):
    """What has to be typed is asked for, and kept back, on the bus as well."""
    client = session.client()
    held = enroll_push(daemon)
    assert client.call("SetMatchField", "sa{sv}", "push", {"field": "Number"})["match_field"] == "Number"
    asked = ask_push(daemon, held, fields={"Number": "kiwi", "City": "Köln"})
    seen = client.call("GetAll", "s", CHALLENGE, **on_object(asked, PROPERTIES))
    assert (seen["Confirm"], seen["ConfirmField"]) == ("field", "Number")
    assert seen["Fields"] == [{"label": "Number"}, {"label": "City", "value": "Köln"}]
    assert client.error("Approve", "s", asked["digest"], **on_object(asked)) == "InvalidParameter"
    wrong = client.error("ApproveConfirmed", "sss", asked["sid"], asked["digest"], "plum")
    assert wrong == "InvalidParameter"
    right = client.call("ApproveConfirmed", "ss", asked["digest"], "kiwi", **on_object(asked))
    assert right["state"] == "approved" and right["fields"][0]["value"] == "kiwi"
    signals = [s["arguments"] for s in client.signals if path_of(asked) in (s["path"], s["arguments"][0])]
    assert len(signals) > 2
    assert not [s for s in signals if "kiwi" in str(s) and "asking" in str(s)]
    assert "match_field" not in client.call("SetMatchField", "sa{sv}", "push", {})


def described(element):
    """An interface as nested tuples, without comments and in no order that has no meaning."""
    parts = [described(child) for child in element]
    if element.tag == "interface":
        parts.sort()
    return (element.tag, tuple(sorted(element.attrib.items())), tuple(parts))


def test_introspection_is_the_files(session, daemon):
    """What the daemon says of itself is what the XML files say, and is where it should be."""
    asked = ask_push(daemon, enroll_push(daemon))
    for path, kind in (
        (ROOT, "Manager"),
        (f"{ROOT}/factor/push", "Factor"),
        (path_of(asked), "Challenge"),
    ):
        live = tree.fromstring(session.introspect(path))
        ours = [i for i in live.iter("interface") if i.get("name").startswith(NAME)]
        (file,) = tree.parse(SOURCE_ROOT / f"ipc/{NAME}.{kind}.xml").iter("interface")
        assert [described(i) for i in ours] == [described(file)]


def test_name_is_taken(session, make_on_session):
    """Somebody else has it: the daemon works, says so, and gets it when it is free."""
    other = session.client()
    request = ("RequestName", "su", NAME, 4)
    driver = {
        "destination": "org.freedesktop.DBus",
        "path": "/org/freedesktop/DBus",
        "interface": "org.freedesktop.DBus",
    }
    assert other.call(*request, **driver) == 1
    daemon = make_on_session(session)
    daemon.wait_log("belongs to another program")
    assert any(NAME in p for p in call(daemon, "GetStatus")["status"]["problems"])
    other.close()
    session.wait_name()
    wait_for(lambda: not call(daemon, "GetStatus")["status"]["problems"], what="no problem to be left")


def test_bus_comes_and_goes(make_bus, make_on_session):
    """The daemon needs no bus, joins one that appears, and one that is there again."""
    bus = make_bus("session", start=False)
    daemon = make_on_session(bus)
    assert any("session bus" in p for p in call(daemon, "GetStatus")["status"]["problems"])
    held = enroll_push(daemon)
    bus.start()
    bus.wait_name()
    assert call(daemon, "GetStatus")["status"]["problems"] == []
    first = bus.client()
    first.call("Subscribe")
    bus.restart()
    assert call(daemon, "ListFactors")["factors"]
    bus.wait_name()
    client = bus.client()
    client.call("Subscribe")
    asked = ask_push(daemon, held)
    assert client.member("ChallengeChanged")[0]["sid"] == asked["sid"]
    assert client.call("Approve", "s", asked["digest"], **on_object(asked))["state"] == "approved"


def test_caller_leaves(session, daemon, sandbox):
    """What it has decided stays decided."""
    asked = ask_push(daemon, enroll_push(daemon))
    sandbox.fault(f"GET .*/Challenges/{asked['sid']}", delay_ms=500)
    client = session.client()
    client.start("Approve", "ss", asked["sid"], asked["digest"])
    wait_state(daemon, asked["sid"], "answering")
    client.close()
    assert wait_state(daemon, asked["sid"], "approved")
    sandbox.wait_challenge(asked["sid"], "approved")
    assert session.client().call("GetStatus")["pending"] == 0


def answers(client, n):
    got = []
    for _ in range(n):
        try:
            got.append(client.answer())
        except Exception as e:
            got.append(e.name)
    return got


def test_limits(session, daemon, sandbox):
    """32 calls under way and 8 subscribers a user; then RateLimited, until some have ended."""
    held = enroll_push(daemon)
    asked = ask_push(daemon, held)
    sandbox.fault(f"GET .*/Challenges/{asked['sid']}", delay_ms=1000, times=40)
    clients = [session.client() for _ in range(9)]
    for _ in range(40):
        clients[0].start("ChallengeFetch", "a{sv}s", {"factor": "push"}, asked["sid"])
    got = answers(clients[0], 40)
    assert got.count("RateLimited") == 8
    assert sum(isinstance(a, dict) and a["sid"] == asked["sid"] for a in got) == 32
    assert clients[0].call("GetStatus")["pending"] == 1

    for client in clients[:8]:
        client.call("Subscribe")
        client.call("Subscribe")
    assert clients[8].error("Subscribe") == "RateLimited"
    clients[7].close()
    wait_for(lambda: not subscribe_fails(clients[8]), what="room for a subscriber")
    clients[0].call("Unsubscribe")
    clients[0].call("Unsubscribe")
    another = session.client()
    another.call("Subscribe")
    call(daemon, "Ignore", sid=asked["sid"])
    assert another.member("ChallengeChanged")[0]["state"] == "ignored"


def subscribe_fails(client):
    client.start("Subscribe")
    return answers(client, 1) == ["RateLimited"]


# The system bus.


@pytest.fixture
def system_bus(make_bus):
    return make_bus("system")


@pytest.fixture
def system(build_dir, sandbox, system_bus, show_on_failure):
    """A system's daemon on a system bus with the policy as shipped."""
    daemon = SystemDaemon(build_dir, sandbox, {"Daemon": {"Bus": "auto"}}, env=system_bus.env, start=False)
    show_on_failure("factord", lambda: daemon.stderr)
    try:
        daemon.directory.chmod(0o755)
        daemon.start()
        system_bus.wait_name()
        yield daemon
    finally:
        daemon.stop()


def administrative(sandbox):
    whose = (sandbox.service_sid, "alice-001")
    target = {"service_sid": whose[0], "identity": whose[1], "account": "main"}
    sid = "YC" + "0" * 32
    return [
        ("EnrollPush", "sssa{sv}", "mine", *whose, {"account": "main"}),
        ("EnrollTotp", "ssssa{sv}", "mine", "main", *whose, {}),
        ("Import", "sa{sv}", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP", {}),
        ("SetOwner", "sx", "push", STRANGER),
        ("Remove", "sa{sv}", "push", {"local": True}),
        ("Poll",),
        ("ChallengeCreate", "a{sv}a{sv}", target, {}),
        ("ChallengeFetch", "a{sv}s", target, sid),
        ("ChallengeList", "a{sv}a{sv}", target, {}),
        ("ChallengeUpdate", "a{sv}sa{sv}", target, sid, {}),
        ("AccessTokenCreate", "sssa{sv}", "main", *whose, {}),
    ]


@as_root
def test_stranger_on_the_system_bus(system, system_bus, sandbox):
    """Sees and can do nothing; the owner can."""
    held = enroll_push(system, owner=OWNER)
    totp = enroll_totp(system, owner=OWNER)
    asked = ask_push(system, held)
    stranger, owner = system_bus.client(STRANGER), system_bus.client(OWNER)
    before = sandbox.last_seq()

    status = stranger.call("GetStatus")
    assert (status["factors"], status["pending"], status["accounts"]) == (0, 0, [])
    assert stranger.call("ListFactors", "a{sv}", {}) == []
    assert stranger.call("ListChallenges", "a{sv}", {"all": True}) == []
    for name in ("push", "totp", held["sid"], totp["sid"], "nobody"):
        assert stranger.error("ListFactors", "a{sv}", {"name": name}) == "NoSuchFactor"
        assert stranger.error("GetCode", "sa{sv}", name, {}) == "NoSuchFactor"
    assert stranger.error("GetChallenge", "s", asked["sid"]) == "NoSuchChallenge"
    for verb in ("Approve", "Deny"):
        assert stranger.error(verb, "ss", asked["sid"], asked["digest"]) == "NoSuchChallenge"
    assert stranger.error("Ignore", "s", asked["sid"]) == "NoSuchChallenge"
    for operation in administrative(sandbox):
        assert stranger.error(*operation) == "NotAuthorized", operation
        assert owner.error(*operation) == "NotAuthorized", operation
    assert not [r for r in sandbox.requests(since=before) if r["method"] == "POST"]

    assert [f["name"] for f in owner.call("ListFactors", "a{sv}", {})] == ["push", "totp"]
    assert owner.call("GetCode", "sa{sv}", "totp", {})["code"]
    answer = owner.call("Approve", "ss", asked["sid"], asked["digest"])
    assert answer["state"] == "approved"
    assert sandbox.challenge(asked["sid"])["status"] == "approved"


@as_root
def test_no_objects_on_the_system_bus(system, system_bus):
    """Nor can their names be guessed; and nobody can take the daemon's name."""
    asked = ask_push(system, enroll_push(system, owner=OWNER))
    stranger = system_bus.client(STRANGER)
    live = tree.fromstring(system_bus.introspect(ROOT, STRANGER))
    assert live.findall("node") == []
    assert OBJECT_MANAGER not in [i.get("name") for i in live.iter("interface")]
    root = system_bus.client()
    unknown = "org.freedesktop.DBus.Error.Unknown"
    for client in (stranger, root):
        for path in (path_of(asked), f"{ROOT}/factor/push", f"{ROOT}/challenge"):
            asks = ("GetAll", "s", CHALLENGE)
            assert client.error(*asks, path=path, interface=PROPERTIES).startswith(unknown)
        assert client.error("GetManagedObjects", interface=OBJECT_MANAGER).startswith(
            ("org.freedesktop.DBus.Error.AccessDenied", unknown)
        )
    driver = {
        "destination": "org.freedesktop.DBus",
        "path": "/org/freedesktop/DBus",
        "interface": "org.freedesktop.DBus",
    }
    denied = "org.freedesktop.DBus.Error.AccessDenied"
    assert stranger.error("RequestName", "su", NAME, 0, **driver) == denied


@as_root
def test_signals_are_the_owners(system, system_bus):
    """Each is sent to one connection, of a user who may see what it is about."""
    held = enroll_push(system, owner=OWNER)
    owner, stranger = system_bus.client(OWNER), system_bus.client(STRANGER)
    with subprocess.Popen(
        ["busctl", f"--address={system_bus.address}", "--json=short", "monitor", f"--match=type=signal,path={ROOT}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **system_bus.user(),
    ) as monitor:
        try:
            assert monitor.stderr.readline()
            for client in (owner, stranger):
                client.call("Subscribe")
            asked = ask_push(system, held)
            (event,) = owner.member("ChallengeChanged")
            assert (event["sid"], event["digest"]) == (asked["sid"], asked["digest"])
            assert event["sequence"] > 0 and event["time"]
            call(system, "SetOwner", name="push", owner=STRANGER)
            # The first thing that a stranger hears of is what has become theirs.
            signal = stranger.signal("anything", lambda s: True)
            assert signal["member"] == "FactorChanged" and signal["arguments"][0]["owner"] == STRANGER
            assert signal["arguments"][0]["sequence"] > event["sequence"]
            call(system, "Remove", name="push", local=True)
            (gone,) = stranger.member("FactorRemoved")
            assert gone["name"] == "push"
            seen = []
            for line in monitor.stdout:
                seen.append(json.loads(line))
                if seen[-1]["member"] == "FactorRemoved":
                    break
        finally:
            monitor.kill()
    receivers = {(s["member"], s["destination"]) for s in seen}
    assert ("ChallengeChanged", owner.unique_name) in receivers
    assert {d for _, d in receivers} == {owner.unique_name, stranger.unique_name}
    assert ("FactorRemoved", owner.unique_name) not in receivers
