# SPDX-License-Identifier: Apache-2.0
"""Number matching: a detail's value is shown nowhere here, and approving wants it typed."""

import contextlib
import hashlib
import json

import pytest

from harness import wait_for
from steps import (
    FOR_EVER,
    Asked,
    applied,
    ask_push,
    ask_totp,
    audit_events,
    call,
    call_error,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    fault_fetch,
    shown,
    wait_state,
)

LABEL = "Number"
VALUE = "58-Zürich-203"  # what no date or SID looks like
FIELDS = [("City", "Berlin"), (LABEL, VALUE)]


@pytest.fixture
def held(daemon):
    enroll_push(daemon)
    return call(daemon, "SetMatchField", name="push", field=LABEL)["factor"]


def confirm(daemon, asked, typed):
    return call(daemon, "Approve", **shown(asked), confirm=typed)["challenge"]


def confirm_error(daemon, asked, typed=None):
    return call_error(daemon, "Approve", **shown(asked), confirm=typed)


@contextlib.contextmanager
def watching(daemon):
    """All that is told meanwhile, as text."""
    told = []
    with daemon.monitor(since=0) as monitor:
        yield told
        last = call(daemon, "GetStatus")["status"]["sequence"]
        monitor.wait(lambda e: e["sequence"] >= last)
        told += monitor.events


def everything(daemon, sandbox, held, sid):
    """What any client is shown of it, and what the log says."""
    whose = {"account": "main", "service_sid": sandbox.service_sid, "identity": held["identity"]}
    yield call(daemon, "GetChallenge", sid=sid)
    yield call(daemon, "ListChallenges", all=True)
    yield call(daemon, "ListChallenges", factor="push")
    yield call(daemon, "GetStatus")
    for target in ({"factor": "push"}, whose):
        yield call(daemon, "ChallengeFetch", target=target, sid=sid)
        yield call(daemon, "ChallengeList", target=target)
    with daemon.varlink() as varlink:
        yield list(varlink.stream("ChallengeList", target=whose))
    for arguments in (["pending"], ["show", sid], ["pending", "--json"], ["challenge", "fetch", sid, "--factor", "push"]):
        yield daemon.ctl(*arguments).out
    yield daemon.stderr


def is_told(daemon, sandbox, held, sid, value=VALUE):
    text = json.dumps(list(everything(daemon, sandbox, held, sid)), ensure_ascii=False)
    assert sid in text and "Berlin" in text
    return value in text


def test_withheld_until_decided(daemon, sandbox, held):
    """In no reply, no event and no log, be it the provider's own object; then typed, and shown."""
    with watching(daemon) as told:
        asked = ask_push(daemon, held, fields=FIELDS)
        fields = [{"label": "City", "value": "Berlin"}, {"label": LABEL, "value": None}]
        assert asked["fields"] == fields
        assert (asked["confirm"], asked["confirm_field"]) == ("field", LABEL)
        errors = [confirm_error(daemon, asked), confirm_error(daemon, asked, "58")]
        assert not is_told(daemon, sandbox, held, asked["sid"])
        made = call(
            *(daemon, "ChallengeCreate"),
            target={"factor": "push"},
            message="Again?",
            fields=[{"label": label, "value": value} for label, value in FIELDS],
        )["challenge"]
        assert made["details"]["fields"][1] == {"label": LABEL, "value": None}
    assert VALUE not in json.dumps([told, [e.parameters for e in errors]], ensure_ascii=False)

    done = confirm(daemon, asked, VALUE)
    assert done["state"] == "approved" and (done["confirm"], done.get("confirm_field")) == ("none", None)
    assert done["fields"][1] == {"label": LABEL, "value": VALUE}
    assert sandbox.challenge(asked["sid"])["status"] == "approved"
    fetched = call(daemon, "ChallengeFetch", target={"factor": "push"}, sid=asked["sid"])
    assert fetched["challenge"]["details"]["fields"][1]["value"] == VALUE


def plain_digest(c, number):
    """Of what the challenge says, were the number this one."""
    c["details"]["fields"] = [{"label": LABEL, "value": number}]
    parts = [c[key] for key in ("sid", "factor_sid", "service_sid", "identity", "date_created", "expiration_date")]
    parts += [json.dumps(c[key], separators=(",", ":")) for key in ("details", "hidden_details")]
    return hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p.encode() for p in parts)).hexdigest()


def test_digest_does_not_tell(daemon, sandbox, held):
    """Whoever sees all but a short number can't try out which one has the digest; it stays the same for all that."""
    asked = ask_push(daemon, held, fields=[(LABEL, "17")])
    c = sandbox.api_ok("GET", sandbox.entity(held["identity"], f"/Challenges/{asked['sid']}"))
    assert asked["digest"] not in [plain_digest(c, str(n)) for n in range(100)]
    daemon.restart()
    assert challenge(daemon, asked["sid"])["digest"] == asked["digest"]
    assert confirm(daemon, asked, "17")["state"] == "approved"


def test_withheld_while_answering(daemon, sandbox, held):
    """A decision that comes to nothing has shown nothing: what is asked anew may want the same value."""
    asked = ask_push(daemon, held, fields=FIELDS)
    fault_fetch(sandbox, asked["sid"], status=503, times=FOR_EVER)
    with watching(daemon) as told:
        with Asked(daemon, "Deny", **shown(asked)) as deciding:
            assert wait_state(daemon, asked["sid"], "answering")["fields"] == asked["fields"]
            changed = [{"label": label, "value": value} for label, value in FIELDS]
            sandbox.change_challenge(asked["sid"], details={"message": "Changed", "fields": changed})
            sandbox.clear_faults()
            call(daemon, "Poll")
            answer = deciding.answer()
            assert getattr(answer, "name", answer) == "Stale"
        again = wait_state(daemon, asked["sid"], "asking")
    assert again["message"] == "Changed" and again["confirm"] == "field"
    assert VALUE not in json.dumps(told, ensure_ascii=False)
    assert confirm(daemon, again, VALUE)["fields"][1]["value"] == VALUE


@pytest.mark.parametrize("restart", [False, True])
def test_three_wrong(daemon, sandbox, held, restart):
    """The third wrong value ends it, whenever it comes; nothing typed, and a wrong digest, count for nothing."""
    asked = ask_push(daemon, held, fields=FIELDS)
    for typed, left in ((VALUE.lower(), 2), (VALUE + " ", 1)):
        for nothing in (None, "", None, ""):
            error = confirm_error(daemon, asked, nothing)
            assert (error.name, error.parameters["parameter"]) == ("InvalidParameter", "confirm")
        assert call_error(daemon, "Approve", sid=asked["sid"], digest="0" * 64, confirm=VALUE).name == "Stale"
        error = confirm_error(daemon, asked, typed)
        assert (error.name, error.parameters["parameter"]) == ("InvalidParameter", "confirm")
        assert f"{left} tr" in error.parameters["message"]
        if restart:
            daemon.kill()
            daemon.start()
    error = confirm_error(daemon, asked, "58")
    assert (error.name, error.parameters["sid"]) == ("PolicyDenied", asked["sid"])
    ended = challenge(daemon, asked["sid"])
    assert ended["state"] == "ignored"
    assert confirm_error(daemon, asked, VALUE).name == "AlreadyAnswered"
    assert sandbox.challenge(asked["sid"])["status"] == "pending" and applied(sandbox, asked["sid"]) == 0
    assert audit_events(daemon, asked["sid"]) == ["mismatch"] * 3 + ["decision", "outcome"]


def test_two_wrong(daemon, sandbox, held):
    asked = ask_push(daemon, held, fields=FIELDS)
    for typed in ("1", "2"):
        confirm_error(daemon, asked, typed)
    assert confirm(daemon, asked, VALUE)["state"] == "approved"


@pytest.mark.parametrize(
    "fields",
    [[], [("City", "Berlin")], [("number", VALUE)], [*FIELDS, (LABEL, VALUE)], [*FIELDS, (LABEL, "17")]],
    ids=["none", "another", "another case", "twice the same", "twice"],
)
def test_without_the_detail(daemon, sandbox, held, fields):
    """It can't be approved, whatever is typed; it can be denied."""
    asked = ask_push(daemon, held, fields=fields)
    assert (asked["confirm"], asked["confirm_field"]) == ("never", LABEL)
    assert all(f["value"] is None for f in asked["fields"] if f["label"] == LABEL)
    for typed in (None, "", VALUE, "17", asked["sid"][-4:]):
        error = confirm_error(daemon, asked, typed)
        assert (error.name, error.parameters["sid"]) == ("PolicyDenied", asked["sid"])
    assert daemon.ctl("approve", asked["sid"], check=5).out == ""
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert call(daemon, "Deny", **shown(asked))["challenge"]["state"] == "denied"
    assert sandbox.challenge(asked["sid"])["status"] == "denied"


def test_totp(daemon, sandbox):
    """A TOTP factor's challenges have no details: matching one means that a person approves none."""
    totp = enroll_totp(daemon)
    daemon.ctl("set", "totp", "--match-field", LABEL)
    asked = ask_totp(daemon, totp)
    assert asked["confirm"] == "never"
    assert confirm_error(daemon, asked, "1").name == "PolicyDenied"
    assert call(daemon, "Ignore", sid=asked["sid"])["challenge"]["state"] == "ignored"
    call(daemon, "Import", data="otpauth://totp/a?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", name="local")
    error = call_error(daemon, "SetMatchField", name="local", field=LABEL)
    assert (error.name, error.parameters["parameter"]) == ("InvalidParameter", "name")


def test_set_while_asked(daemon, sandbox):
    """It holds at once for what is pending, whose watchers are told; so does the end of it."""
    held = enroll_push(daemon)
    first, second = (ask_push(daemon, held, fields=FIELDS) for _ in range(2))
    assert first["confirm"] == "none"
    with daemon.monitor() as monitor:
        for arguments, kind, field in ((["--match-field", LABEL], "field", LABEL), (["--no-match-field"], "none", None)):
            daemon.ctl("set", "push", *arguments)
            events = [monitor.next() for _ in range(3)]
            assert events[0]["factor"].get("match_field") == field == factor(daemon, "push").get("match_field")
            seen = {e["challenge"]["sid"]: e["challenge"]["confirm"] for e in events[1:]}
            assert seen == {first["sid"]: kind, second["sid"]: kind}
            sequences = [e["sequence"] for e in events]
            assert sequences == sorted(set(sequences))
            assert is_told(daemon, sandbox, held, first["sid"]) == (kind == "none")
    assert call(daemon, "Approve", **shown(first))["challenge"]["state"] == "approved"


def test_after_a_restart(daemon, sandbox, held):
    asked = ask_push(daemon, held, fields=FIELDS)
    daemon.restart()
    assert factor(daemon, "push")["match_field"] == LABEL
    again = wait_for(lambda: challenge(daemon, asked["sid"]))
    assert again == asked
    assert confirm(daemon, again, VALUE)["state"] == "approved"
