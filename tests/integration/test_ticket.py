# SPDX-License-Identifier: Apache-2.0
"""Tickets: what a job announces is approved once, and nothing that is nearly it."""

import contextlib
import json
import os
import pty
import random
import select
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

from harness import VarlinkError, wait_for
from steps import (
    call,
    call_error,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    fault_fetch,
    fetches,
    next_step,
    wait_state,
)
from test_rights import OWNER, STRANGER, User, system  # noqa: F401

RULES = """[Rule announced]
Factor=[copt]*
Ticket=required
Decision=approve
"""
# A list is read when it is asked for.
SLOW = {"Poll": {"Interval": "1h", "IdleInterval": "1h"}}
NOTHING = "No rule in force approves with a ticket for this factor"


def with_rules(daemon, rules=RULES):
    folder = daemon.directory / "policy.d"
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / "test.policy").write_text(rules)
    daemon.start()
    return daemon


@pytest.fixture
def make(make_daemon, sandbox):
    """A function that starts a daemon with the rules."""
    return lambda config=None, **more: with_rules(make_daemon(sandbox, config, start=False, **more))


@pytest.fixture
def daemon(make):
    return make()


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


def enroll_slow(daemon, *names):
    """From here on its list is read when it is asked for."""
    held = enroll_push(daemon, *names)
    wait_for(lambda: factor(daemon, held["name"])["last_poll"], what="the first poll")
    return held


def expect(daemon, name="push", **more):
    fields = [{"label": k, "value": v} for k, v in more.pop("fields", {}).items()]
    reply = call(daemon, "Expect", factor=name, **more, **({"fields": fields} if fields else {}))
    assert reply["warning"] is None
    return reply["ticket"]


def tickets(daemon):
    return call(daemon, "ListTickets")["tickets"]


def create(daemon, held, message="Deploy web", **more):
    return daemon.sandbox.create_push_challenge(held["identity"], held["sid"], message, **more)["sid"]


def approved_once(daemon, sid):
    wait_state(daemon, sid, "approved")
    assert daemon.sandbox.challenge(sid)["status"] == "approved"
    assert len(daemon.sandbox.updates(sid)) == 1


def asked(daemon, *sids):
    for sid in sids:
        wait_state(daemon, sid, "asking")
        assert daemon.sandbox.updates(sid) == []


def rows(daemon, query):
    path = f"file:{daemon.state_directory}/factord.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as connection:
        return connection.execute(query).fetchall()


def check_store(daemon):
    """A rule's standing approval has a ticket that it used, and a used ticket has a decision."""
    approvals = rows(daemon, "SELECT id FROM decision WHERE verb = 'approve' AND rule = 'announced'")
    used = rows(daemon, "SELECT consumed_by FROM ticket WHERE consumed_by IS NOT NULL")
    audited = rows(daemon, "SELECT decision FROM audit WHERE event = 'ticket-used'")
    assert sorted(approvals) == sorted(used) == sorted(audited)


# What a ticket is good for.


def test_once(daemon, push):
    ticket = expect(daemon, message="Deploy *", fields={"Environment": "staging"}, within_ms=50_000)
    assert ticket["factor"] == "push" and ticket["owner"] == os.getuid()
    assert tickets(daemon) == [ticket]
    first = create(daemon, push, fields={"Host": "web1", "Environment": "staging"})
    approved_once(daemon, first)
    assert tickets(daemon) == []
    asked(daemon, create(daemon, push, fields={"Environment": "staging"}))
    assert call_error(daemon, "RevokeTicket", id=ticket["id"]).parameters["parameter"] == "id"
    check_store(daemon)

    records = daemon.ctl("log", "--json").out.splitlines()
    records = [r for r in map(json.loads, records) if r["event"] != "policy"]
    assert [r["event"] for r in records] == ["enrolled", "ticket", "decision", "ticket-used", "outcome"]
    made, decided, used = records[1:4]
    assert (made["factor"], made["uid"], made["door"]) == ("push", os.getuid(), "socket")
    assert made["reason"] == f"ticket {ticket['id']}, made for 50s"
    assert used["decision"] == decided["decision"] and used["challenge"] == first
    assert (used["rule"], used["door"], used["uid"]) == ("announced", "policy", None)
    assert used["reason"] == f"ticket {ticket['id']}"
    assert not [r for r in records if "Deploy" in str(r) or "staging" in str(r)]


def test_replay(daemon, push):
    """The same rules would have decided the same: with the ticket that was used, and without one."""
    expect(daemon, message="Deploy *", fields={"Environment": "staging"})
    first = create(daemon, push, fields={"Environment": "staging"})
    approved_once(daemon, first)
    second = create(daemon, push)
    asked(daemon, second)
    told = call(daemon, "ReplayPolicy")["challenges"]
    assert {c["sid"]: (c["would"], c["same"]) for c in told} == {
        first: ("approve", True),
        second: ("ask", True),
    }


NEAR_MISSES = [
    ({"message": "Deploy web"}, {"message": "Deploy web\n"}),
    ({"message": "Deploy web"}, {"message": "Deploy webs"}),
    ({"message": "Deploy web"}, {"message": "Re: Deploy web"}),
    ({"message": "Deploy web"}, {"message": "deploy web"}),
    ({"message": "Deploy web"}, {"message": "D\u0435ploy web"}),
    ({"message": "Deploy*"}, {"message": "Deploy \u202ebew"}),
    ({"message": "Deploy web", "fields": {"A": "1"}}, {}),
    ({"fields": {"A": "1"}}, {"fields": [("A", "1 ")]}),
    ({"fields": {"A": "1"}}, {"fields": [("a", "1")]}),
    ({"fields": {"A": "1"}}, {"fields": [("A", "1"), ("A", "1")]}),
    ({"fields": {"A": "1", "B": "2"}}, {"fields": [("A", "1"), ("B", "3")]}),
]


def test_near_misses(daemon, push):
    for ticket, challenge_ in NEAR_MISSES:
        made = expect(daemon, **ticket)
        asked(daemon, create(daemon, push, **challenge_))
        call(daemon, "RevokeTicket", id=made["id"])
    # Another factor's, one that is withdrawn, one that is over.
    enroll_push(daemon, "other", "other-0001")
    call(daemon, "RevokeTicket", id=expect(daemon, message="Deploy web")["id"])
    expect(daemon, "other", message="Deploy web")
    expect(daemon, message="Deploy web", within_ms=100)
    wait_for(lambda: [t["factor"] for t in tickets(daemon)] == ["other"], what="the ticket's end")
    asked(daemon, create(daemon, push))
    assert rows(daemon, "SELECT count(*) FROM decision") == [(0,)]
    check_store(daemon)


def test_made_before_the_ticket(make, sandbox):
    """By the provider's clock, with two seconds of grace."""
    daemon = make(SLOW)
    push = enroll_slow(daemon)
    sandbox.clock(-5)
    old = create(daemon, push)
    sandbox.clock(0)
    new = create(daemon, push, "Deploy db")
    expect(daemon, message="Deploy web")
    expect(daemon, message="Deploy db")
    call(daemon, "Poll")
    asked(daemon, old)
    approved_once(daemon, new)


def test_two_at_once(make):
    """Nobody can say which of the two was announced: in one list, on two pages, or one after the other."""
    daemon = make(SLOW)
    push = enroll_slow(daemon)
    expect(daemon, message="Deploy ?")
    both = [create(daemon, push, "Deploy 1"), create(daemon, push, "Deploy 2")]
    call(daemon, "Poll")
    asked(daemon, *both)
    (ticket,) = tickets(daemon)
    third = create(daemon, push, "Deploy 3")
    call(daemon, "Poll")
    asked(daemon, third)
    call(daemon, "RevokeTicket", id=ticket["id"])

    other = enroll_slow(daemon, "other", "other-0001")
    expect(daemon, "other", message="Deploy ?")
    messages = ["Deploy 1", *(100 * ["Restart"]), "Deploy 9"]
    far = [create(daemon, other, message) for message in messages]
    call(daemon, "Poll")
    asked(daemon, far[0], far[-1])
    # One alone, wherever in the list it stands.
    expect(daemon, "other", message="Migrate")
    alone = create(daemon, other, "Migrate")
    call(daemon, "Poll")
    approved_once(daemon, alone)
    check_store(daemon)


def test_totp(daemon, sandbox):
    held = enroll_totp(daemon)
    assert call_error(daemon, "Expect", factor="totp", message="x").parameters["parameter"] == "message"
    next_step(daemon, 30)
    expect(daemon, "totp")
    sid = sandbox.create_totp_challenge(held["identity"], held["sid"])["sid"]
    wait_state(daemon, sid, "approved")
    assert tickets(daemon) == []
    check_store(daemon)


def test_refused(daemon, push):
    call(daemon, "Import", data="otpauth://totp/a?secret=JBSWY3DPEHPK3PXP", name="local")
    field = {"label": "A", "value": "1"}
    for parameter, wrong in (
        ("within_ms", {"message": "x", "within_ms": 0}),
        ("within_ms", {"message": "x", "within_ms": 99}),
        ("within_ms", {"message": "x", "within_ms": -1}),
        ("within_ms", {"message": "x", "within_ms": 600_001}),
        ("message", {}),
        ("message", {"message": "*"}),
        ("message", {"message": "~x"}),
        ("message", {"message": "["}),
        ("message", {"fields": []}),
        ("fields", {"fields": [field, field]}),
        ("fields", {"fields": [{"label": "A"}]}),
        ("fields", {"fields": [{**field, "more": 1}]}),
        ("fields", {"fields": {}}),
        ("parameters", {"message": 1}),
        ("factor", {"factor": "local"}),
    ):
        error = call_error(daemon, "Expect", **{"factor": "push", **wrong})
        assert (error.name, error.parameters["parameter"]) == ("InvalidParameter", parameter), wrong
    assert call_error(daemon, "Expect", factor="nobody", message="x").name == "NoSuchFactor"
    assert call_error(daemon, "RevokeTicket", id=1).parameters["parameter"] == "id"
    for within in (100, 600_000):
        expect(daemon, message="x", within_ms=within)
    enroll_push(daemon, "box", "boxes-001")
    assert call(daemon, "Expect", factor="box", message="x")["warning"] == NOTHING


def test_too_many(daemon, push):
    with daemon.varlink() as varlink:
        for _ in range(100):
            varlink.call("Expect", factor="push", message="Deploy", within_ms=600_000)
        with pytest.raises(VarlinkError) as error:
            varlink.call("Expect", factor="push", message="Deploy")
        assert error.value.name == "RateLimited" and "100 open" in error.value.parameters["message"]
        assert len(varlink.call("ListTickets")["tickets"]) == 100
        assert varlink.call("Remove", name="push", local=True) == {}
        assert varlink.call("ListTickets")["tickets"] == []


@pytest.mark.skipif(os.getuid() != 0, reason="wants root to be other users")
def test_rights(system):  # noqa: F811
    """The owner's and administrators'; to others there is none."""
    enroll_push(system, owner=OWNER)
    enroll_push(system, "roots", "roots-0001")
    owner, stranger = User(system, OWNER), User(system, STRANGER)
    mine = owner.call("Expect", factor="push", message="Deploy")["ticket"]
    roots = call(system, "Expect", factor="roots", message="Deploy")["ticket"]
    theirs = call(system, "Expect", factor="push", message="Restart")["ticket"]
    assert (mine["owner"], theirs["owner"]) == (OWNER, os.getuid())
    assert owner.call("ListTickets")["tickets"] == [mine, theirs]
    assert call(system, "ListTickets")["tickets"] == [mine, roots, theirs]
    answers = stranger.calls(
        ("Expect", {"factor": "push", "message": "Deploy"}),
        ("RevokeTicket", {"id": mine["id"]}),
        ("RevokeTicket", {"id": 99}),
        ("ListTickets", {}),
    )
    assert [a.get("error") for a in answers] == ["NoSuchFactor", "InvalidParameter", "InvalidParameter", None]
    known, unknown = (a["parameters"]["message"] for a in answers[1:3])
    assert known.replace(str(mine["id"]), "99") == unknown and answers[3] == {"tickets": []}
    assert owner.error("RevokeTicket", id=roots["id"]) == "InvalidParameter"
    owner.call("RevokeTicket", id=theirs["id"])
    # With its owner a factor loses what was announced for it.
    call(system, "SetOwner", name="push", owner=OWNER)
    assert len(call(system, "ListTickets")["tickets"]) == 2
    call(system, "SetOwner", name="push", owner=STRANGER)
    assert call(system, "ListTickets")["tickets"] == [roots]


# What a crash leaves.


def test_restart(daemon, push):
    used = expect(daemon, message="Deploy web")
    approved_once(daemon, create(daemon, push))
    ticket = expect(daemon, message="Deploy ä*", fields={"A": "1"})
    daemon.restart()
    assert tickets(daemon) == [ticket] and used["id"] < ticket["id"]
    asked(daemon, create(daemon, push))
    approved_once(daemon, create(daemon, push, "Deploy äü", fields={"A": "1"}))
    daemon.restart()
    assert tickets(daemon) == []


def test_killed_before_it_is_sent(daemon, sandbox, push):
    """Decided with the ticket, nothing sent yet: the next start answers, and the ticket stays used."""
    fault_fetch(sandbox, "YC", delay_ms=60_000)
    expect(daemon, message="Deploy web")
    sid = create(daemon, push)
    wait_for(lambda: fetches(sandbox, sid), what="the fetch")
    daemon.kill()
    check_store(daemon)
    sandbox.clear_faults()
    daemon.start()
    approved_once(daemon, sid)
    asked(daemon, create(daemon, push))
    check_store(daemon)


def test_killed_at_random(daemon, push):
    """With each crash a ticket is used by its decision, or open and the challenge undecided."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    sids = []
    for n in range(8):
        expect(daemon, message=f"Deploy {n}")
        sids.append(create(daemon, push, f"Deploy {n}"))
        if n % 2:
            wait_for(lambda: (challenge(daemon, sids[-1]) or {}).get("state"), what="the challenge")
        time.sleep(rng.random() / 4)
        daemon.kill()
        check_store(daemon)
        daemon.start()
    for sid in sids:
        approved_once(daemon, sid)
    check_store(daemon)


def test_a_crowd(make, sandbox):
    """20 jobs with tickets among 200 challenges that nobody has announced."""
    daemon = make({"Api": {"RequestsPerSecond": "1000"}})
    factors = [enroll_push(daemon, f"ci-{n:02}", f"build-{n:03}") for n in range(20)]
    with daemon.varlink() as varlink:
        for n in range(20):
            job = [{"label": "Job", "value": "1"}]
            varlink.call("Expect", factor=f"ci-{n:02}", message=f"Deploy {n}", fields=job)
    wanted = [(f, f"Deploy {n}", {"Job": "1"}, True) for n, f in enumerate(factors)]
    for k in range(10):
        # What another factor's job said, and without the detail, and with another value.
        for n, f in enumerate(factors):
            said = [(f"Deploy {n + 1}", {"Job": "1"}), (f"Deploy {n}", {}), (f"Deploy {n}", {"Job": "2"})]
            wanted.append((f, *said[k % 3], False))
    random.shuffle(wanted)
    found = []

    def work(part):
        for f, message, fields, expected in part:
            found.append((create(daemon, f, message, fields=fields), expected))

    threads = [threading.Thread(target=work, args=(wanted[n::4],)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    right = [sid for sid, expected in found if expected]
    others = [sid for sid, expected in found if not expected]
    assert (len(right), len(others)) == (20, 200)

    def states():
        listed = call(daemon, "ListChallenges", all=True)["challenges"]
        return sorted(c["state"] for c in listed)

    wait_for(lambda: states() == 20 * ["approved"] + 200 * ["asking"], timeout=60, what=lambda: f"{states()}")
    state = {c["sid"]: c for c in sandbox.state()["challenges"]}
    assert all(state[sid]["status"] == "approved" for sid in right)
    assert all(state[sid]["status"] == "pending" for sid in others)
    posted = [r["path"].rsplit("/", 1)[1] for r in sandbox.requests("POST", "/Challenges/YC")]
    assert sorted(posted) == sorted(right)
    assert tickets(daemon) == []
    check_store(daemon)


# factorctl expect.


class Command:
    """factorctl expect … -- a command, with pipes."""

    def __init__(self, daemon, *command):
        ctl = [daemon.build_dir / "cli/factorctl", "--socket", daemon.socket_path, "expect", "push"]
        self.process = subprocess.Popen(
            [*ctl, "--message", "Deploy web", "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=daemon.env,
        )

    def end(self, timeout=20):
        try:
            out, err = self.process.communicate(timeout=timeout)
        finally:
            self.process.kill()
        return self.process.returncode, out, err


def test_expect(daemon, push):
    shown = daemon.ctl("expect", "push", "--message", "Deploy web", "--field", "A=b=c", "--within", "2min")
    (ticket,) = tickets(daemon)
    assert f"ticket: {ticket['id']}\n" in shown.out and f"until: {ticket['expires']}\n" in shown.out
    assert shown.err == "" and ticket["fields"] == [{"label": "A", "value": "b=c"}]
    document = json.loads(daemon.ctl("expect", "push", "--message", "Deploy db", "--json").out)
    assert document["schema"] == 1 and document["warning"] is None
    assert document["ticket"]["message"] == "Deploy db"
    listed = daemon.ctl("ticket", "list")
    assert "Deploy web; A=b=c" in listed.out and len(listed.out.splitlines()) == 3
    assert daemon.ctl_json("ticket", "list")["tickets"] == tickets(daemon)
    assert "withdrawn" in daemon.ctl("ticket", "revoke", str(ticket["id"])).out
    assert "no open ticket" in daemon.ctl("ticket", "revoke", str(ticket["id"]), check=2).err
    assert "ten minutes" in daemon.ctl("expect", "push", "--message", "x", "--within", "11min", check=2).err
    daemon.ctl("ticket", "revoke", str(document["ticket"]["id"]))
    assert "no ticket is open" in daemon.ctl("ticket", "list").err


def test_command(daemon, push, tmp_path):
    """It has our input and output; its end is ours; the ticket is there as long as it runs."""
    script = 'read a; echo "$a $1"; echo err >&2; read b; exit 7'
    run = Command(daemon, "sh", "-c", script, "x", b"\xff--json")
    run.process.stdin.write(b"in\n")
    run.process.stdin.flush()
    assert run.process.stdout.readline() == b"in \xff--json\n"
    assert len(tickets(daemon)) == 1
    status, out, err = run.end()
    assert (status, out, err) == (7, b"", b"err\n")
    assert tickets(daemon) == []

    for command, expected in (
        (["true"], 0),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
        (["no-such-program-here"], 127),
        ([str(tmp_path)], 126),
    ):
        result = daemon.ctl("expect", "push", "--message", "Deploy web", "--", *command, check=expected)
        assert (result.err != "") == (expected in (126, 127)), result
        assert tickets(daemon) == []
    events = [e for (e,) in rows(daemon, "SELECT event FROM audit")]
    assert events.count("ticket") == events.count("ticket-revoked") == 6


def test_command_uses_its_ticket(daemon, push):
    run = Command(daemon, "sh", "-c", "echo ready; read done")
    assert run.process.stdout.readline() == b"ready\n"
    approved_once(daemon, create(daemon, push))
    assert run.end() == (1, b"", b"")
    events = [e for (e,) in rows(daemon, "SELECT event FROM audit")]
    assert "ticket-used" in events and "ticket-revoked" not in events


def test_no_ticket_no_command(daemon, push, tmp_path):
    there = tmp_path / "there"
    for arguments, status in ((["nobody", "--message", "x"], 3), (["push"], 2)):
        daemon.ctl("expect", *arguments, "--", "touch", str(there), check=status)
    daemon.terminate()
    daemon.ctl("expect", "push", "--message", "x", "--", "touch", str(there), check=69)
    assert not there.exists()


def test_withdrawing_fails(daemon, push):
    """It is said, and the command's end counts."""
    run = Command(daemon, "sh", "-c", "read a; exit 3")
    wait_for(lambda: tickets(daemon), what="the ticket")
    daemon.terminate()
    status, _, err = run.end()
    assert status == 3 and b"ticket 1 could not be withdrawn: it is good until" in err


def test_warning(make_daemon, sandbox):
    """Without a rule it is made all the same."""
    daemon = make_daemon(sandbox)
    enroll_push(daemon)
    run = Command(daemon, "echo", "done")
    assert run.end() == (0, b"done\n", f"factorctl: {NOTHING}\n".encode())


# Counts the signals that it gets, each by itself.
COUNT = """
import os, select, signal, time
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(s, lambda *_: None)
print("ready", flush=True)
got = os.read(r, 1)
time.sleep(0.2)
got += os.read(r, 99) if select.select([r], [], [], 0)[0] else b""
print("got", *(signal.Signals(s).name for s in got), flush=True)
os._exit(11)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_signals_are_passed_on(daemon, push, name):
    run = Command(daemon, "/usr/bin/python3", "-c", COUNT)
    assert run.process.stdout.readline() == b"ready\n"
    run.process.send_signal(getattr(signal, name))
    assert run.end() == (11, f"got {name}\n".encode(), b"")
    assert tickets(daemon) == []


def test_interrupted_from_the_terminal(daemon, push):
    """The terminal sends it to both: the command gets it once."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update(daemon.env)
        program = str(daemon.build_dir / "cli/factorctl")
        socket = ["--socket", str(daemon.socket_path)]
        counter = ["/usr/bin/python3", "-c", COUNT]
        os.execv(program, [program, *socket, "expect", "push", "--message", "x", "--", *counter])
    text = b""

    def read(until):
        nonlocal text
        while until not in text:
            assert select.select([fd], [], [], 20)[0], text
            try:
                text += os.read(fd, 1000)
            except OSError:  # closed
                break

    try:
        read(b"ready")
        os.write(fd, b"\x03")
        read(b"got")
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 11
        read(b"\0")
        assert text.count(b"got SIGINT\r\n") == 1
    finally:
        os.close(fd)
    assert tickets(daemon) == []
