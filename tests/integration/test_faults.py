# SPDX-License-Identifier: Apache-2.0
"""A provider that fails in the usual ways: nothing is answered twice, or given up too early."""

import calendar
import email.utils
import json
import time

import pytest

from hostile import answers
from scene import CANARY, LIST, own_scene  # noqa: F401

from steps import (
    FOR_EVER,
    UNAUTHORIZED,
    Asked,
    applied,
    approve,
    ask_push,
    call,
    call_error,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    fault_fetch,
    fault_update,
    fetches,
    refusal,
    shown,
    wait_factor,
    wait_reason,
    wait_state,
)
from harness import TIME_SCALE, wait_for



@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


def about(sandbox, sid, since=0):
    """The methods of the requests about that challenge."""
    return [r["method"] for r in sandbox.requests(since=since) if r["path"].endswith(sid)]


def wait_polls(sandbox, n):
    since = sandbox.last_seq()
    sandbox.wait_requests("GET", "/Challenges", n=n, since=since)


# Cut connections.


@pytest.mark.valgrind
@pytest.mark.parametrize("verb", ["Approve", "Deny"])
@pytest.mark.parametrize("cut", ["before", "after"])
def test_update_is_cut(daemon, sandbox, push, cut, verb):
    """On a connection that was in use before, where a transport likes to resend by itself."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], cut=cut)
    status = {"Approve": "approved", "Deny": "denied"}[verb]
    assert call(daemon, verb, **shown(asked))["challenge"]["state"] == status
    assert sandbox.challenge(asked["sid"])["status"] == status
    assert applied(sandbox, asked["sid"]) == 1
    # Looked up first, then sent again only when it had not arrived.
    assert about(sandbox, asked["sid"]) == ["GET", "POST", "GET"] + ["POST"] * (cut == "before")
    metadata = {dict(r["params"])["Metadata"] for r in sandbox.updates(asked["sid"])}
    assert len(metadata) == 1


def test_connection_is_reused(daemon, sandbox, push):
    """Otherwise the test above would prove less than it says."""
    asked = ask_push(daemon, push)
    approve(daemon, asked)
    (update,) = sandbox.updates(asked["sid"])
    before = [r for r in sandbox.requests() if r["seq"] < update["seq"]]
    (fetch,) = fetches(sandbox, asked["sid"])
    assert fetch["connection"] in {r["connection"] for r in before if r["seq"] < fetch["seq"]}


def test_update_is_cut_again_and_again(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    for cut in ("before", "before", "after"):
        fault_update(sandbox, asked["sid"], cut=cut)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1
    assert len(sandbox.updates(asked["sid"])) == 3


def test_reply_is_about_another(daemon, sandbox, push):
    other, asked = ask_push(daemon, push), ask_push(daemon, push)
    body = json.dumps({**sandbox.fetch_challenge(push["identity"], other["sid"])})
    fault_update(sandbox, asked["sid"], body=body)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1
    assert challenge(daemon, other["sid"])["state"] == "asking"


def test_lost_reply_and_another_answer(daemon, sandbox, push):
    """Ours did not arrive, somebody else's did: not taken for our own."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], cut="before")
    fault_fetch(sandbox, asked["sid"])  # the first fetch passes, and makes room for the next fault
    fault_fetch(sandbox, asked["sid"], status=503, body="", times=FOR_EVER)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(daemon, asked["sid"], "503")
        sandbox.change_challenge(
            asked["sid"], status="approved", metadata={"decision": "somebody-else's"}
        )
        sandbox.clear_faults()
        error = waiting.answer()
    assert error.name == "AlreadyAnswered" and error.parameters["state"] == "superseded"
    assert applied(sandbox, asked["sid"]) == 0


# Replies that say: later. test_hostile.py has them all; here is how long it waits.


@pytest.mark.parametrize("point", [fault_fetch, fault_update], ids=["fetch", "update"])
def test_retry_after(daemon, sandbox, push, point):
    """The server's word is longer than our own pause, and rules."""
    asked = ask_push(daemon, push)
    point(sandbox, asked["sid"], headers={"Retry-After": "1"}, **refusal(429, 20429))
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(daemon, asked["sid"], "429")
        told = time.monotonic()
        assert waiting.answer()["challenge"]["state"] == "approved"
    # Seen a little after it was told.
    assert time.monotonic() - told >= 0.7
    assert applied(sandbox, asked["sid"]) == 1


def test_expires_while_it_is_retried(daemon, sandbox, push):
    asked = ask_push(daemon, push, expires_in=3)
    fault_update(sandbox, asked["sid"], times=FOR_EVER, **refusal(500, 20500))
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        assert waiting.answer().name == "Expired"
    assert challenge(daemon, asked["sid"])["state"] == "expired"
    assert applied(sandbox, asked["sid"]) == 0


# Replies that say: no.


@pytest.mark.parametrize(
    "status, code, state",
    [
        (400, 60300, "failed"),
        (403, 60324, "failed"),
        (403, 60323, "expired"),
        (404, 20404, "failed"),
        (403, 60318, "failed"),
        (429, 60308, "failed"),
        (429, 60310, "failed"),
        (429, 60312, "failed"),
    ],
    ids=lambda v: str(v),
)
def test_refused(daemon, sandbox, push, status, code, state):
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], **refusal(status, code))
    error = call_error(daemon, "Approve", **shown(asked))
    if state == "failed":
        assert error.name == "ApiError"
        assert (error.parameters["http_status"], error.parameters["code"]) == (status, code)
        assert "No such luck" in error.parameters["message"]
    else:
        assert error.name == "Expired"
    assert challenge(daemon, asked["sid"])["state"] == state
    assert len(sandbox.updates(asked["sid"])) == 1


def test_already_responded(daemon, sandbox, push):
    """Whose answer it was, a fetch tells."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], **refusal(403, 60322))
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1


# The server is away.


def test_started_before_the_server(own_scene):
    """A boot without a network: the factor is kept, and works once the server is there."""
    scene = own_scene()
    scene.daemon.terminate()
    scene.server.down()
    scene.daemon.start()
    wait_for(lambda: scene.held()["error"], what="the poll's error")
    assert scene.held()["status"] == "verified"
    scene.server.up()
    assert approve(scene.daemon, scene.ask())["state"] == "approved"


# Credentials.


def account_state(daemon):
    (account,) = call(daemon, "GetStatus")["status"]["accounts"]
    return account


def test_account_is_refused(daemon, sandbox, push):
    """It is the account's trouble: no factor is touched, push goes on by its own key."""
    enroll_totp(daemon)
    daemon.write_secret("password", "not the token at all\n")
    daemon.restart()
    wait_for(lambda: account_state(daemon)["state"] == "refused", what="a refused account")
    assert account_state(daemon)["error"]
    wait_for(lambda: factor(daemon, "totp")["error"], what="the TOTP factor's error")
    assert factor(daemon, "totp")["status"] == "verified"
    wait_polls(sandbox, 4)
    assert approve(daemon, ask_push(daemon, push))["state"] == "approved"
    assert {f["status"] for f in call(daemon, "ListFactors")["factors"]} == {"verified"}

    daemon.write_secret("password", sandbox.auth_token + "\n")
    daemon.restart()
    wait_for(lambda: account_state(daemon)["state"] == "ok", what="an account that works")
    wait_for(lambda: not factor(daemon, "totp")["error"], what="the error to go")


def test_account_is_refused_during_an_answer(daemon, sandbox):
    """A TOTP answer waits until the account is mended."""
    held = enroll_totp(daemon, period=20)
    made = sandbox.create_totp_challenge(held["identity"], held["sid"])
    asked = wait_state(daemon, made["sid"], "asking")
    fault_fetch(sandbox, asked["sid"], times=3, **UNAUTHORIZED)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_reason(daemon, asked["sid"], "401")
        assert challenge(daemon, asked["sid"])["state"] == "answering"
        wait_for(lambda: len(fetches(sandbox, asked["sid"])) >= 4, what="a fourth fetch")
    assert factor(daemon, "totp")["status"] == "verified"


def test_device_is_refused_once(daemon, sandbox, push):
    """One 401 is a clock that was wrong: signed anew and sent again."""
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], **UNAUTHORIZED)
    assert approve(daemon, asked)["state"] == "approved"
    sandbox.fault("GET .*/Challenges", **UNAUTHORIZED)
    wait_polls(sandbox, 3)
    assert factor(daemon, "push")["status"] == "verified"


def test_device_is_refused_twice(daemon, sandbox, push):
    """In a poll: revoked. It is said, not polled any more, and stays so."""
    asked = ask_push(daemon, push)
    since = sandbox.last_seq()
    sandbox.fault("GET .*/Challenges", times=2, **UNAUTHORIZED)
    held = wait_factor(daemon, "push", "revoked")
    assert held["error"]
    refused = [r for r in sandbox.requests("GET", since=since) if r["status"] == 401]
    # By two JWTs: the second one is no copy of the first.
    assert len(refused) == 2 == len({r["authorization"] for r in refused})
    wait_state(daemon, asked["sid"], "failed")
    assert call_error(daemon, "Approve", **shown(asked)).name == "AlreadyAnswered"
    daemon.restart()
    assert factor(daemon, "push")["status"] == "revoked"
    enroll_push(daemon, "new")
    assert approve(daemon, ask_push(daemon, factor(daemon, "new")))["state"] == "approved"


def test_device_is_refused_twice_during_an_answer(daemon, sandbox, push):
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], times=2, **UNAUTHORIZED)
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "ApiError" and error.parameters["http_status"] == 401
    wait_factor(daemon, "push", "revoked")
    assert sandbox.updates(asked["sid"]) == []


def test_factor_was_deleted(daemon, sandbox, push):
    """By the backend: the device's key opens nothing any more."""
    sandbox.api_ok("DELETE", sandbox.entity(push["identity"], f"/Factors/{push['sid']}"))
    assert wait_factor(daemon, "push", "revoked")["error"]


def test_captive_portal(daemon, sandbox, push):
    """Its page comes in place of all: it refuses and revokes nothing."""
    asked = ask_push(daemon, push)
    page = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>welcome</html>"}
    sandbox.fault("* .*", times=FOR_EVER, **page)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(daemon, asked["sid"], ".")
        wait_polls(sandbox, 3)
        wait_for(lambda: len(fetches(sandbox, asked["sid"])) >= 3, what="retries")
        held = factor(daemon, "push")
        assert held["status"] == "verified" and held["error"]
        assert challenge(daemon, asked["sid"])["state"] == "answering"
        sandbox.clear_faults()
        assert waiting.answer()["challenge"]["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1


# Whom a fault slows down.


def too_many(headers=(), status=429):
    body = json.dumps({"code": 20429, "message": CANARY, "status": status})
    return answers(status, body, headers)


def backoff_until(scene, account_sid=None):
    """Seconds from now, of the account."""
    polling = call(scene.daemon, "GetStatus")["status"]["polling"]
    sid = account_sid or scene.sandbox.account_sid
    (until,) = [p["backoff_until"] for p in polling if p["account_sid"] == sid]
    if until is None:
        return 0
    return calendar.timegm(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.time()


def in_two_minutes():
    return email.utils.formatdate(time.time() + 120, usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "value, least, most",
    [
        (lambda: "120", 100, 125),
        (in_two_minutes, 100, 125),
        (lambda: "99999999999999999999", 580, 605),
    ],
    ids=["seconds", "date", "huge"],
)
def test_retry_after_to_a_poll(own_scene, status, value, least, most):
    """No poll before, not even when a person asks for one; an answer is given all the same."""
    scene = own_scene()
    asked = scene.ask()
    rule = scene.strike(LIST, too_many([("Retry-After", value())], status), times=1)
    scene.server.wait_struck(rule)
    wait_for(lambda: scene.held()["error"], what="the poll's error")
    assert least <= backoff_until(scene) <= most
    since = scene.server.mark()
    call(scene.daemon, "Poll")
    assert approve(scene.daemon, asked)["state"] == "approved"
    scene.endure()
    scene.check_end(asked["sid"], "approved")
    assert scene.server.requests(LIST, since) == []


def test_pauses_grow(own_scene):
    """A provider that is down is asked less and less; a poll that is asked for goes at once."""
    scene = own_scene()
    scene.strike(LIST, too_many(status=503))
    since = scene.server.mark()
    scene.endure(2.0)
    # Without pauses these were twenty.
    assert len(scene.server.requests(LIST, since)) <= 9
    scene.server.clear()
    since, poked = scene.server.mark(), time.monotonic()
    call(scene.daemon, "Poll")
    scene.server.wait(LIST, since=since)
    assert time.monotonic() - poked < TIME_SCALE
    wait_for(lambda: not scene.held()["error"], what="a poll that works")
    # Our own pauses are over: the usual interval counts again.
    scene.server.wait(LIST, 5, since=since, timeout=2 * TIME_SCALE)


def add_account(scene, make_sandbox):
    """A second account, at the same server for all that the daemon knows, with a factor."""
    other = make_sandbox()
    scene.server.others[other.service_sid] = other
    password = scene.daemon.write_secret("other", other.auth_token + "\n")
    scene.daemon.canaries.append(other.auth_token)
    account = {"AccountSid": other.account_sid, "PasswordFile": password}
    scene.daemon.terminate()
    scene.daemon.configure(scene.configuration({"Account other": account}))
    scene.daemon.start()
    more = {"account": "other", "service_sid": other.service_sid}
    return other, enroll_push(scene.daemon, "theirs", "dora-001", **more)


def test_one_account_of_two(own_scene, make_sandbox):
    """Too many requests of one account: the other one's are sent as before."""
    scene = own_scene()
    other, held = add_account(scene, make_sandbox)
    rule = scene.strike(f"GET .*/{scene.push['identity']}/Challenges", too_many([("Retry-After", "300")]))
    scene.server.wait_struck(rule)
    since = scene.server.mark()
    theirs = f"GET .*/{held['identity']}/Challenges"
    scene.server.wait(theirs, 5, since=since, timeout=3 * TIME_SCALE)
    assert rule.struck == 1
    assert backoff_until(scene) > 250 and backoff_until(scene, other.account_sid) <= 0
    made = other.create_push_challenge(held["identity"], held["sid"])
    asked = wait_state(scene.daemon, made["sid"], "asking")
    assert approve(scene.daemon, asked)["state"] == "approved"


def test_one_host_for_two_accounts(own_scene, make_sandbox):
    """A provider that is down is down for all: the accounts share the pauses."""
    scene = own_scene()
    other, _ = add_account(scene, make_sandbox)
    rule = scene.strike(LIST, too_many([("Retry-After", "300")], 503))
    scene.server.wait_struck(rule)
    # What was under way at that moment has left already.
    scene.endure()
    assert rule.struck <= 2
    assert backoff_until(scene) > 250 and backoff_until(scene, other.account_sid) > 250
