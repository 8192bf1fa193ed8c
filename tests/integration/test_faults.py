# SPDX-License-Identifier: Apache-2.0
"""A provider that fails in the usual ways: nothing is answered twice, or given up too early."""

import json
import time

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
    enroll_totp,
    factor,
    fault_fetch,
    fault_update,
    fetches,
    shown,
    wait_factor,
    wait_reason,
    wait_state,
)
from harness import wait_for

UNAUTHORIZED = {
    "status": 401,
    "body": json.dumps({"code": 20003, "message": "Authenticate", "status": 401}),
}
SERVER_ERROR = json.dumps({"code": 20500, "message": "Internal server error", "status": 500})
FOR_EVER = 100_000


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


@pytest.mark.parametrize("cut", ["before", "after"])
def test_fetch_is_cut(daemon, sandbox, push, cut):
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], cut=cut, times=2)
    assert approve(daemon, asked)["state"] == "approved"
    assert len(sandbox.updates(asked["sid"])) == 1


def test_reply_is_unreadable(daemon, sandbox, push):
    """Applied, and answered with half a document: a fetch tells that it was ours."""
    asked = ask_push(daemon, push)
    fault_update(sandbox, asked["sid"], body='{"sid":"YC')
    assert approve(daemon, asked)["state"] == "approved"
    assert about(sandbox, asked["sid"]) == ["GET", "POST", "GET"]


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


# Replies that say: later.


@pytest.mark.parametrize("point", [fault_fetch, fault_update], ids=["fetch", "update"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "body": SERVER_ERROR},
        {"status": 503, "body": "<html>maintenance</html>"},
        {"status": 502, "body": ""},
        {"status": 408, "body": json.dumps({"code": 20408, "message": "Timeout"})},
        {"status": 429, "body": json.dumps({"code": 20429, "message": "Too many requests"})},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "body": ""},
        {"status": 404, "headers": {"Content-Type": "text/html"}, "body": "<html>404</html>"},
        {"status": 403, "headers": {"Content-Type": "text/html"}, "body": "<html>proxy</html>"},
    ],
    ids=lambda f: str(f["status"]),
)
def test_transient(daemon, sandbox, push, point, fault):
    asked = ask_push(daemon, push)
    point(sandbox, asked["sid"], **fault)
    point(sandbox, asked["sid"], **fault)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1
    expected = ["GET"] * 3 + ["POST"] if point is fault_fetch else ["GET", "POST"] * 3
    assert about(sandbox, asked["sid"]) == expected
    assert factor(daemon, "push")["status"] == "verified"


@pytest.mark.parametrize("point", [fault_fetch, fault_update], ids=["fetch", "update"])
def test_retry_after(daemon, sandbox, push, point):
    """The server's word is longer than our own pause, and rules."""
    asked = ask_push(daemon, push)
    body = json.dumps({"code": 20429, "message": "Too many requests", "status": 429})
    point(sandbox, asked["sid"], status=429, headers={"Retry-After": "2"}, body=body)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(daemon, asked["sid"], "429")
        told = time.monotonic()
        assert waiting.answer()["challenge"]["state"] == "approved"
    # Seen a little after it was told.
    assert time.monotonic() - told >= 1.5
    assert applied(sandbox, asked["sid"]) == 1


def test_retry_after_a_poll(daemon, sandbox, push):
    """A poll that is told to wait does, and an answer is given meanwhile."""
    asked = ask_push(daemon, push)
    body = json.dumps({"code": 20429, "message": "Too many requests", "status": 429})
    since = sandbox.last_seq()
    sandbox.fault("GET .*/Challenges", status=429, headers={"Retry-After": "3600"}, body=body)
    wait_for(lambda: factor(daemon, "push")["error"], what="the poll's error")
    assert approve(daemon, asked)["state"] == "approved"
    lists = [r for r in sandbox.requests("GET", since=since) if r["path"].endswith("/Challenges")]
    assert lists[-1]["status"] == 429


@pytest.mark.parametrize("point", [fault_fetch, fault_update], ids=["fetch", "update"])
def test_slower_than_the_time_out(make_daemon, sandbox, point):
    """The request has arrived, its reply comes too late: looked up, not repeated."""
    daemon = make_daemon(sandbox, {"Api": {"RequestTimeout": "500ms"}})
    held = enroll_push(daemon)
    asked = ask_push(daemon, held)
    point(sandbox, asked["sid"], delay_ms=60_000)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1
    expected = ["GET", "GET", "POST"] if point is fault_fetch else ["GET", "POST", "GET"]
    assert about(sandbox, asked["sid"]) == expected


def test_expires_while_it_is_retried(daemon, sandbox, push):
    asked = ask_push(daemon, push, expires_in=3)
    fault_update(sandbox, asked["sid"], status=500, body=SERVER_ERROR, times=FOR_EVER)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        assert waiting.answer().name == "Expired"
    assert challenge(daemon, asked["sid"])["state"] == "expired"
    assert applied(sandbox, asked["sid"]) == 0


# Replies that say: no.


@pytest.mark.parametrize(
    "status, code, state",
    [(400, 60300, "failed"), (403, 60324, "failed"), (403, 60323, "expired")],
    ids=lambda v: str(v),
)
def test_refused(daemon, sandbox, push, status, code, state):
    asked = ask_push(daemon, push)
    body = json.dumps({"code": code, "message": "No such luck", "status": status})
    fault_update(sandbox, asked["sid"], status=status, body=body)
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
    body = json.dumps({"code": 60322, "message": "Already responded", "status": 403})
    fault_update(sandbox, asked["sid"], status=403, body=body)
    assert approve(daemon, asked)["state"] == "approved"
    assert applied(sandbox, asked["sid"]) == 1


# The server is away.


def test_server_is_away(make_daemon, make_sandbox, tmp_path):
    """Decided while nobody listens; answered when the server is back."""
    data = tmp_path / "data"
    first = make_sandbox("--data", data)
    daemon = make_daemon(first)
    held = enroll_push(daemon)
    asked = ask_push(daemon, held)
    first.stop()
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        said = wait_reason(daemon, asked["sid"], ".")
        assert said["state"] == "answering"
        second = make_sandbox("--data", data, "--port", str(first.port))
        assert waiting.answer()["challenge"]["state"] == "approved"
    assert applied(second, asked["sid"]) == 1
    daemon.sandbox = second
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"
    assert factor(daemon, "push")["error"] is None


def test_started_before_the_server(make_daemon, make_sandbox, tmp_path):
    """A boot without a network: the factor is kept, and works once the server is there."""
    data = tmp_path / "data"
    first = make_sandbox("--data", data)
    daemon = make_daemon(first)
    held = enroll_push(daemon)
    daemon.terminate()
    first.stop()
    daemon.start()
    wait_for(lambda: factor(daemon, "push")["error"], what="the poll's error")
    assert factor(daemon, "push")["status"] == "verified"
    daemon.sandbox = make_sandbox("--data", data, "--port", str(first.port))
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"


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
    assert len(refused) == 2
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


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "headers": {"Content-Type": "text/html"}, "body": "<html>404</html>"},
        {"status": 401, "headers": {"Content-Type": "text/html"}, "body": "<html>log in</html>"},
        {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>welcome</html>"},
    ],
    ids=lambda f: str(f["status"]),
)
def test_not_the_provider(daemon, sandbox, push, fault):
    """A captive portal or a wrong BaseUrl: its pages refuse and revoke nothing."""
    asked = ask_push(daemon, push)
    sandbox.fault("* .*", times=FOR_EVER, **fault)
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
