# SPDX-License-Identifier: Apache-2.0
"""Too many prompts: repeats collapse, a factor cools down, and every challenge still ends."""

import collections

import pytest

from harness import wait_for
from steps import (
    FINAL,
    approve,
    ask_push,
    audit_events,
    call,
    call_error,
    challenge,
    enroll_push,
    factor,
    shown,
)

MANY = 100
STATUS_OF = {"approved": "approved", "denied": "denied", "ignored": "pending", "expired": "expired"}


@pytest.fixture
def make_bombed(make_daemon, make_sandbox):
    """A function (budget) that gives a daemon with a push factor, and the factor."""

    def make(budget):
        daemon = make_daemon(make_sandbox("--no-rate-limits"), {"Prompt": {"Budget": budget}})
        return daemon, enroll_push(daemon)

    return make


def listed(daemon):
    return {c["sid"]: c for c in call(daemon, "ListChallenges", all=True)["challenges"]}


def bomb(daemon, held, n, message="Sign in?"):
    """Creates n challenges, and waits until all are asked about. {} in message: its number."""
    made = [
        daemon.sandbox.create_push_challenge(held["identity"], held["sid"], message.format(i))["sid"]
        for i in range(n)
    ]

    def asked():
        there = listed(daemon)
        return all(sid in there and there[sid]["state"] == "asking" for sid in made)

    wait_for(asked, what=f"{n} questions")
    return made


def leader_of(challenges):
    """The SID of the one that stands for all of them, which is one of the oldest."""
    (leader,) = [sid for sid, shown_one in challenges.items() if shown_one.get("repeat_of") is None]
    assert challenges[leader]["created"] == min(c["created"] for c in challenges.values())
    assert all(c["repeat_of"] == leader for sid, c in challenges.items() if sid != leader)
    return leader


def confirmed(daemon, sid):
    """Approves as one who has typed the end of the SID."""
    asked = challenge(daemon, sid)
    return call(daemon, "Approve", **shown(asked), confirm=sid[-4:])["challenge"]


def decide_all(daemon, sids):
    """In turn approved, denied, ignored, and left to the provider, where it expires: those that have not
    ended yet."""
    for i, sid in enumerate(sids):
        if challenge(daemon, sid)["state"] in FINAL:
            continue
        if i % 4 == 0:
            confirmed(daemon, sid)
        elif i % 4 == 1:
            call(daemon, "Deny", **shown(challenge(daemon, sid)))
        elif i % 4 == 2:
            call(daemon, "Ignore", sid=sid)
        else:
            daemon.sandbox.change_challenge(sid, status="expired")
    wait_for(lambda: all(listed(daemon)[sid]["state"] in FINAL for sid in sids), what="all to end")


def check_accounted_for(daemon, sids):
    """Each ended once, as the server has it. Returns how many ended how."""
    ours, theirs = listed(daemon), {c["sid"]: c for c in daemon.sandbox.state()["challenges"]}
    for sid in sids:
        assert theirs[sid]["status"] == STATUS_OF[ours[sid]["state"]]
        assert theirs[sid]["updates"] == (1 if ours[sid]["state"] in ("approved", "denied") else 0)
        assert audit_events(daemon, sid).count("outcome") == 1
    return collections.Counter(ours[sid]["state"] for sid in sids)


def check_events(events):
    """In order, and none twice."""
    sequences = [e["sequence"] for e in events]
    assert sequences == sorted(set(sequences))


def test_distinct(make_bombed):
    """A hundred different ones: few pop up, one alarm, and each still ends as its owner wants."""
    daemon, held = make_bombed("5/10min")
    with daemon.monitor() as monitor:
        sids = bomb(daemon, held, MANY, "Sign in {}?")
        last = call(daemon, "GetStatus")["status"]["sequence"]
        monitor.wait(lambda e: e["sequence"] >= last)
        events = monitor.events
    check_events(events)
    first = {}
    for event in events:
        if event["type"] == "challenge" and event["challenge"]["state"] == "asking":
            first.setdefault(event["challenge"]["sid"], event["challenge"])
    assert [first[sid]["quiet"] for sid in sids].count(False) == 5
    cooling = [e["factor"] for e in events if e["type"] == "factor" and e["factor"].get("cooling_until")]
    assert len(cooling) == 1
    for sid in sids:
        last_told = [e for e in events if e["type"] == "challenge" and e["challenge"]["sid"] == sid][-1]
        assert last_told["challenge"] == listed(daemon)[sid]
        assert last_told["challenge"]["quiet"] and last_told["challenge"]["confirm"] == "sid"
        assert last_told["challenge"].get("repeat_of") is None

    assert audit_events(daemon).count("alarm") == 1
    assert daemon.stderr.count("More than 5 challenges of factor push") == 1
    assert factor(daemon, "push")["cooling_until"]
    assert "cools down" in daemon.ctl("status").out and "cooling until" in daemon.ctl("show", "push").out
    for typed in ({}, {"confirm": ""}, {"confirm": sids[0][-4:].upper() + "0"}, {"confirm": sids[1][-4:] + "x"}):
        error = call_error(daemon, "Approve", **shown(challenge(daemon, sids[0])), **typed)
        assert (error.name, error.parameters["parameter"]) == ("InvalidParameter", "confirm")
    assert challenge(daemon, sids[0])["state"] == "asking"
    # The whole SID on a command line is typing its end.
    assert daemon.ctl("approve", sids[0]).out.startswith("approved")
    decide_all(daemon, sids)
    assert check_accounted_for(daemon, sids) == {state: MANY // 4 for state in STATUS_OF}
    assert daemon.stderr.count("More than 5 challenges") == 1


def test_identical(make_bombed):
    """A hundred times the same: one stands for all, the next oldest when it ends; each ends by itself."""
    daemon, held = make_bombed("100000/10min")
    sids = bomb(daemon, held, MANY)
    there = listed(daemon)
    leader = leader_of(there)
    assert (there[leader]["repeats"], there[leader]["quiet"]) == (MANY - 1, False)
    repeats = {sid: c for sid, c in there.items() if sid != leader}
    for repeat in repeats.values():
        assert (repeat["repeats"], repeat["quiet"], repeat["confirm"]) == (0, True, "none")

    with daemon.monitor() as monitor:
        approve(daemon, there[leader])
        monitor.wait_challenge(leader, "approved")
        check_events(monitor.events)
        told = {e["challenge"]["sid"]: e["challenge"] for e in monitor.events}
    del told[leader]
    assert set(told) == set(repeats)
    leader = leader_of(told)
    assert (told[leader]["repeats"], told[leader]["quiet"]) == (MANY - 2, False)
    assert all(told[sid]["quiet"] for sid in told if sid != leader)
    # A repeat may be decided, too: then its leader stands for one less.
    denied, expired = [sid for sid in told if sid != leader][:2]
    call(daemon, "Deny", **shown(there[denied]))
    assert challenge(daemon, leader)["repeats"] == MANY - 3
    call(daemon, "Ignore", sid=leader)
    daemon.sandbox.change_challenge(expired, status="expired")
    wait_for(lambda: challenge(daemon, expired)["state"] == "expired")
    rest = {sid: c for sid, c in listed(daemon).items() if c["state"] == "asking"}
    assert rest[leader_of(rest)]["repeats"] == MANY - 5
    decide_all(daemon, sids)
    assert check_accounted_for(daemon, sids).total() == MANY


def test_what_is_the_same(make_bombed):
    """Message and fields, all of them, of one factor."""
    daemon, held = make_bombed("100000/10min")
    other = enroll_push(daemon, "other", "carol-001")
    base = ask_push(daemon, held, fields=[("City", "Berlin")])
    for whose, message, fields in (
        (held, "Sign in!", [("City", "Berlin")]),
        (held, "Sign in?", [("City", "Bonn")]),
        (held, "Sign in?", [("City", "Berlin"), ("City", "Berlin")]),
        (held, "Sign in?", []),
        (other, "Sign in?", [("City", "Berlin")]),
    ):
        asked = ask_push(daemon, whose, message, fields=fields)
        assert asked.get("repeat_of") is None and not asked["quiet"]
    again = ask_push(daemon, held, fields=[("City", "Berlin")], hidden={"ip": "10.0.0.1"})
    assert again["repeat_of"] == base["sid"]


def test_cool_down_ends(make_bombed):
    """Once the span has passed without a new one; then all is as it was, and may begin again."""
    daemon, held = make_bombed("2/2s")
    for round_ in range(2):
        with daemon.monitor() as monitor:
            sids = bomb(daemon, held, 3, f"{round_} {{}}?")
            monitor.wait(lambda e: e["type"] == "factor" and e["factor"].get("cooling_until"))
            end = monitor.wait(lambda e: e["type"] == "factor" and not e["factor"].get("cooling_until"))
            check_events(monitor.events)
        assert end["factor"]["name"] == "push"
        ended = [e["challenge"] for e in monitor.events[-4:-1]]
        assert {c["sid"] for c in ended} == set(sids)
        assert not any(c["quiet"] for c in ended) and {c["confirm"] for c in ended} == {"none"}
        for sid in sids:
            assert approve(daemon, challenge(daemon, sid))["state"] == "approved"
    assert audit_events(daemon).count("alarm") == 2


@pytest.mark.parametrize("stop", ["terminate", "kill"])
def test_restart(make_bombed, stop):
    """It is still cooling down, says so to whoever resumes, and raises no second alarm."""
    daemon, held = make_bombed("3/10min")
    sids = bomb(daemon, held, 5)
    confirmed(daemon, sids[0])
    before, cooling = listed(daemon), factor(daemon, "push")
    cursor = call(daemon, "GetStatus")["status"]["sequence"]
    assert cooling["cooling_until"]
    getattr(daemon, stop)()
    daemon.start()
    after = listed(daemon)
    for sid in sids[1:]:
        assert after[sid] == before[sid] and after[sid]["confirm"] == "sid"
    asked = {sid: after[sid] for sid in sids[1:]}
    assert after[leader_of(asked)]["repeats"] == 3
    assert factor(daemon, "push")["cooling_until"] == cooling["cooling_until"]
    with daemon.monitor(since=cursor) as monitor:
        told = [monitor.next() for _ in range(5)]
    assert {e["challenge"]["sid"] for e in told[:4]} == set(sids[1:])
    assert told[4]["factor"]["cooling_until"] == cooling["cooling_until"]
    # One more prolongs it, and is no second alarm.
    sids += bomb(daemon, held, 1)
    assert factor(daemon, "push")["cooling_until"] >= cooling["cooling_until"]
    assert audit_events(daemon).count("alarm") == 1
    assert daemon.stderr.count("More than 3 challenges") == 1
    for sid in sids[1:]:
        confirmed(daemon, sid)
    assert {daemon.sandbox.challenge(sid)["status"] for sid in sids} == {"approved"}


def test_ended_ones_count_after_a_restart(make_bombed):
    """Those that are over count, too, so that one more after a restart is one too many."""
    daemon, held = make_bombed("3/10min")
    for sid in bomb(daemon, held, 3):
        approve(daemon, challenge(daemon, sid))
    daemon.restart()
    assert factor(daemon, "push").get("cooling_until") is None
    (last,) = bomb(daemon, held, 1)
    assert challenge(daemon, last)["confirm"] == "sid"
    assert audit_events(daemon).count("alarm") == 1
