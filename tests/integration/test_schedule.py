# SPDX-License-Identifier: Apache-2.0
"""When the provider is asked, and when it is left alone."""

import json
import re

import pytest

from harness import TIMEOUT, wait_for
from steps import (
    FOR_EVER,
    UNAUTHORIZED,
    applied,
    approve,
    ask_push,
    call,
    enroll_push,
    enroll_totp,
    factor,
    refusal,
    wait_factor,
    wait_state,
)

NOT_FOUND = refusal(404, 20404)
TOO_MANY = refusal(429, 20429)
SLOW = {"Poll": {"Interval": "100ms", "IdleInterval": "1h"}}


def lists(sandbox, since=0):
    found = sandbox.requests("GET", since=since)
    return [r for r in found if r["path"].split("?")[0].endswith("/Challenges")]


def examined(sandbox, held, since=0):
    found = sandbox.requests("GET", since=since)
    return [r for r in found if r["path"].endswith(f"/Factors/{held['sid']}")]


def poll(daemon):
    call(daemon, "Poll")


# Intervals.


def test_busy_then_idle(make_daemon, sandbox):
    """Interval while something is pending or has just happened, IdleInterval after a start."""
    daemon = make_daemon(sandbox, SLOW)
    held = enroll_push(daemon)
    # Just enrolled: a challenge may well come now.
    asked = ask_push(daemon, held)
    assert approve(daemon, asked)["state"] == "approved"
    since = sandbox.last_seq()
    wait_for(lambda: len(lists(sandbox, since)) >= 5, what="polls after something happened")

    daemon.restart()
    since = sandbox.last_seq()
    enroll_push(daemon, "other")  # round trips enough for the restarted factor's own poll
    wait_for(
        lambda: len([r for r in lists(sandbox, since) if held["sid"] not in r["path"]]) >= 10,
        what="polls of the new factor",
    )
    assert len([r for r in lists(sandbox, since) if held["sid"] in r["path"]]) <= 1


def test_created_here_is_found_at_once(make_daemon, sandbox):
    daemon = make_daemon(sandbox, SLOW)
    held = enroll_push(daemon)
    daemon.restart()
    wait_for(lambda: factor(daemon, "push")["last_poll"], what="the first poll")
    made = daemon.ctl_json(
        *("challenge", "create", "--factor", "push", "--account", "main"),
        *("--service", sandbox.service_sid, "--identity", held["identity"]),
        *("--message", "Now?"),
        check=None,
    )
    wait_state(daemon, made["challenge"]["sid"], "asking")


def test_poll_asks_at_once(make_daemon, sandbox):
    daemon = make_daemon(sandbox, SLOW)
    held = enroll_push(daemon)
    daemon.restart()
    wait_for(lambda: factor(daemon, "push")["last_poll"], what="the first poll")
    made = sandbox.create_push_challenge(held["identity"], held["sid"], "Sign in?")
    poll(daemon)
    wait_state(daemon, made["sid"], "asking")


def test_status_shows_the_stretched_interval(make_daemon, sandbox):
    daemon = make_daemon(
        sandbox,
        {"Api": {"RequestsPerSecond": "2"}, "Poll": {"Interval": "1s", "IdleInterval": "1s"}},
    )
    for i in range(5):
        enroll_push(daemon, f"p{i}")
    status = call(daemon, "GetStatus")["status"]
    assert status["idle_interval_ms"] == 1000
    assert status["effective_idle_interval_ms"] == 2500
    (polling,) = status["polling"]
    assert polling["account_sid"] == sandbox.account_sid and polling["targets"] == 5
    assert polling["effective_idle_interval_ms"] == 2500
    for i in range(5):
        call(daemon, "Remove", name=f"p{i}")
    assert call(daemon, "GetStatus")["status"]["polling"] == []


# Back-off.


def test_poll_does_not_override_retry_after(daemon, sandbox):
    held = enroll_push(daemon)
    sandbox.fault("GET .*/Challenges", headers={"Retry-After": "3600"}, **TOO_MANY)
    wait_for(
        lambda: call(daemon, "GetStatus")["status"]["polling"][0]["backoff_until"],
        what="back-off in status",
    )
    since = sandbox.last_seq()
    poll(daemon)
    # What a person waits for goes on meanwhile: it would show a poll that came before it.
    made = sandbox.create_push_challenge(held["identity"], held["sid"], "Sign in?")
    daemon.ctl("challenge", "fetch", made["sid"], "--factor", "push", check=None)
    wait_for(
        lambda: [r for r in sandbox.requests("GET", since=since) if r["path"].endswith(made["sid"])],
        what="the fetch",
    )
    assert lists(sandbox, since) == []


def test_poll_forgets_our_own_pause(make_daemon, sandbox):
    """After an outage the pauses have grown; who asks needs not wait for them."""
    daemon = make_daemon(sandbox)
    held = enroll_push(daemon)
    sandbox.fault("GET .*/Challenges", status=503, body="", times=FOR_EVER)
    daemon.wait_log("keep failing")
    sandbox.clear_faults()
    poll(daemon)
    asked = ask_push(daemon, held)
    assert approve(daemon, asked)["state"] == "approved"
    daemon.wait_log("work again")
    assert len(re.findall("keep failing", daemon.stderr)) == 1
    assert call(daemon, "GetStatus")["status"]["polling"][0]["error"] is None


def test_one_poll_at_a_time_while_it_fails(make_daemon, sandbox):
    """Fifty factors do not storm a provider that has a fault."""
    daemon = make_daemon(sandbox)
    for i in range(50):
        enroll_push(daemon, f"p{i}", identity=f"user-{i:03}")
    sandbox.fault("GET .*/Challenges", status=500, body="", times=FOR_EVER)
    daemon.wait_log("keep failing")
    since = sandbox.last_seq()
    wait_for(lambda: len(lists(sandbox, since)) >= 2, what="two more tries")
    # Between the two the pause was a second or more: fifty factors at 200 ms would make 250.
    assert len(lists(sandbox, since)) <= 4
    # All say why they are not polled.
    wait_for(
        lambda: all(f["error"] for f in call(daemon, "ListFactors")["factors"]),
        what="the reason in the list",
    )
    said = [line for line in daemon.stderr.splitlines() if "factord: audit " not in line]
    assert len(said) <= 60
    sandbox.clear_faults()
    poll(daemon)
    wait_for(
        lambda: not any(f["error"] for f in call(daemon, "ListFactors")["factors"]),
        what="all to work again",
    )


@pytest.mark.parametrize("fault", [{"status": 503, "body": "{}"}, {"delay_ms": 60_000}])
def test_bad_ones_among_good(make_daemon, sandbox, fault):
    """Ten factors whose lists fail, or hang, do not stand for the provider: another is polled on."""
    daemon = make_daemon(
        sandbox,
        {"Api": {"RequestTimeout": "2s"}, "Poll": {"Interval": "300ms", "IdleInterval": "300ms"}},
    )
    for i in range(10):
        enroll_push(daemon, f"bad-{i}", f"bobby-{i:03}")
    sandbox.fault("GET .*/bobby-[0-9]+/Challenges", times=FOR_EVER, **fault)
    held = enroll_push(daemon)
    wait_for(
        lambda: all(factor(daemon, f"bad-{i}")["error"] for i in range(10)),
        3 * TIMEOUT,
        what="all bad ones to have failed",
    )
    since = sandbox.last_seq()
    for _ in range(5):
        asked = ask_push(daemon, held)
        assert approve(daemon, asked)["state"] == "approved"
    good = [r for r in lists(sandbox, since) if held["sid"] in r["query"]]
    assert len(good) >= 5
    assert len(re.findall("keep failing", daemon.stderr)) <= 1


def test_vanished_flood(make_daemon, sandbox):
    """Challenges that a list no longer names are asked about a few at a time: others' turn comes soon."""
    rate, n = 10, 60
    daemon = make_daemon(sandbox, {"Api": {"RequestsPerSecond": str(rate)}})
    flooded, other = enroll_push(daemon, "flooded"), enroll_push(daemon, "other", "bobby-001")
    for _ in range(n):
        last = sandbox.create_push_challenge(flooded["identity"], flooded["sid"], "Sign in?")
    wait_state(daemon, last["sid"], "asking")
    none = json.dumps({"challenges": [], "meta": {"next_page_url": None, "key": "challenges"}})
    listed = f"GET .*/{flooded['identity']}/Challenges"
    sandbox.fault(listed, status=200, body=none, times=FOR_EVER)
    since = sandbox.last_seq()
    sandbox.wait_requests("GET", "/Challenges/YC", since=since)
    asked = ask_push(daemon, other)
    fetched = [r for r in sandbox.requests("GET", since=since) if "/Challenges/YC" in r["path"]]
    assert len(fetched) < n
    assert approve(daemon, asked)["state"] == "approved"


def test_rounds_of_two_targets(daemon, sandbox):
    """An account's list names the push challenges of its identity, too: that says nothing of the device's
    own rounds, and one that was answered elsewhere is noticed in the next of them."""
    enroll_totp(daemon, "codes", "alice-001")
    wait_for(lambda: len(lists(sandbox)) > 30, what="the first target to be ahead")
    held = enroll_push(daemon, "push", "alice-001")
    for _ in range(3):
        asked = ask_push(daemon, held)
        since = sandbox.last_seq()
        sandbox.change_challenge(asked["sid"], status="approved")
        wait_state(daemon, asked["sid"], "superseded")
        assert len([r for r in lists(sandbox, since) if held["sid"] in r["query"]]) <= 6


def test_second_of_a_shared_list(make_daemon, sandbox):
    """A TOTP factor that joins others is polled at once, as the first one was."""
    daemon = make_daemon(sandbox, SLOW)
    enroll_totp(daemon, "one", "alice-001")
    daemon.restart()
    wait_for(lambda: factor(daemon, "one")["last_poll"], what="the first poll")
    second = enroll_totp(daemon, "two", "alice-001")
    made = sandbox.create_totp_challenge("alice-001", second["sid"])
    wait_state(daemon, made["sid"], "asking")


# What the provider refuses.


def test_refused_account_is_polled_rarely(daemon, sandbox):
    held = enroll_totp(daemon)
    sandbox.fault("GET .*/Challenges", times=FOR_EVER, **UNAUTHORIZED)
    wait_for(lambda: factor(daemon, "totp")["error"], what="the refusal")
    since = sandbox.last_seq()
    # Another factor's polls tell how time goes by.
    sandbox.clear_faults()
    enroll_push(daemon, "clock", identity="clock-001")
    wait_for(lambda: len(lists(sandbox, since)) >= 10, what="ten polls of the other factor")
    assert not [r for r in lists(sandbox, since) if held["identity"] in r["path"]]
    assert factor(daemon, "totp")["status"] == "verified"
    poll(daemon)
    wait_for(lambda: not factor(daemon, "totp")["error"], what="polls to work again")
    assert len(re.findall("refuses the credentials", daemon.stderr)) == 1


@pytest.mark.valgrind
def test_revoked_factor_comes_back(daemon, sandbox):
    """A provider that refused a key by mistake takes it again: nobody has to enrol anew."""
    held = enroll_push(daemon)
    sandbox.fault("GET .*/Challenges", times=2, **UNAUTHORIZED)
    wait_factor(daemon, "push", "revoked")
    since = sandbox.last_seq()
    poll(daemon)
    wait_factor(daemon, "push", "verified")
    assert len(examined(sandbox, held, since)) == 1
    asked = ask_push(daemon, held)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1
    assert len(re.findall("refuses factor push", daemon.stderr)) == 1
    assert len(re.findall("takes factor push again", daemon.stderr)) == 1
    daemon.restart()
    assert factor(daemon, "push")["status"] == "verified"


def test_revoked_factor_is_left_alone(daemon, sandbox):
    held = enroll_push(daemon)
    sandbox.api_ok("DELETE", sandbox.entity(held["identity"], f"/Factors/{held['sid']}"))
    wait_factor(daemon, "push", "revoked")
    since = sandbox.last_seq()
    enroll_push(daemon, "clock")
    wait_for(lambda: len(lists(sandbox, since)) >= 10, what="ten polls of the other factor")
    about = [r for r in sandbox.requests(since=since) if held["sid"] in r["path"]]
    assert about == []
    poll(daemon)
    wait_for(lambda: examined(sandbox, held, since), what="the question whether it is back")
    assert factor(daemon, "push")["status"] == "revoked"


def test_refused_list_is_looked_into(daemon, sandbox):
    """A 404 to a list proves nothing of the factor: that is fetched itself, and is still there."""
    held = enroll_push(daemon)
    since = sandbox.last_seq()
    sandbox.fault("GET .*/Challenges", **NOT_FOUND)
    wait_for(lambda: examined(sandbox, held, since), what="the factor's own fetch")
    wait_for(lambda: not factor(daemon, "push")["error"], what="polls to work again")
    assert factor(daemon, "push")["status"] == "verified"


@pytest.mark.parametrize("kind", [enroll_push, enroll_totp], ids=["push", "totp"])
def test_factor_that_is_gone(daemon, sandbox, kind):
    """A 404 to the list, and one to the factor: revoked."""
    held = kind(daemon, "held")
    sandbox.fault(f"GET .*/Factors/{held['sid']}", **NOT_FOUND)
    sandbox.fault("GET .*/Challenges", **NOT_FOUND)
    assert wait_factor(daemon, "held", "revoked")["error"]
    # It is there all the same, and taken again when that is found out.
    poll(daemon)
    wait_factor(daemon, "held", "verified")
