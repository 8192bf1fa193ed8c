# SPDX-License-Identifier: Apache-2.0
"""Crashes: at every point of an answer and at random, nothing is answered twice or forgotten."""

import contextlib
import random
import shutil
import sqlite3
import time

import pytest

from harness import wait_for
from steps import (
    FINAL,
    Asked,
    applied,
    approve,
    ask_push,
    ask_totp,
    call,
    call_error,
    challenge,
    deny,
    enroll_push,
    enroll_totp,
    factor,
    fault_fetch,
    fault_update,
    fetches,
    next_step,
    shown,
    wait_state,
)

LATE = 60_000
# A fault with a status keeps the server from handling the request.
NOT_HANDLED = {"status": 503, "body": "{}"}
OUTCOMES = {"approve": "approved", "deny": "denied", "ignore": "ignored"}


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


def stored(daemon, directory, query, *values):
    """What the store of a daemon that is not running holds. A copy is read: it stays as it is."""
    copy = directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(daemon.state_directory, copy)
    with contextlib.closing(sqlite3.connect(copy / "factord.db")) as connection:
        return connection.execute(query, values).fetchall()


def decisions(daemon, directory):
    """The standing ones: SID to verb."""
    query = "SELECT challenge_sid, verb FROM decision WHERE voided IS NULL"
    return dict(stored(daemon, directory, query))


def audited(daemon, directory, sid):
    """The events of a challenge in the audit trail."""
    query = "SELECT event FROM audit WHERE challenge = ? ORDER BY rowid"
    return [event for (event,) in stored(daemon, directory, query, sid)]


def crash(daemon):
    daemon.kill()
    daemon.start()


# One point after the other.


def test_while_asking(daemon, sandbox, push):
    """The question comes back, the same one."""
    asked = ask_push(daemon, push, "Sign in?", fields=[("City", "Berlin")])
    crash(daemon)
    assert challenge(daemon, asked["sid"]) == asked
    assert sandbox.updates(asked["sid"]) == []
    assert approve(daemon, asked)["state"] == "approved"


@pytest.mark.parametrize("method, status", [("Approve", "approved"), ("Deny", "denied")])
def test_during_the_fetch(daemon, sandbox, push, method, status):
    """Decided, nothing sent yet: the next start answers without anybody."""
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], delay_ms=LATE)
    with Asked(daemon, method, **shown(asked)):
        wait_for(lambda: fetches(sandbox, asked["sid"]), what="the fetch")
        daemon.kill()
    assert sandbox.updates(asked["sid"]) == []
    daemon.start()
    wait_state(daemon, asked["sid"], status)
    assert sandbox.challenge(asked["sid"])["status"] == status
    assert len(sandbox.updates(asked["sid"])) == 1


@pytest.mark.parametrize("handled", [True, False], ids=["handled", "not handled"])
@pytest.mark.parametrize("method, status", [("Approve", "approved"), ("Deny", "denied")])
def test_during_the_update(daemon, sandbox, push, method, status, handled):
    """Sent, no reply: a fetch tells whether it arrived, and whose it was."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], delay_ms=LATE, **({} if handled else NOT_HANDLED))
    with Asked(daemon, method, **shown(asked)):
        wait_for(lambda: sandbox.updates(asked["sid"]), what="the update")
        daemon.kill()
    assert applied(sandbox, asked["sid"]) == int(handled)
    since = sandbox.last_seq()
    daemon.start()
    wait_state(daemon, asked["sid"], status)
    assert sandbox.challenge(asked["sid"])["status"] == status
    assert applied(sandbox, asked["sid"]) == 1
    after = [r["method"] for r in sandbox.requests(since=since) if asked["sid"] in r["path"]]
    assert after == (["GET"] if handled else ["GET", "POST"])


def test_during_the_update_and_another_answer(daemon, sandbox, push):
    """Ours was lost with the crash, another's arrived: it is not taken for ours."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], delay_ms=LATE, **NOT_HANDLED)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_for(lambda: sandbox.updates(asked["sid"]), what="the update")
        daemon.kill()
    sandbox.change_challenge(asked["sid"], status="approved", metadata={"decision": "another's"})
    daemon.start()
    wait_state(daemon, asked["sid"], "superseded")
    assert len(sandbox.updates(asked["sid"])) == 1


def test_during_the_update_and_a_change(daemon, sandbox, push, tmp_path):
    """What was decided on is not there any more: voided, asked anew."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], delay_ms=LATE, **NOT_HANDLED)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_for(lambda: sandbox.updates(asked["sid"]), what="the update")
        daemon.kill()
    sandbox.change_challenge(asked["sid"], details={"message": "All?", "fields": [], "date": None})
    daemon.start()
    again = wait_state(daemon, asked["sid"], "asking")
    assert again["digest"] != asked["digest"] and again["message"] == "All?"
    assert applied(sandbox, asked["sid"]) == 0
    daemon.terminate()
    assert decisions(daemon, tmp_path) == {}
    assert audited(daemon, tmp_path, asked["sid"]) == ["decision", "void"]


def test_expires_meanwhile(daemon, sandbox, push):
    """The daemon comes back too late: expired, nothing is sent."""
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], delay_ms=LATE)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_for(lambda: fetches(sandbox, asked["sid"]), what="the fetch")
        daemon.kill()
    sandbox.change_challenge(asked["sid"], status="expired")
    daemon.start()
    wait_state(daemon, asked["sid"], "expired")
    assert sandbox.updates(asked["sid"]) == []


@pytest.mark.parametrize("verb", [approve, deny])
def test_after_the_end(daemon, sandbox, push, verb):
    asked = ask_push(daemon, push)
    done = verb(daemon, asked)
    since = sandbox.last_seq()
    crash(daemon)
    sandbox.wait_requests("GET", "/Challenges", n=2, since=since)
    assert challenge(daemon, asked["sid"])["state"] == done["state"]
    assert call_error(daemon, "Deny", **shown(asked)).name == "AlreadyAnswered"
    assert not [r for r in sandbox.requests(since=since) if asked["sid"] in r["path"]]


def test_after_ignoring(daemon, sandbox, push):
    """Still pending at the provider, still none of our business."""
    asked = ask_push(daemon, push)
    call(daemon, "Ignore", sid=asked["sid"])
    since = sandbox.last_seq()
    crash(daemon)
    sandbox.wait_requests("GET", "/Challenges", n=2, since=since)
    assert challenge(daemon, asked["sid"])["state"] == "ignored"
    assert sandbox.challenge(asked["sid"])["status"] == "pending"


def test_totp_during_the_update(daemon, sandbox):
    """The code may have been seen: the next start waits for another one."""
    held = enroll_totp(daemon, period=20)
    next_step(daemon, 20, left=3)
    asked = ask_totp(daemon, held)
    fault_update(sandbox, asked["sid"], delay_ms=LATE, **NOT_HANDLED)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_for(lambda: sandbox.updates(asked["sid"]), what="the update")
        daemon.kill()
    daemon.start()
    wait_state(daemon, asked["sid"], "approved", timeout=40)
    codes = sandbox.answers(asked["sid"])
    assert len(codes) == 2 and codes[0] != codes[1]
    assert applied(sandbox, asked["sid"]) == 1


# Stops.


@pytest.mark.valgrind
@pytest.mark.parametrize("fault", [fault_fetch, fault_update], ids=["fetch", "update"])
def test_stop_in_the_middle(daemon, sandbox, push, fault):
    """SIGTERM waits for nobody: exit status 0, the caller is told, the next start goes on."""
    asked, open_one = ask_push(daemon, push), ask_push(daemon, push)
    fault(sandbox, asked["sid"], delay_ms=LATE)
    seen = fetches if fault is fault_fetch else lambda s, sid: s.updates(sid)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_for(lambda: seen(sandbox, asked["sid"]), what="the request")
        daemon.terminate()
        assert waiting.answer().name == "Unconfirmed"
    daemon.start()
    wait_state(daemon, asked["sid"], "approved")
    assert applied(sandbox, asked["sid"]) == 1
    assert challenge(daemon, open_one["sid"])["state"] == "asking"


# At random.


class Busy:
    """A daemon with questions of all kinds, decided as they come."""

    def __init__(self, daemon, sandbox, rng):
        self.daemon, self.sandbox, self.rng = daemon, sandbox, rng
        self.held = [enroll_push(daemon, f"push-{i}", f"alice-00{i}") for i in range(2)]
        self.verbs = {}

    def create(self, n):
        made = []
        for i in range(n):
            held = self.held[i % len(self.held)]
            entity = held["identity"], held["sid"]
            sid = self.sandbox.create_push_challenge(*entity, f"No. {i}")["sid"]
            self.verbs[sid] = self.rng.choice(["approve", "approve", "deny", "ignore"])
            made.append(sid)
        return made

    def decide(self, sids):
        """Sends the decisions on what is asked, without waiting for what becomes of them."""
        clients = []
        for sid in sids:
            asked = challenge(self.daemon, sid)
            if not asked or asked["state"] != "asking":
                continue
            verb = self.verbs[sid]
            parameters = {"sid": sid} if verb == "ignore" else shown(asked)
            clients.append(Asked(self.daemon, verb.capitalize(), **parameters))
        return clients

    def settle(self, sids):
        """Decides what is still open, and waits until all have ended."""
        for sid in sids:
            wait_state(self.daemon, sid, "asking", "answering", "submitted", *FINAL)
        clients = self.decide(sids)
        for sid in sids:
            wait_state(self.daemon, sid, *FINAL)
        for client in clients:
            with client:
                assert client.answer()["challenge"]["state"] in FINAL

    def check(self, sids):
        there = {c["sid"]: c for c in self.sandbox.state()["challenges"]}
        for sid in sids:
            ended = challenge(self.daemon, sid)
            assert ended["state"] == OUTCOMES[self.verbs[sid]], ended
            expected = "pending" if ended["state"] == "ignored" else ended["state"]
            assert there[sid]["status"] == expected
            assert there[sid]["updates"] == (0 if expected == "pending" else 1)


def test_at_random(make_daemon, make_sandbox, tmp_path):
    """Fifteen crashes of a busy daemon; then the server's record and the store are compared."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    sandbox = make_sandbox("--no-rate-limits")
    daemon = make_daemon(sandbox)
    busy, all_sids = Busy(daemon, sandbox, rng), []
    for i in range(15):
        sids = busy.create(6)
        all_sids += sids
        # A slow and an unreliable server gives a crash more to hit.
        for fault in ({"delay_ms": 20}, {"cut": "after"}, {"delay_ms": 40}, {"cut": "before"}):
            sandbox.fault(rng.choice(["GET", "POST"]) + " .*/Challenges/YC.*", **fault)
        for sid in sids[rng.randrange(7) :]:
            wait_state(daemon, sid, "asking")
        since, clients = sandbox.last_seq(), busy.decide(sids)
        sandbox.wait_requests(None, "", n=1 + rng.randrange(12), since=since)
        moment = time.monotonic() + rng.uniform(0, 0.03)
        wait_for(lambda: time.monotonic() >= moment)
        daemon.kill()
        for client in clients:
            client.varlink.close()

        durable = decisions(daemon, tmp_path)
        daemon.start()
        for sid in sids:
            if sid in durable:
                assert durable[sid] == busy.verbs[sid]
                assert challenge(daemon, sid)["state"] != "asking", "a decision was forgotten"
        busy.settle(sids)
        busy.check(sids)
        assert not sandbox.clear_faults()["faults"]
    busy.check(all_sids)
    daemon.terminate()
    for sid in all_sids:
        assert audited(daemon, tmp_path, sid) == ["decision", "outcome"], busy.verbs[sid]
    daemon.start()
    assert factor(daemon, "push-0")["status"] == "verified"
