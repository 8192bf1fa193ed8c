# SPDX-License-Identifier: Apache-2.0
"""No blank cheque: replies that must not lead to a signature, and what is said about them."""

import json
import re

import pytest

from steps import (
    Asked,
    applied,
    approve,
    ask_push,
    call,
    call_error,
    challenge,
    enroll_push,
    factor,
    fault_fetch,
    raw_fetch,
    raw_members,
    shown,
    wait_reason,
    wait_state,
)

HEADER = "Twilio-Verify-Signature-Fields"
USUAL = "account_sid,service_sid,identity,factor_sid,sid,date_created,expiration_date,details"
OTHER = {
    "sid": "YC" + "1" * 32,
    "factor_sid": "YF" + "2" * 32,
    "service_sid": "VA" + "3" * 32,
    "identity": "somebody-else",
}


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


def with_member(text, name, value):
    """The same object with another value (JSON text) for one member."""
    members = raw_members(text) | {name: value}
    return "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in members.items()) + "}"


# The header.


@pytest.mark.parametrize(
    "names, reason",
    [
        (None, "does not say which fields"),
        ("", "does not say which fields"),
        (" ", "does not say which fields|malformed"),
        ("account_sid,details", "does not name the SID"),
        ("SID,details", "does not name the SID|is missing"),
        (USUAL + ",password", "is missing"),
        ("sid,Details", "is missing"),
        ("sid,details.message", "is missing|malformed"),
        ("sid,details,sid", "malformed"),
        ("sid,,details", "malformed"),
        ("sid;details", "does not name the SID|malformed"),
        ('sid,"details"', "malformed"),
        ("sid,\u00e9", "malformed"),
        (",", "malformed"),
    ],
    ids=repr,
)
def test_header(daemon, sandbox, push, names, reason):
    """Nothing is signed, and it is not tried again."""
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], headers={HEADER: names}, times=100)
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "ApiError"
    ended = challenge(daemon, asked["sid"])
    assert ended["state"] == "failed"
    assert re.search(reason, ended["reason"])
    assert ended["reason"] in error.parameters["message"]
    assert sandbox.updates(asked["sid"]) == []
    assert sandbox.challenge(asked["sid"])["status"] == "pending"


def test_no_denial_either(daemon, sandbox, push):
    """And it stays so, also for the next start."""
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], headers={HEADER: None})
    assert call_error(daemon, "Deny", **shown(asked)).name == "ApiError"
    daemon.restart()
    assert challenge(daemon, asked["sid"])["state"] == "failed"
    assert call_error(daemon, "Deny", **shown(asked)).name == "AlreadyAnswered"
    assert sandbox.updates(asked["sid"]) == []


def test_field_absent_from_the_body(daemon, sandbox, push):
    """Known elsewhere, but not there in this reply."""
    asked = ask_push(daemon, push)
    members = raw_members(raw_fetch(sandbox, push, asked["sid"])[1])
    del members["responded_reason"]
    body = "{" + ",".join(f'"{k}":{v}' for k, v in members.items()) + "}"
    headers = {HEADER: USUAL + ",responded_reason"}
    fault_fetch(sandbox, asked["sid"], headers=headers, body=body, times=100)
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "ApiError" and "is missing" in error.parameters["message"]
    assert sandbox.updates(asked["sid"]) == []


# The body.

MALFORMED = {
    "duplicate key": lambda text: text.replace("{", '{"status":"pending",', 1),
    "duplicate key, escaped": lambda text: text.replace("{", '{"st\\u0061tus":"pending",', 1),
    "duplicate key, inside": lambda text: text.replace('"message"', '"message":"Hi","message"', 1),
    "NaN": lambda text: with_member(text, "extra", "NaN"),
    "Infinity": lambda text: with_member(text, "extra", "-Infinity"),
    "lone surrogate": lambda text: with_member(text, "extra", '"\\ud800"'),
    "lone low surrogate": lambda text: with_member(text, "extra", '"\\udc00 "'),
    "U+0000": lambda text: with_member(text, "extra", '"a\\u0000b"'),
    "U+0000 in a key": lambda text: text.replace("{", '{"a\\u0000":1,', 1),
    "truncated": lambda text: text[: len(text) // 2],
    "truncated by a byte": lambda text: text.rstrip()[:-1],
    "empty": lambda text: " ",
    "trailing text": lambda text: text + "{}",
    "comment": lambda text: text.replace("{", "{/* */", 1),
    "single quotes": lambda text: text.replace('"sid"', "'sid'", 1),
    "array": lambda text: f"[{text}]",
    "HTML": lambda text: "<html>a proxy's page</html>",
    "no SID": lambda text: with_member(text, "sid", "null"),
    "SID with a slash": lambda text: with_member(text, "sid", '"YC/../../x"'),
    "no date": lambda text: with_member(text, "expiration_date", '"tomorrow"'),
    "details are no object": lambda text: with_member(text, "details", '"text"'),
    "deep": lambda text: with_member(text, "extra", "[" * 100 + "]" * 100),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_body(daemon, sandbox, push, name):
    """Nothing is signed, the reason is told, the decision stays and is carried out later."""
    asked = ask_push(daemon, push, "Sign in?", fields=[("City", "Berlin")])
    _, text = raw_fetch(sandbox, push, asked["sid"])
    body = MALFORMED[name](text)
    assert body != text
    fault_fetch(sandbox, asked["sid"], body=body, times=1000)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        said = wait_reason(daemon, asked["sid"], "nothing was signed")
        assert said["state"] == "answering"
        assert said["reason"] != "the provider's reply cannot be used, nothing was signed"
        # Retried, never signed.
        since = sandbox.last_seq()
        sandbox.wait_requests("GET", asked["sid"], since=since)
        assert sandbox.updates(asked["sid"]) == []
        assert challenge(daemon, asked["sid"])["state"] == "answering"
        sandbox.clear_faults()
        assert waiting.answer()["challenge"]["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1


@pytest.mark.parametrize("member", OTHER)
def test_body_names_another(daemon, sandbox, push, member):
    """What comes back is not what was asked for: the end, unsigned."""
    asked = ask_push(daemon, push)
    _, text = raw_fetch(sandbox, push, asked["sid"])
    body = with_member(text, member, json.dumps(OTHER[member]))
    fault_fetch(sandbox, asked["sid"], body=body, times=100)
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "ApiError" and "nothing was signed" in error.parameters["message"]
    assert challenge(daemon, asked["sid"])["state"] == "failed"
    assert sandbox.updates(asked["sid"]) == []
    assert factor(daemon, "push")["status"] == "verified"


# The list.


def list_body(sandbox, held, *items):
    """A page of a list that holds these items (JSON texts)."""
    path = sandbox.entity(held["identity"], "/Challenges")
    page = sandbox.api_ok("GET", path, {"Status": "pending"})
    meta = json.dumps(page["meta"] | {"next_page_url": None})
    return '{"challenges":[' + ",".join(items) + f'],"meta":{meta}}}'


def fault_list(sandbox, body, times):
    sandbox.fault("GET .*/Challenges", body=body, times=times)


def wait_polls(sandbox, n):
    since = sandbox.last_seq()
    sandbox.wait_requests("GET", "/Challenges", n=n, since=since)


@pytest.mark.parametrize("member", ["factor_sid", "service_sid", "identity"])
def test_list_names_another(daemon, sandbox, push, member):
    """A challenge that is not this factor's is left alone, its neighbour is asked about."""
    asked = ask_push(daemon, push)
    _, text = raw_fetch(sandbox, push, asked["sid"])
    strange = with_member(text, member, json.dumps(OTHER[member]))
    strange = with_member(strange, "sid", json.dumps(OTHER["sid"]))
    fault_list(sandbox, list_body(sandbox, push, strange, text), 3)
    wait_polls(sandbox, 4)
    assert challenge(daemon, OTHER["sid"]) is None
    assert sandbox.requests(contains=OTHER["sid"]) == []
    assert approve(daemon, asked)["state"] == "approved"


def test_list_of_another_factor(daemon, sandbox, push):
    """Another device of the same person: its challenges are its own."""
    other = enroll_push(daemon, "other")
    call(daemon, "Remove", name="other", local=True)
    made = sandbox.create_push_challenge(other["identity"], other["sid"])
    _, text = raw_fetch(sandbox, other, made["sid"])
    fault_list(sandbox, list_body(sandbox, push, text), 3)
    wait_polls(sandbox, 4)
    assert challenge(daemon, made["sid"]) is None
    assert sandbox.updates(made["sid"]) == []


@pytest.mark.parametrize("name", ["details are no object", "no date", "SID with a slash"])
def test_malformed_item(daemon, sandbox, push, name):
    """It costs only itself; the list proves nothing of what it lacks."""
    asked = ask_push(daemon, push)
    _, text = raw_fetch(sandbox, push, asked["sid"])
    good = with_member(text, "sid", json.dumps(OTHER["sid"]))
    fault_list(sandbox, list_body(sandbox, push, MALFORMED[name](text), good), 1000)
    wait_state(daemon, OTHER["sid"], "asking")
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert factor(daemon, "push")["error"]
    sandbox.clear_faults()
    assert approve(daemon, asked)["state"] == "approved"


@pytest.mark.parametrize("name", ["duplicate key", "NaN", "U+0000", "truncated", "lone surrogate"])
def test_malformed_list(daemon, sandbox, push, name):
    """Nothing of it is believed: nobody is asked, and nothing that is held ends."""
    asked = ask_push(daemon, push)
    _, text = raw_fetch(sandbox, push, asked["sid"])
    stranger = with_member(text, "sid", json.dumps(OTHER["sid"]))
    fault_list(sandbox, list_body(sandbox, push, MALFORMED[name](stranger)), 1000)
    wait_polls(sandbox, 2)
    assert factor(daemon, "push")["error"]
    assert challenge(daemon, OTHER["sid"]) is None
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert factor(daemon, "push")["status"] == "verified"
    sandbox.clear_faults()
    assert approve(daemon, asked)["state"] == "approved"
