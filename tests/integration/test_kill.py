# SPDX-License-Identifier: Apache-2.0
"""Crashes: at every point of an answer and at random, nothing is answered twice or forgotten."""

import random

import pytest

from harness import wait_for
from invariants import Store
from steps import (
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
    fault_fetch,
    fault_update,
    fetches,
    next_step,
    shown,
    wait_state,
)
from storm import CONFIG, Storm

LATE = 60_000
# A fault with a status keeps the server from handling the request.
NOT_HANDLED = {"status": 503, "body": "{}"}
KILLS = 25


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


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
    store = Store(daemon.state_directory, tmp_path / "copy")
    assert all(row["voided"] for row in store["decision"])
    assert store.audited(asked["sid"]) == ["decision", "void"]


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


@pytest.mark.parametrize("part", range(4))
def test_at_random(make_daemon, make_sandbox, tmp_path, part):
    """A hundred crashes of a busy daemon in all, each followed by a comparison of all records."""
    seed = random.randrange(1 << 32)
    print(f"again: scripts/soak {KILLS} {seed}")
    sandbox = make_sandbox("--no-rate-limits")
    daemon = make_daemon(sandbox, CONFIG)
    Storm(daemon, sandbox, tmp_path / "copy", seed).run(KILLS)
