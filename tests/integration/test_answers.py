# SPDX-License-Identifier: Apache-2.0
"""Answers: what a decision sends, how it ends, and what must not be answered."""

import json
import re
import time

import pytest

from harness import check_request, jws_bytes, oath_code, verify_device_jwt, verify_jws
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
    factor,
    fault_update,
    fetches,
    next_step,
    raw_fetch,
    raw_members,
    shift_clock,
    shown,
    wait_reason,
    wait_state,
)

PERIOD = 20
SLOW_POLL = {"Poll": {"Interval": "1h", "IdleInterval": "1h"}}

# Text that a careless program would write differently from how it was received.
ODD_MESSAGE = 'Überweise 1.000,00 € an "Bob" <b&b>? \\ / \u2028 😀'
ODD_FIELDS = [("Ort", "Straße/№ 7"), ("Quote", '"\\n"')]
ODD_HIDDEN = {"ip": "10.0.0.1", "ua": "a/b \"c\" é", "empty": ""}


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


@pytest.fixture
def totp(daemon):
    """Its next code is free to send."""
    held = enroll_totp(daemon, period=PERIOD)
    next_step(daemon, PERIOD)
    return held


def poll_until_asked(daemon, made):
    """For a daemon that does not poll by itself."""
    call(daemon, "Poll")
    return wait_state(daemon, made["sid"], "asking")


def server_now(sandbox):
    return time.time() + sandbox.state()["clock"]["offset"]


def codes_near(sandbox, held):
    """By oathtool: of now, of the step before, as the turn may have just passed, and of two seconds
    ahead, as a server's Date tells its clock to about a second."""
    secret, now = sandbox.factor(held["sid"])["secret"], server_now(sandbox)
    return [oath_code(secret, when=now + off, period=PERIOD) for off in (-PERIOD, 0, 2)]


# Push.


@pytest.mark.valgrind
@pytest.mark.parametrize("verb, status", [(approve, "approved"), (deny, "denied")])
def test_push(daemon, sandbox, push, verb, status):
    asked = ask_push(daemon, push, "Sign in?", fields=[("City", "Berlin")])
    assert asked["message"] == "Sign in?"
    assert asked["fields"] == [{"label": "City", "value": "Berlin"}]
    done = verb(daemon, asked)
    assert done["state"] == status
    there = sandbox.challenge(done["sid"])
    assert (there["status"], there["updates"]) == (status, 1)


@pytest.mark.parametrize("verb, status", [(approve, "approved"), (deny, "denied")])
def test_what_was_received_is_signed(daemon, sandbox, push, verb, status):
    """Exactly the fields that the header names, byte for byte, and the status."""
    asked = ask_push(daemon, push, ODD_MESSAGE, fields=ODD_FIELDS, hidden=ODD_HIDDEN)
    headers, text = raw_fetch(sandbox, push, asked["sid"])
    assert asked["message"] == ODD_MESSAGE
    verb(daemon, asked)
    (token,) = sandbox.answers(asked["sid"])
    header, payload = verify_jws(sandbox.factor(push["sid"])["public_key"], token)
    assert header == {"typ": "JWT", "alg": "ES256"}
    names = headers["twilio-verify-signature-fields"].split(",")
    received = raw_members(text)
    expected = {name: received[name] for name in names} | {"status": json.dumps(status)}
    assert raw_members(jws_bytes(token)[1].decode()) == expected
    assert payload["details"]["message"] == ODD_MESSAGE
    assert payload["hidden_details"] == ODD_HIDDEN


def test_fields_of_the_header_alone_are_signed(daemon, sandbox, push):
    """Another list of names, another payload: nothing is signed that was not asked for."""
    asked = ask_push(daemon, push)
    names = {"Twilio-Verify-Signature-Fields": "sid, factor_sid ,date_created"}
    sandbox.fault(f"GET .*/Challenges/{asked['sid']}", headers=names)
    # The server wants more than that, and says so.
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "ApiError" and error.parameters["code"] == 60324
    (token,) = sandbox.answers(asked["sid"])
    payload = json.loads(jws_bytes(token)[1])
    assert payload.keys() == {"sid", "factor_sid", "date_created", "status"}
    assert applied(sandbox, asked["sid"]) == 0
    assert challenge(daemon, asked["sid"])["state"] == "failed"


@pytest.mark.parametrize("verb", [approve, deny])
def test_two_round_trips(daemon, sandbox, push, verb):
    """One fetch, one update, and each of them to the letter."""
    asked = ask_push(daemon, push)
    since = sandbox.last_seq()
    verb(daemon, asked)
    about = [r for r in sandbox.requests(since=since) if asked["sid"] in r["path"]]
    assert [r["method"] for r in about] == ["GET", "POST"]
    fetch, update = about
    assert fetch["path"] == update["path"]
    assert not fetch["query"] and not update["query"]
    assert not fetch["content_type"] and not fetch["params"]
    assert update["content_type"] == "application/x-www-form-urlencoded"
    assert [name for name, _ in update["params"]] == ["AuthPayload", "Metadata"]
    # The poll that follows has nothing to ask.
    seen = sandbox.last_seq()
    sandbox.wait_requests("GET", "/Challenges", n=2, since=seen)
    assert not [r for r in sandbox.requests(since=seen) if asked["sid"] in r["path"]]


def test_metadata_names_the_decision(make_daemon, sandbox):
    daemon = make_daemon(sandbox, {"Device": {"Metadata": "kernel", "Custom.site": "Köln"}})
    held = enroll_push(daemon)
    decisions = set()
    for verb in (approve, deny):
        done = verb(daemon, ask_push(daemon, held))
        metadata = sandbox.challenge(done["sid"])["metadata"]
        (update,) = sandbox.updates(done["sid"])
        assert json.loads(dict(update["params"])["Metadata"]) == metadata
        assert metadata.keys() == {"decision", "kernel", "site"}
        assert metadata["site"] == "Köln"
        assert re.fullmatch(r"[0-9a-f-]{32,36}", metadata["decision"])
        decisions.add(metadata["decision"])
    assert len(decisions) == 2


def test_every_request(daemon, sandbox, push):
    """Headers, credentials and signatures of all that was sent, checked by other libraries."""
    approve(daemon, ask_push(daemon, push))
    deny(daemon, ask_push(daemon, push))
    key, device = sandbox.factor(push["sid"])["public_key"], 0
    for request in sandbox.requests():
        check_request(request)
        assert request["auth_refused"] is None
        if request["auth"] == "device":
            claims = verify_device_jwt(key, request["authorization"])
            assert claims["sub"] == sandbox.account_sid
            assert claims["nbf"] <= time.time() <= claims["exp"]
            device += 1
    assert device >= 5


def test_short_of_a_decision_nothing_is_sent(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    seen = sandbox.last_seq()
    sandbox.wait_requests("GET", "/Challenges", n=3, since=seen)
    assert sandbox.updates(asked["sid"]) == [] and fetches(sandbox, asked["sid"]) == []
    assert challenge(daemon, asked["sid"])["state"] == "asking"


# TOTP.


def test_totp(daemon, sandbox, totp):
    done = approve(daemon, ask_totp(daemon, totp))
    assert done["state"] == "approved"
    there = sandbox.challenge(done["sid"])
    assert (there["status"], there["updates"], there["attempts"]) == ("approved", 1, 0)
    (code,) = sandbox.answers(done["sid"])
    assert code in codes_near(sandbox, totp)
    (update,) = sandbox.updates(done["sid"])
    check_request(update)
    assert update["auth"] == "account"
    assert [name for name, _ in update["params"]] == ["AuthPayload", "Metadata"]
    assert there["metadata"]["decision"]


def test_totp_cannot_be_denied(daemon, sandbox, totp):
    asked = ask_totp(daemon, totp)
    error = call_error(daemon, "Deny", **shown(asked))
    assert error.name == "InvalidParameter" and "ignore" in error.parameters["message"]
    assert daemon.ctl("deny", asked["sid"], check=2).err
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert sandbox.updates(asked["sid"]) == []
    assert approve(daemon, asked)["state"] == "approved"


def test_a_code_is_sent_once(daemon, sandbox, totp):
    """Two answers at once: the second waits for the next step and tells why."""
    next_step(daemon, PERIOD, left=3)
    first, second = ask_totp(daemon, totp), ask_totp(daemon, totp)
    with Asked(daemon, "Approve", **shown(first)) as one:
        assert one.answer()["challenge"]["state"] == "approved"
    with Asked(daemon, "Approve", **shown(second)) as two:
        wait_reason(daemon, second["sid"], "was used; waiting for the next")
        assert sandbox.updates(second["sid"]) == []
        assert two.answer()["challenge"]["state"] == "approved"
    codes = sandbox.answers(first["sid"]) + sandbox.answers(second["sid"])
    enrolled = [p["auth_payload"] for p in sandbox.factor(totp["sid"])["auth_payloads"]]
    assert len(codes) == 2 and len(enrolled) == 1
    assert len(set(codes + enrolled)) == 3
    assert codes[1] in codes_near(sandbox, totp)


def test_a_lost_code_is_not_sent_again(daemon, sandbox, totp):
    """Cut before it was handled, but it may have been read: the next step's code goes out."""
    next_step(daemon, PERIOD, left=3)
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], cut="before")
    assert approve(daemon, asked)["state"] == "approved"
    codes = sandbox.answers(asked["sid"])
    assert len(codes) == 2 and codes[0] != codes[1]
    assert applied(sandbox, asked["sid"]) == 1


def test_wrong_code_waits_for_the_next(daemon, sandbox, totp):
    """A code that the server takes for wrong costs a try, not the challenge."""
    next_step(daemon, PERIOD, left=3)
    asked = ask_totp(daemon, totp)
    _, text = raw_fetch(sandbox, totp, asked["sid"])
    # 200 and still pending is what a wrong code gets; the server does not see the right one.
    fault_update(sandbox, asked["sid"], status=200, body=text)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(daemon, asked["sid"], "refused the code")
        assert challenge(daemon, asked["sid"])["state"] == "answering"
        assert waiting.answer()["challenge"]["state"] == "approved"
    assert len(set(sandbox.answers(asked["sid"]))) == 2


# No answer.


def test_ignore(daemon, sandbox, push):
    """Nothing is sent: it expires at the provider, and is no denial."""
    asked = ask_push(daemon, push)
    done = call(daemon, "Ignore", sid=asked["sid"])["challenge"]
    assert done["state"] == "ignored"
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "AlreadyAnswered" and error.parameters["state"] == "ignored"
    shift_clock(daemon, 600)
    assert sandbox.challenge(asked["sid"])["status"] == "expired"
    assert sandbox.updates(asked["sid"]) == []
    assert challenge(daemon, asked["sid"])["state"] == "ignored"


def test_default_ignore(make_daemon, sandbox):
    """What no one decides is not approved, and not asked where the configuration says so."""
    daemon = make_daemon(sandbox, {"Daemon": {"Default": "ignore"}})
    held = enroll_push(daemon)
    made = sandbox.create_push_challenge(held["identity"], held["sid"])
    wait_state(daemon, made["sid"], "ignored")
    assert sandbox.updates(made["sid"]) == []


def test_expired(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    shift_clock(daemon, 600)
    wait_state(daemon, asked["sid"], "expired")
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "Expired" and error.parameters["sid"] == asked["sid"]
    assert sandbox.updates(asked["sid"]) == []
    assert "expired" in daemon.ctl("approve", asked["sid"], check=6).err


def test_expired_by_the_daemon_alone(make_daemon, sandbox):
    """Its own timer ends it, without any poll."""
    daemon = make_daemon(sandbox, SLOW_POLL)
    held = enroll_push(daemon)
    made = sandbox.create_push_challenge(held["identity"], held["sid"], expires_in=3)
    asked = poll_until_asked(daemon, made)
    wait_state(daemon, asked["sid"], "expired")
    assert call_error(daemon, "Approve", **shown(asked)).name == "Expired"


def test_answered_elsewhere(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    sandbox.change_challenge(asked["sid"], status="approved")
    wait_state(daemon, asked["sid"], "superseded")
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "AlreadyAnswered" and error.parameters["state"] == "superseded"
    assert sandbox.updates(asked["sid"]) == []


@pytest.mark.parametrize("status", ["approved", "denied"])
def test_answered_elsewhere_in_the_last_moment(make_daemon, sandbox, status):
    """The fetch before the answer finds it, whichever way it went: that was not us."""
    daemon = make_daemon(sandbox, SLOW_POLL)
    held = enroll_push(daemon)
    made = sandbox.create_push_challenge(held["identity"], held["sid"])
    asked = poll_until_asked(daemon, made)
    sandbox.change_challenge(asked["sid"], status=status, metadata={"decision": "another's"})
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "AlreadyAnswered" and error.parameters["state"] == "superseded"
    assert sandbox.updates(asked["sid"]) == []
    assert challenge(daemon, asked["sid"])["state"] == "superseded"


def test_answered_once(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    approve(daemon, asked)
    since = sandbox.last_seq()
    for method in ("Approve", "Deny"):
        error = call_error(daemon, method, **shown(asked))
        assert error.name == "AlreadyAnswered" and error.parameters["state"] == "approved"
    assert call_error(daemon, "Ignore", sid=asked["sid"]).name == "AlreadyAnswered"
    assert daemon.ctl("approve", asked["sid"], check=6).err
    assert daemon.ctl("deny", asked["sid"], check=6).err
    about = [r for r in sandbox.requests(since=since) if asked["sid"] in r["path"]]
    assert about == []
    assert sandbox.challenge(asked["sid"])["status"] == "approved"


def test_the_first_decision_wins(daemon, sandbox, push):
    """Also while its answer is under way."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], delay_ms=300)
    with Asked(daemon, "Deny", **shown(asked)) as first:
        wait_state(daemon, asked["sid"], "submitted")
        error = call_error(daemon, "Approve", **shown(asked))
        assert error.name == "AlreadyAnswered" and error.parameters["state"] == "submitted"
        assert first.answer()["challenge"]["state"] == "denied"
    assert len(sandbox.updates(asked["sid"])) == 1


# What was not seen.


def test_wrong_digest(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    since = sandbox.last_seq()
    for digest in ("0" * 64, asked["digest"].upper(), ""):
        error = call_error(daemon, "Approve", sid=asked["sid"], digest=digest)
        assert error.name == "Stale" and error.parameters["sid"] == asked["sid"]
    assert not [r for r in sandbox.requests(since=since) if asked["sid"] in r["path"]]
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert approve(daemon, asked)["state"] == "approved"


@pytest.mark.parametrize(
    "change",
    [
        {"details": {"message": "Transfer everything?", "fields": [], "date": None}},
        {"hidden_details": {"ip": "198.51.100.1"}},
    ],
    ids=["details", "hidden details"],
)
def test_changed_after_it_was_shown(make_daemon, sandbox, change):
    """The decision was about another question: voided, asked anew, and then answered."""
    daemon = make_daemon(sandbox, SLOW_POLL)
    held = enroll_push(daemon)
    made = sandbox.create_push_challenge(held["identity"], held["sid"], hidden={"ip": "192.0.2.1"})
    asked = poll_until_asked(daemon, made)
    sandbox.change_challenge(asked["sid"], **change)
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "Stale" and error.parameters["sid"] == asked["sid"]
    assert sandbox.updates(asked["sid"]) == []

    again = wait_state(daemon, asked["sid"], "asking")
    assert again["digest"] != asked["digest"]
    if "details" in change:
        assert again["message"] == "Transfer everything?"
    # The old digest stays worthless, also after a restart.
    daemon.restart()
    assert call_error(daemon, "Approve", **shown(asked)).name == "Stale"
    assert deny(daemon, again)["state"] == "denied"
    assert applied(sandbox, asked["sid"]) == 1


def test_unknown_challenge(daemon, sandbox, push):
    sid = "YC" + "0" * 32
    assert call_error(daemon, "Approve", sid=sid, digest="0" * 64).name == "NoSuchChallenge"
    assert daemon.ctl("approve", sid, check=3).err


def test_whole_sid(daemon, push):
    """A decision names the whole SID; a look may shorten it."""
    asked = ask_push(daemon, push)
    short = asked["sid"][:20]
    assert challenge(daemon, short)["sid"] == asked["sid"]
    error = call_error(daemon, "Approve", sid=short, digest=asked["digest"])
    assert error.name == "InvalidParameter" and error.parameters["parameter"] == "sid"


def test_client_that_leaves(daemon, sandbox, push):
    """takes nothing down: the decision is made, and goes on."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], delay_ms=300)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_state(daemon, asked["sid"], "submitted")
    wait_state(daemon, asked["sid"], "approved")
    assert applied(sandbox, asked["sid"]) == 1
    assert factor(daemon, "push")["status"] == "verified"
