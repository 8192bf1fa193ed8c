# SPDX-License-Identifier: Apache-2.0
"""Enrolment: by each kind of credential; and when replies are lost, refused, or the daemon dies."""

import json
import time

import pytest

from harness import (
    basic_credentials,
    check_request,
    oath_code,
    verify_der_signature,
    verify_device_jwt,
)
from steps import (
    Asked,
    approve,
    ask_push,
    ask_totp,
    call,
    call_error,
    clock_offset,
    enroll_push,
    enroll_totp,
    enroll_with_token,
    factor,
    factors,
    next_step,
    push_parameters,
    shift_clock,
    wait_factor,
)

CREATE = "POST .*/Factors"
VERIFY = "POST .*/Factors/YF.*"
NO_ACCOUNT = {"Account main": None}


def creates(sandbox):
    return [r for r in sandbox.requests("POST") if r["path"].endswith("/Factors")]


def verifies(sandbox):
    return [r for r in sandbox.requests("POST") if "/Factors/YF" in r["path"]]


def with_api_key(daemon):
    """Restarts with an API key instead of the account's own token."""
    secret = daemon.write_secret("key-secret", daemon.sandbox.api_key_secret + "\n")
    daemon.canaries.append(daemon.sandbox.api_key_secret)
    daemon.configure({"Account main": {"User": daemon.sandbox.api_key_sid, "PasswordFile": secret}})
    daemon.restart()


def assert_nothing_left(daemon, sandbox):
    """Neither here, in memory or in the store, nor there."""
    assert factors(daemon) == []
    assert sandbox.state()["factors"] == []
    daemon.restart()
    assert factors(daemon) == []


def assert_answers(daemon, sandbox, held):
    """It answers with its own credentials alone."""
    since = sandbox.last_seq()
    done = approve(daemon, ask_push(daemon, held))
    assert done["state"] == "approved"
    assert sandbox.challenge(done["sid"])["status"] == "approved"
    used = sandbox.requests(since=since)
    assert used and {r["auth"] for r in used} == {"device"}
    assert not [r for r in used if r["auth_refused"]]
    key = sandbox.factor(held["sid"])["public_key"]
    for request in used:
        verify_device_jwt(key, request["authorization"])


# Credentials.


@pytest.mark.valgrind
def test_access_token(make_daemon, sandbox):
    """A machine without any account: the token makes the factor, its key does all else."""
    daemon = make_daemon(sandbox, NO_ACCOUNT)
    held = enroll_with_token(daemon)
    assert held["status"] == "verified" and held["type"] == "push" and held["account"] is None
    create, verify = creates(sandbox) + verifies(sandbox)
    assert create["auth"] == "access-token"
    user, _ = basic_credentials(create["authorization"])
    assert user == "token"
    assert verify["auth"] == "device"
    assert_answers(daemon, sandbox, held)


def test_account(daemon, sandbox):
    held = enroll_push(daemon)
    assert held["status"] == "verified" and held["account"] == "main"
    assert held["account_sid"] == sandbox.account_sid
    (create,) = creates(sandbox)
    assert basic_credentials(create["authorization"]) == (sandbox.account_sid, sandbox.auth_token)
    assert_answers(daemon, sandbox, held)


def test_api_key(daemon, sandbox):
    with_api_key(daemon)
    held = enroll_push(daemon)
    assert held["status"] == "verified"
    (create,) = creates(sandbox)
    assert create["auth"] == "api-key"
    assert_answers(daemon, sandbox, held)


def test_push_requests(daemon, sandbox):
    """The two requests of an enrolment, to the letter, and the proof of the key."""
    held = enroll_push(daemon, friendly_name="Alice's laptop")
    create, verify = creates(sandbox) + verifies(sandbox)
    for request in (create, verify):
        check_request(request)
    params = dict(create["params"])
    assert params.keys() == {
        "FriendlyName",
        "FactorType",
        "Binding.Alg",
        "Binding.PublicKey",
        "Config.AppId",
        "Config.NotificationPlatform",
        "Config.SdkVersion",
        "Metadata",
    }
    assert params["FriendlyName"] == "Alice's laptop"
    assert (params["FactorType"], params["Binding.Alg"]) == ("push", "ES256")
    assert params["Config.NotificationPlatform"] == "none"
    assert all(isinstance(v, str) for v in json.loads(params["Metadata"]).values())
    assert verify["path"].endswith("/Factors/" + held["sid"])
    ((name, proof),) = verify["params"]
    assert name == "AuthPayload"
    verify_der_signature(params["Binding.PublicKey"], proof, held["sid"])


@pytest.mark.parametrize("key", [False, True], ids=["account", "api key"])
def test_totp(daemon, sandbox, key):
    if key:
        with_api_key(daemon)
    held = enroll_totp(daemon, period=20, digits=8, algorithm="sha256")
    assert held["status"] == "verified"
    assert (held["digits"], held["period"], held["algorithm"]) == (8, 20, "sha256")
    (create,) = creates(sandbox)
    params = dict(create["params"])
    assert params["Config.Alg"] == "sha256"
    assert (params["Config.CodeLength"], params["Config.TimeStep"]) == ("8", "20")
    # A seed that was made here: 32 bytes, as long as the hash.
    assert params["Binding.Secret"] == sandbox.factor(held["sid"])["secret"]
    assert len(params["Binding.Secret"].rstrip("=")) == 52
    assert {r["auth"] for r in sandbox.requests()} == {"api-key" if key else "account"}

    next_step(daemon, 20)
    done = approve(daemon, ask_totp(daemon, held))
    assert done["state"] == "approved"
    (code,) = sandbox.answers(done["sid"])
    offset = sandbox.state()["clock"]["offset"]
    near = [
        oath_code(params["Binding.Secret"], when=when, algorithm="sha256", digits=8, period=20)
        for when in around(offset, 20)
    ]
    assert code in near


def around(offset, period):
    """Now at the server, a step before, as the turn may have just passed, and a little ahead, as a
    Date tells the server's clock to about a second."""
    now = time.time() + offset
    return now - period, now, now + 2


def test_one_credential(daemon, sandbox):
    """An account or a token, exactly one; an account that is configured."""
    for more in (
        {"account": None},
        {"access_token": "eyJ", "account": "main"},
        {"account": "other"},
    ):
        parameters = push_parameters(daemon, "push", "alice-001", **more)
        error = call_error(daemon, "EnrollPush", **parameters)
        assert error.name == "InvalidParameter" and error.parameters["parameter"] == "account"
    assert sandbox.requests() == []


# Lost replies.


@pytest.mark.parametrize("cut", ["after", "before"])
def test_create_is_cut(daemon, sandbox, cut):
    """Applied or not, the create is sent once; what arrived is found again by listing."""
    sandbox.fault(CREATE, cut=cut)
    parameters = push_parameters(daemon, "push", "alice-001")
    if cut == "after":
        held = call(daemon, "EnrollPush", **parameters)["factor"]
        assert held["status"] == "verified"
        (there,) = sandbox.state()["factors"]
        assert (there["sid"], there["status"]) == (held["sid"], "verified")
        assert_answers(daemon, sandbox, held)
    else:
        error = call_error(daemon, "EnrollPush", **parameters)
        assert error.name == "ApiError"
        assert_nothing_left(daemon, sandbox)
    assert len(creates(sandbox)) == 1


def test_create_is_found_among_others(daemon, sandbox):
    """It is told from other devices' factors of the same identity by its key."""
    other = enroll_push(daemon, "other")
    sandbox.fault(CREATE, cut="after")
    held = enroll_push(daemon)
    assert held["sid"] != other["sid"] and held["status"] == "verified"
    assert len(sandbox.state()["factors"]) == 2
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"


@pytest.mark.parametrize(
    "fault",
    [{"body": '{"sid":"YF', "headers": {}}, {"status": 502, "body": "<html>bad gateway</html>"}],
    ids=["unreadable", "bad gateway"],
)
def test_create_is_answered_badly(daemon, sandbox, fault):
    """Neither cut nor answered: 200 with half a body was applied, the 502 of this proxy not."""
    sandbox.fault(CREATE, **fault)
    with Asked(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001")) as asked:
        answer = asked.answer()
    assert len(creates(sandbox)) == 1
    if "status" in fault:
        assert answer.name == "ApiError"
        assert_nothing_left(daemon, sandbox)
    else:
        assert answer["factor"]["status"] == "verified"
        assert len(sandbox.state()["factors"]) == 1


def test_create_by_token_is_cut(make_daemon, sandbox):
    """A token can't list: the error says what may be left at the provider and what to do."""
    daemon = make_daemon(sandbox, NO_ACCOUNT)
    sandbox.fault(CREATE, cut="after")
    token = sandbox.access_token("alice-001")
    error = call_error(
        daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001", access_token=token)
    )
    assert error.name == "ApiError"
    for said in ("reply was lost", "access token", "new token"):
        assert said in error.parameters["message"]
    assert len(creates(sandbox)) == 1 and verifies(sandbox) == []
    daemon.restart()
    assert factors(daemon) == []
    # The name is free again.
    assert enroll_with_token(daemon)["status"] == "verified"


@pytest.mark.parametrize("cut", ["before", "after"])
def test_verify_is_cut(daemon, sandbox, cut):
    sandbox.fault(VERIFY, cut=cut)
    held = enroll_push(daemon)
    assert held["status"] == "verified"
    assert sandbox.factor(held["sid"])["status"] == "verified"
    assert len(creates(sandbox)) == 1
    assert_answers(daemon, sandbox, held)


def test_totp_verify_is_cut(daemon, sandbox):
    """The code that may have been seen is not sent again: the next step's is."""
    enroll_push(daemon)  # keeps the daemon polling, so that it follows the clock
    next_step(daemon, 20, left=4)
    sandbox.fault(VERIFY, cut="before")
    held = enroll_totp(daemon, period=20)
    assert held["status"] == "verified"
    mine = [r for r in verifies(sandbox) if r["path"].endswith(held["sid"])]
    codes = [dict(r["params"])["AuthPayload"] for r in mine]
    assert len(codes) == 2 and codes[0] != codes[1]
    assert abs(clock_offset(daemon) - sandbox.state()["clock"]["offset"]) <= 2


# Refusals.


@pytest.mark.parametrize(
    "status, code", [(409, 60317), (400, 60315), (403, 60326)], ids=lambda v: str(v)
)
def test_create_is_refused(daemon, sandbox, status, code):
    body = json.dumps({"code": code, "message": "No such luck", "status": status})
    sandbox.fault(CREATE, status=status, body=body)
    error = call_error(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001"))
    assert error.name == "ApiError"
    assert (error.parameters["http_status"], error.parameters["code"]) == (status, code)
    assert "No such luck" in error.parameters["message"]
    assert_nothing_left(daemon, sandbox)
    assert len(creates(sandbox)) == 1


@pytest.mark.parametrize("token", [False, True], ids=["account", "token"])
def test_verify_is_refused(make_daemon, sandbox, token):
    """What the create has made is deleted there, then here."""
    daemon = make_daemon(sandbox, NO_ACCOUNT if token else None)
    body = json.dumps({"code": 60311, "message": "Factor verification failed", "status": 403})
    sandbox.fault(VERIFY, status=403, body=body)
    more = {"access_token": sandbox.access_token("alice-001")} if token else {}
    error = call_error(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001", **more))
    assert error.name == "ApiError" and error.parameters["code"] == 60311
    (delete,) = sandbox.requests("DELETE")
    assert delete["status"] == 204
    assert_nothing_left(daemon, sandbox)


def test_totp_verify_is_refused(daemon, sandbox):
    body = json.dumps({"code": 60310, "message": "Attempts exhausted", "status": 429})
    sandbox.fault(VERIFY, status=429, body=body)
    error = call_error(daemon, "EnrollTotp", **push_parameters(daemon, "totp", "bobby-001"))
    assert error.name == "ApiError" and error.parameters["code"] == 60310
    assert_nothing_left(daemon, sandbox)


def test_totp_verify_wrong_code(daemon, sandbox):
    """A wrong code (403 in the provider's older way) costs a try: the next step's code is sent."""
    enroll_push(daemon)  # keeps the daemon polling, so that it follows the clock
    next_step(daemon, 20, left=3)
    body = json.dumps({"code": 60311, "message": "Factor verification failed", "status": 403})
    sandbox.fault(VERIFY, status=403, body=body)
    held = enroll_totp(daemon, period=20)
    assert held["status"] == "verified"
    mine = [r for r in verifies(sandbox) if r["path"].endswith(held["sid"])]
    codes = [dict(r["params"])["AuthPayload"] for r in mine]
    assert len(codes) == 2 and codes[0] != codes[1]


def test_account_is_refused(make_daemon, sandbox):
    daemon = make_daemon(sandbox)
    daemon.write_secret("password", "not the token at all\n")
    daemon.restart()
    error = call_error(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001"))
    assert error.name == "ApiError" and error.parameters["http_status"] == 401
    assert_nothing_left(daemon, sandbox)


def test_token_is_for_one_factor(make_daemon, sandbox):
    """Used up, for another identity, or no token at all: refused, and nothing is left."""
    daemon = make_daemon(sandbox, NO_ACCOUNT)
    token = sandbox.access_token("alice-001")
    for name, identity, given in (
        ("push", "carol-001", token),
        ("push", "alice-001", "x" * 40),
    ):
        error = call_error(
            daemon, "EnrollPush", **push_parameters(daemon, name, identity, access_token=given)
        )
        assert error.name == "ApiError" and 400 <= error.parameters["http_status"] < 500
    assert_nothing_left(daemon, sandbox)


def test_name_is_taken(daemon, sandbox):
    held = enroll_push(daemon)
    since = sandbox.last_seq()
    for method in ("EnrollPush", "EnrollTotp"):
        error = call_error(daemon, method, **push_parameters(daemon, "push", "alice-001"))
        assert error.name == "InvalidParameter" and error.parameters["parameter"] == "name"
    assert [r for r in sandbox.requests("POST", since=since)] == []
    assert [f["sid"] for f in factors(daemon)] == [held["sid"]]


# The daemon dies.


@pytest.mark.parametrize("method", ["EnrollPush", "EnrollTotp"])
def test_killed_during_create(daemon, sandbox, method):
    """The create has arrived, its reply has not: the next start finds the factor, verifies it."""
    sandbox.fault(CREATE, delay_ms=60_000)
    with Asked(daemon, method, **push_parameters(daemon, "late", "alice-001")):
        sandbox.wait_requests("POST", "/Factors")
        daemon.kill()
    daemon.start()
    held = wait_factor(daemon, "late", "verified")
    assert [f["sid"] for f in sandbox.state()["factors"]] == [held["sid"]]
    assert len(creates(sandbox)) == 1


@pytest.mark.parametrize("token", [False, True], ids=["account", "token"])
@pytest.mark.parametrize("seen", [False, True], ids=["not seen", "seen"])
def test_killed_during_verify(make_daemon, sandbox, token, seen):
    """Between create and verify: the next start goes on, with the device's own key."""
    daemon = make_daemon(sandbox, NO_ACCOUNT if token else None)
    # A fault with a status keeps the server from handling the request.
    sandbox.fault(VERIFY, delay_ms=60_000, **({} if seen else {"status": 500, "body": "{}"}))
    more = {"access_token": sandbox.access_token("alice-001")} if token else {}
    with Asked(daemon, "EnrollPush", **push_parameters(daemon, "late", "alice-001", **more)):
        sandbox.wait_requests("POST", "/Factors/YF")
        daemon.kill()
    (there,) = sandbox.state()["factors"]
    assert there["status"] == ("verified" if seen else "unverified")
    daemon.start()
    held = wait_factor(daemon, "late", "verified")
    assert held["sid"] == there["sid"]
    assert len(creates(sandbox)) == 1
    assert_answers(daemon, sandbox, held)


def test_killed_during_create_by_token(make_daemon, sandbox):
    """Nothing can tell what became of it, so nothing is kept; the log says so."""
    daemon = make_daemon(sandbox, NO_ACCOUNT)
    sandbox.fault(CREATE, delay_ms=60_000)
    token = sandbox.access_token("alice-001")
    parameters = push_parameters(daemon, "late", "alice-001", access_token=token)
    with Asked(daemon, "EnrollPush", **parameters):
        sandbox.wait_requests("POST", "/Factors")
        daemon.kill()
    daemon.start()
    daemon.wait_log("Enrolling factor late failed")
    assert factors(daemon) == []
    assert enroll_with_token(daemon, "late")["status"] == "verified"


def test_stopped_during_verify(daemon, sandbox):
    """SIGTERM: who waits is told that it goes on, and it does."""
    sandbox.fault(VERIFY, delay_ms=60_000)
    with Asked(daemon, "EnrollPush", **push_parameters(daemon, "late", "alice-001")) as asked:
        sandbox.wait_requests("POST", "/Factors/YF")
        daemon.terminate()
        answer = asked.answer()
    assert answer.name == "Unconfirmed"
    daemon.start()
    wait_factor(daemon, "late", "verified")


# Clocks.


@pytest.mark.parametrize("offset", [3600, -3600])
def test_clock_is_an_hour_off(make_daemon, sandbox, offset):
    """The server's word counts, from the first reply on; factors made under one clock work under
    the other."""
    sandbox.clock(offset)
    daemon = make_daemon(sandbox)
    held = enroll_push(daemon)
    assert held["status"] == "verified"
    assert_answers_soon(daemon, sandbox, held)
    assert abs(clock_offset(daemon) - offset) <= 2
    totp = enroll_totp(daemon, period=60)
    assert totp["status"] == "verified"
    assert len(sandbox.factor(totp["sid"])["auth_payloads"]) == 1, "the first code was right"
    shift_clock(daemon, 0)
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"
    assert factor(daemon, "push")["status"] == "verified"


def assert_answers_soon(daemon, sandbox, held):
    done = approve(daemon, ask_push(daemon, held))
    assert done["state"] == "approved"
    assert sandbox.challenge(done["sid"])["status"] == "approved"
