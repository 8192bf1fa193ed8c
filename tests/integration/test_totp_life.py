# SPDX-License-Identifier: Apache-2.0
"""A TOTP factor's codes over its life: none is sent twice, none is guessed, few are wrong."""

import base64
import time
from datetime import datetime, timezone

import pytest

from harness import TIME_SCALE, oath_code, wait_for
from steps import (
    Asked,
    applied,
    approve,
    ask_totp,
    call,
    call_error,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    fault_update,
    next_step,
    push_parameters,
    refusal,
    shift_clock,
    shown,
    wait_reason,
    wait_state,
)

PERIOD = 20
WRONG_SECRET = base64.b32encode(b"not what they have!!").decode()
VERIFY = "POST .*/Factors/YF.*"


def codes_sent(sandbox, held):
    """All codes that ever left for that factor: its verification's and its challenges'."""
    path = f"/Factors/{held['sid']}"
    verified = [r for r in sandbox.requests("POST") if r["path"].endswith(path)]
    codes = [dict(r["params"])["AuthPayload"] for r in verified]
    for made in sandbox.state()["challenges"]:
        if made["factor_sid"] == held["sid"]:
            codes += sandbox.answers(made["sid"])
    return codes


def unix(stamp):
    return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def check_codes(sandbox, requests, secret, period=PERIOD, **how):
    """By oathtool: each was the code of the server's time when it came, to the two seconds by which
    the daemon may know that time; so never one of a step before or after by intent."""
    for request in requests:
        at, code = unix(request["time"]), dict(request["params"])["AuthPayload"]
        assert code in [oath_code(secret, when=at + o, period=period, **how) for o in (-2, 0, 2)]


def hurry(daemon, period):
    """Within the last seconds of a step: makes the next one as short. The server's clock goes by
    less than a large change, for a single reply to be enough."""
    shift_clock(daemon, daemon.sandbox.state()["clock"]["offset"] + period - 5)


@pytest.fixture
def totp(daemon):
    """Its next code is free to send."""
    held = enroll_totp(daemon, period=PERIOD)
    next_step(daemon, PERIOD)
    return held


@pytest.fixture
def linked(daemon, sandbox):
    """A factor that the backend made, and whose secret here is another: a backup gone stale."""
    made = sandbox.create_totp_factor("stale-001", **{"Config.TimeStep": PERIOD})
    secret = made["binding"]["secret"]
    sandbox.api_ok(
        "POST",
        sandbox.entity("stale-001", f"/Factors/{made['sid']}"),
        {"AuthPayload": oath_code(secret, period=PERIOD)},
    )
    uri = f"otpauth://totp/stale?secret={WRONG_SECRET}&period={PERIOD}"
    daemon.canaries.append(WRONG_SECRET)
    (held,) = call(
        daemon,
        "Import",
        data=uri,
        name="stale",
        link=made["sid"],
        account="main",
        service_sid=sandbox.service_sid,
        identity="stale-001",
    )["factors"]
    return held


# Once.


def test_the_enrolments_code_is_not_used_again(daemon, sandbox):
    """Nor is one that a challenge took, within the same step, also after a stop and a crash."""
    enroll_push(daemon)  # keeps the daemon polling, so that it follows the clock
    next_step(daemon, 60, left=50)
    held = enroll_totp(daemon, period=60)
    asked = ask_totp(daemon, held)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_reason(daemon, asked["sid"], "was used; waiting for the next")
        for end in (daemon.terminate, daemon.kill):
            end()
            daemon.start()
            wait_reason(daemon, asked["sid"], "was used; waiting for the next")
        assert sandbox.updates(asked["sid"]) == []
    # In the next step it goes by itself.
    daemon.terminate()
    offset = sandbox.state()["clock"]["offset"]
    sandbox.clock(offset + 60)
    daemon.start()
    wait_state(daemon, asked["sid"], "approved")
    codes = codes_sent(sandbox, held)
    assert len(codes) == len(set(codes)) == 2
    check_codes(sandbox, sandbox.updates(asked["sid"]), sandbox.factor(held["sid"])["secret"], 60)


def test_a_code_is_not_used_again_after_a_crash(daemon, sandbox, totp):
    """The request had left when the daemon died; whether it arrived, nobody knows."""
    next_step(daemon, PERIOD, left=12)
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], delay_ms=2000, cut="before")
    with Asked(daemon, "Approve", **shown(asked)):
        wait_state(daemon, asked["sid"], "submitted")
        wait_for(lambda: sandbox.updates(asked["sid"]), what="the update")
        daemon.kill()
    daemon.start()
    wait_reason(daemon, asked["sid"], "was used; waiting for the next")
    assert len(sandbox.updates(asked["sid"])) == 1
    daemon.terminate()
    sandbox.clock(sandbox.state()["clock"]["offset"] + PERIOD)
    daemon.start()
    wait_state(daemon, asked["sid"], "approved")
    assert applied(sandbox, asked["sid"]) == 1
    codes = codes_sent(sandbox, totp)
    assert len(codes) == len(set(codes)) == 3
    check_codes(sandbox, sandbox.updates(asked["sid"]), sandbox.factor(totp["sid"])["secret"])


def test_a_clock_set_back_finds_used_steps(daemon, sandbox, totp):
    """And does not block those that were not used."""
    assert approve(daemon, ask_totp(daemon, totp))["state"] == "approved"
    used = sandbox.state()["clock"]["offset"]
    shift_clock(daemon, used + 600)
    assert approve(daemon, ask_totp(daemon, totp))["state"] == "approved"
    shift_clock(daemon, used - 600)
    assert approve(daemon, ask_totp(daemon, totp))["state"] == "approved"
    codes = codes_sent(sandbox, totp)
    assert len(codes) == len(set(codes)) == 4


@pytest.mark.parametrize("digits, algorithm", [(6, "sha256"), (8, "sha512"), (7, "sha1")])
def test_codes_by_oathtool(daemon, sandbox, digits, algorithm):
    """Of the server's step, whatever the clock here says."""
    held = enroll_totp(daemon, period=30, digits=digits, algorithm=algorithm)
    secret = sandbox.factor(held["sid"])["secret"]
    for offset in (7200, -7200):
        shift_clock(daemon, offset)
        asked = ask_totp(daemon, held)
        assert approve(daemon, asked)["state"] == "approved"
        updates = sandbox.updates(asked["sid"])
        assert len(updates) == 1 and sandbox.challenge(asked["sid"])["attempts"] == 0
        check_codes(sandbox, updates, secret, 30, digits=digits, algorithm=algorithm)


# Wrong ones.


def test_wrong_secret(daemon, sandbox, linked):
    """Three steps, three codes, and an end that says what may be wrong; two tries are left."""
    next_step(daemon, PERIOD, left=4)
    asked = ask_totp(daemon, linked)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        for n in (1, 2):
            wait_for(lambda n=n: len(sandbox.updates(asked["sid"])) == n, what=f"code {n}")
            said = wait_reason(daemon, asked["sid"], "refused the code; waiting for the next")
            assert said["state"] == "answering"
            # The wait is a step's rest, which is made short for the test's sake.
            hurry(daemon, PERIOD)
        error = waiting.answer(timeout=60)
    assert error.name == "ApiError" and "three codes" in error.parameters["message"]
    ended = challenge(daemon, asked["sid"])
    assert ended["state"] == "failed" and "secret" in ended["reason"]
    updates = sandbox.updates(asked["sid"])
    assert len(updates) == 3 and len(set(codes_sent(sandbox, linked)[-3:])) == 3
    check_codes(sandbox, updates, WRONG_SECRET)
    there = sandbox.challenge(asked["sid"])
    assert (there["status"], there["attempts"]) == ("pending", 3)
    # It is not taken up again.
    polled = len(sandbox.requests("GET", "/Challenges"))
    wait_for(lambda: len(sandbox.requests("GET", "/Challenges")) > polled + 3, what="some polls")
    assert challenge(daemon, asked["sid"])["state"] == "failed"
    assert len(sandbox.updates(asked["sid"])) == 3


def test_enrolment_is_given_up_after_three(daemon, sandbox):
    """Codes that the provider will not have, each of another step; then nothing is left behind."""
    enroll_push(daemon)
    next_step(daemon, PERIOD, left=4)
    sandbox.fault(VERIFY, times=3, **refusal(403, 60311, "Factor verification failed"))
    with Asked(daemon, "EnrollTotp", **push_parameters(daemon, "totp", "bobby-001", period=PERIOD)) as asked:

        def verifies():
            return [r for r in sandbox.requests("POST") if "/Factors/YF" in r["path"] and r["status"] == 403]

        wait_for(lambda: len(verifies()) == 1, what="the first code")
        hurry(daemon, PERIOD)
        error = asked.answer(timeout=60)
    assert error.name == "ApiError" and error.parameters["code"] == 60311
    codes = [dict(r["params"])["AuthPayload"] for r in verifies()]
    assert len(codes) == len(set(codes)) == 3
    assert [f["name"] for f in call(daemon, "ListFactors")["factors"]] == ["push"]
    assert [f["factor_type"] for f in sandbox.state()["factors"]] == ["push"]


# The provider's refusals: what each does to the challenge, and the exit status and words of it.


@pytest.mark.parametrize(
    "status, code, state, error, rc",
    [
        (429, 60308, "failed", "ApiError", 7),
        (403, 60318, "failed", "ApiError", 7),
        (400, 60306, "failed", "ApiError", 7),
        (403, 60323, "expired", "Expired", 6),
    ],
    ids=lambda v: str(v),
)
def test_refused(daemon, sandbox, totp, status, code, state, error, rc):
    """At once, after one update: no back-off, no other code."""
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], **refusal(status, code))
    result = daemon.ctl("approve", asked["sid"], check=rc)
    assert "expired" in result.err if state == "expired" else "No such luck" in result.err
    assert challenge(daemon, asked["sid"])["state"] == state
    assert len(sandbox.updates(asked["sid"])) == 1
    assert factor(daemon, "totp")["status"] == "verified"
    if state == "failed":
        assert str(code) in result.err and str(status) in result.err


def test_too_many_requests_is_no_refusal(daemon, sandbox, totp):
    """The same 429 with another code: waited out, and another step's code sent."""
    next_step(daemon, PERIOD, left=4)
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], **refusal(429, 20429, "Too many requests"))
    assert approve(daemon, asked)["state"] == "approved"
    codes = sandbox.answers(asked["sid"])
    assert len(codes) == len(set(codes)) == 2


def test_old_way_of_saying_wrong(daemon, sandbox, totp):
    """403 with 60324, for a code: the next step's may be right."""
    next_step(daemon, PERIOD, left=4)
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], **refusal(403, 60324, "Challenge verification failed"))
    assert approve(daemon, asked)["state"] == "approved"
    codes = sandbox.answers(asked["sid"])
    assert len(codes) == len(set(codes)) == 2


def test_answered_meanwhile(daemon, sandbox, totp):
    """60322: a fetch tells that somebody typed the code elsewhere."""
    asked = ask_totp(daemon, totp)
    fault_update(sandbox, asked["sid"], **refusal(403, 60322, "Already responded"), delay_ms=300)
    with Asked(daemon, "Approve", **shown(asked)) as waiting:
        wait_state(daemon, asked["sid"], "submitted")
        sandbox.change_challenge(asked["sid"], status="approved")
        error = waiting.answer()
    assert error.name == "AlreadyAnswered" and error.parameters["state"] == "superseded"


def test_tries_used_up_elsewhere(daemon, sandbox, totp):
    """The real cap: five wrong codes of the backend's, then ours is one too many."""
    asked = ask_totp(daemon, totp)
    secret = sandbox.factor(totp["sid"])["secret"]
    now = time.time() + sandbox.state()["clock"]["offset"]
    near = {oath_code(secret, when=now + i * PERIOD, period=PERIOD) for i in range(-4, 5)}
    wrong = next(c for c in (f"{i:06d}" for i in range(20)) if c not in near)
    for _ in range(5):
        path = sandbox.entity(totp["identity"], f"/Challenges/{asked['sid']}")
        assert sandbox.api_ok("POST", path, {"AuthPayload": wrong})["status"] == "pending"
    result = daemon.ctl("approve", asked["sid"], check=7)
    assert "60308" in result.err
    assert challenge(daemon, asked["sid"])["state"] == "failed"


def test_creation_limit(daemon, sandbox):
    """60312, when a challenge is created: said, with the provider's words, and not tried again."""
    enroll_totp(daemon)
    sandbox.fault("POST .*/Challenges", **refusal(429, 60312, "Max challenges limit reached"))
    result = daemon.ctl("challenge", "create", "totp", "--account", "main", check=7)
    assert "60312" in result.err and "Max challenges limit reached" in result.err
    assert len([r for r in sandbox.requests("POST") if r["path"].endswith("/Challenges")]) == 1


def test_enrolment_tries_used_up(daemon, sandbox):
    """60310: definite; what the create had made is deleted on both sides."""
    sandbox.fault(VERIFY, **refusal(429, 60310, "Max factor verification attempts reached"))
    result = daemon.ctl(
        *("enroll", "totp", "--name", "totp", "--identity", "bobby-001", "--account", "main"),
        *("--service", sandbox.service_sid),
        check=7,
    )
    assert "60310" in result.err
    assert call(daemon, "ListFactors")["factors"] == [] and sandbox.state()["factors"] == []


def test_expired_while_it_waits(daemon, sandbox, totp):
    """For a step that comes too late: it ends as expired, and no code is sent in vain."""
    next_step(daemon, PERIOD, left=14)
    assert approve(daemon, ask_totp(daemon, totp))["state"] == "approved"
    end = 4 + sandbox.state()["clock"]["offset"]
    asked = ask_totp(daemon, totp, expires_in=end)
    began = time.monotonic()
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "Expired"
    # When it does, not at the step's end.
    assert time.monotonic() - began < 9 * TIME_SCALE
    assert challenge(daemon, asked["sid"])["state"] == "expired"
    assert sandbox.updates(asked["sid"]) == []
