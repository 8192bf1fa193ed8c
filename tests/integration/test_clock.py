# SPDX-License-Identifier: Apache-2.0
"""Clocks: a machine's that is wrong or is set, a provider's that changes, and Dates that lie."""

import datetime
import time

import jwt
import pytest

from harness import basic_credentials, oath_code, wait_for
from checks import load_public_key
from steps import (
    UNAUTHORIZED,
    Asked,
    approve,
    ask_push,
    ask_totp,
    call,
    call_error,
    challenge,
    clock_offset,
    deny,
    enroll_push,
    enroll_totp,
    enroll_with_token,
    factor,
    next_step,
    push_parameters,
    shift_clock,
    shown,
    wait_state,
)
from wallclock import make_wallclock, wallclock, wallclock_library  # noqa: F401

HOUR = 3600
PERIOD = 20
OFFSETS = [HOUR, -HOUR]
DATES = "%a, %d %b %Y %H:%M:%S GMT"


def status_clock(daemon):
    return call(daemon, "GetStatus")["status"]["clock"]


def server_now(sandbox):
    return time.time() + sandbox.state()["clock"]["offset"]


def http_date(unix):
    return time.strftime(DATES, time.gmtime(unix))


def device_requests(sandbox, since=0):
    return [r for r in sandbox.requests(since=since) if r["auth"] == "device" or r["auth_refused"]]


def check_jwts(sandbox, held, since=0, refusals=1):
    """By PyJWT and the true time: all that the server took were valid, and at most so many
    refused requests told the daemon the time."""
    key, refused = load_public_key(sandbox.factor(held["sid"])["public_key"]), 0
    for request in device_requests(sandbox, since):
        token = basic_credentials(request["authorization"])[1]
        if request["status"] == 401:
            refused += 1
            continue
        claims = jwt.decode(token, key, algorithms=["ES256"], options={"require": ["exp", "nbf"]})
        assert claims["nbf"] <= time.time() <= claims["exp"]
    assert refused <= refusals


def check_shown(daemon, offset):
    """status and doctor say how wrong this machine's clock is."""
    clock = status_clock(daemon)
    assert clock["source"] == "server" and clock.get("candidate_ms") is None
    assert abs(clock["offset_ms"] + offset * 1000) <= 2000
    text = daemon.ctl("status").out
    assert f"{'ahead of' if offset > 0 else 'behind'} the provider's" in text
    (check,) = [c for c in daemon.ctl_json("doctor", check=None)["checks"] if c["name"] == "clock"]
    assert check["state"] == "error" and "answers go on with the provider's time" in check["text"]
    assert ("ahead" if offset > 0 else "behind") in check["text"]
    daemon.ctl("status", "--strict-clock", check=9)


# This machine's clock is an hour off; daemon and factorctl live by it.


def with_api_key(sandbox, daemon):
    secret = daemon.write_secret("key-secret", sandbox.api_key_secret + "\n")
    daemon.canaries.append(sandbox.api_key_secret)
    daemon.configure({"Account main": {"User": sandbox.api_key_sid, "PasswordFile": secret}})


@pytest.mark.valgrind
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("credential", ["token", "account", "key"])
def test_push(make_daemon, sandbox, make_wallclock, offset, credential):
    """From the first request on: enrolment, approval, denial."""
    daemon = make_daemon(sandbox, env=make_wallclock(offset).env, start=False)
    if credential == "key":
        with_api_key(sandbox, daemon)
    daemon.start()
    held = enroll_with_token(daemon) if credential == "token" else enroll_push(daemon)
    assert held["status"] == "verified"
    creates = [r for r in sandbox.requests("POST") if r["path"].endswith("/Factors")]
    assert len(creates) == 1
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"
    assert deny(daemon, ask_push(daemon, held))["state"] == "denied"
    check_jwts(sandbox, held)
    check_shown(daemon, offset)
    # What factorctl decides by itself, it decides by the daemon's word.
    asked = ask_push(daemon, held)
    assert daemon.ctl("approve", asked["sid"]).rc == 0
    assert sandbox.challenge(asked["sid"])["status"] == "approved"


@pytest.mark.parametrize("offset", OFFSETS)
def test_spans_are_the_providers(make_daemon, sandbox, make_wallclock, offset):
    """factorctl's own clock is as wrong: a new one expires by the provider's."""
    daemon = make_daemon(sandbox, env=make_wallclock(offset).env)
    held = enroll_push(daemon)
    made = daemon.ctl_json(
        *("challenge", "create", "push", "--account", "main", "--message", "Sign in?"),
        *("--expires", "10min"),
    )["challenge"]
    created, expires = (
        datetime.datetime.fromisoformat(made[key].replace("Z", "+00:00"))
        for key in ("date_created", "expiration_date")
    )
    assert abs((expires - created).total_seconds() - 600) <= 5
    assert wait_state(daemon, made["sid"], "asking")["factor_sid"] == held["sid"]


@pytest.mark.parametrize("offset", OFFSETS)
def test_totp(make_daemon, sandbox, make_wallclock, offset):
    """The first code that is sent is right, and so is the one that is shown."""
    daemon = make_daemon(sandbox, env=make_wallclock(offset).env)
    held = enroll_totp(daemon, period=PERIOD)
    assert held["status"] == "verified"
    there = sandbox.factor(held["sid"])
    assert len(there["auth_payloads"]) == 1
    shown_code = daemon.ctl_json("code", "totp")["code"]
    near = [oath_code(there["secret"], when=time.time() + o, period=PERIOD) for o in (-2, 0, 2)]
    assert shown_code in near
    # Past the step whose code the enrolment took.
    enroll_push(daemon)
    next_step(daemon, PERIOD, local=offset)
    asked = ask_totp(daemon, held)
    assert approve(daemon, asked)["state"] == "approved"
    (code,) = sandbox.answers(asked["sid"])
    now = server_now(sandbox)
    assert code in [oath_code(there["secret"], when=now + o, period=PERIOD) for o in (-PERIOD, 0, 2)]


@pytest.mark.parametrize("offset", OFFSETS)
def test_started_with_a_challenge(make_daemon, sandbox, make_wallclock, offset):
    """A restart under another clock: what was held neither expires nor is lost."""
    clock = make_wallclock()
    daemon = make_daemon(sandbox, env=clock.env)
    push, totp = enroll_push(daemon), enroll_totp(daemon, period=60)
    asked = ask_push(daemon, push)
    daemon.terminate()
    clock.set(offset)
    since = sandbox.last_seq()
    daemon.start()
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert approve(daemon, asked)["state"] == "approved"
    assert wait_state(daemon, ask_totp(daemon, totp)["sid"], "asking")
    # A poll and the answer's fetch may both have been under way.
    check_jwts(sandbox, push, since, refusals=2)


def test_expiry_is_the_servers(make_daemon, sandbox, make_wallclock):
    """A clock behind does not keep a challenge alive, one ahead does not end it."""
    for offset in OFFSETS:
        daemon = make_daemon(sandbox, env=make_wallclock(offset).env)
        held = enroll_push(daemon)
        made = sandbox.create_push_challenge(held["identity"], held["sid"], expires_in=5)
        asked = wait_state(daemon, made["sid"], "asking")
        wait_state(daemon, asked["sid"], "expired")
        # A Date tells the time to about a second.
        wait_for(
            lambda: sandbox.fetch_challenge(held["identity"], made["sid"])["status"] == "expired",
            timeout=3,
            what="the expiry at the server",
        )
        call(daemon, "Remove", name="push")
        daemon.terminate()


# This machine's clock is set while the daemon runs.


def jumps(daemon):
    return [line for line in daemon.stderr.splitlines() if "clock was set" in line]


@pytest.mark.valgrind
def test_set_at_run_time(make_daemon, sandbox, wallclock):
    """Server time does not move; it is said once, with its size; what is shown follows."""
    daemon = make_daemon(sandbox, env=wallclock.env)
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    since = sandbox.last_seq()
    year = 86400 * 365
    for n, (offset, words) in enumerate(
        [
            (HOUR, "set forward by 1h;"),
            (-HOUR, "set back by 2h;"),
            (-year, "set back by 364d 23h;"),
            (0, "set forward by 365d;"),
        ]
    ):
        wallclock.set(offset)
        daemon.wait_log(words)
        assert len(jumps(daemon)) == n + 1
        wait_for(lambda o=offset: abs(clock_offset(daemon) + o) <= 2, what="status to follow")
        assert challenge(daemon, asked["sid"])["state"] == "asking"
        sandbox.wait_requests("GET", "/Challenges", n=2, since=sandbox.last_seq())
    assert approve(daemon, asked)["state"] == "approved"
    check_jwts(sandbox, push, since)
    assert not [r for r in device_requests(sandbox, since) if r["status"] == 401]
    assert len(jumps(daemon)) == 4


def test_set_at_run_time_codes_and_expiry(make_daemon, sandbox, wallclock):
    daemon = make_daemon(sandbox, env=wallclock.env)
    push, totp = enroll_push(daemon), enroll_totp(daemon, period=PERIOD)
    next_step(daemon, PERIOD)
    made = sandbox.create_push_challenge(
        push["identity"], push["sid"], expires_in=8 + sandbox.state()["clock"]["offset"]
    )
    soon = wait_state(daemon, made["sid"], "asking")
    wallclock.set(HOUR)
    daemon.wait_log("set forward by 1h")
    done = approve(daemon, ask_totp(daemon, totp))
    assert done["state"] == "approved" and sandbox.challenge(done["sid"])["attempts"] == 0
    wait_state(daemon, soon["sid"], "expired")
    ended = server_now(sandbox)
    expires = time.mktime(time.strptime(soon["expires"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert ended >= expires - 2


@pytest.mark.parametrize("offset", OFFSETS)
def test_set_before_the_first_reply(make_daemon, sandbox, make_wallclock, offset):
    """As by NTP after the start: followed as long as no server was heard, so that nothing is
    refused once one is."""
    clock = make_wallclock(offset)
    daemon = make_daemon(sandbox, env=clock.env)
    assert status_clock(daemon)["source"] == "local"
    clock.set(0)
    daemon.wait_log("no provider was heard yet")
    assert abs(status_clock(daemon)["offset_ms"]) <= 1000
    held = enroll_push(daemon)
    assert approve(daemon, ask_push(daemon, held))["state"] == "approved"
    assert not [r for r in sandbox.requests() if r["status"] == 401]
    assert abs(clock_offset(daemon)) <= 2


# The provider's clock.


@pytest.mark.parametrize("offset", OFFSETS)
def test_server_is_set(daemon, sandbox, offset):
    """Under an account's eyes: two replies that agree, of different seconds."""
    enroll_totp(daemon)
    before = sandbox.last_seq()
    sandbox.clock(offset)
    wait_for(lambda: abs(clock_offset(daemon) - offset) <= 2, what="the server's new time")
    assert len(sandbox.requests(since=before)) >= 2


def one_reply(daemon, sandbox, date, **more):
    """The next poll's reply has this Date, and no other reply follows before the call returns."""
    since = sandbox.last_seq()
    sandbox.fault("GET .*/Challenges", headers={"Date": date, **more.pop("headers", {})}, **more)
    call(daemon, "Poll")
    sandbox.wait_requests("GET", "/Challenges", since=since)


@pytest.fixture
def still(make_daemon, sandbox):
    """A daemon that polls only when it is told to, has a TOTP factor and has heard the server."""
    daemon = make_daemon(sandbox, {"Poll": {"Interval": "1h", "IdleInterval": "1h"}})
    enroll_totp(daemon, period=60)
    wait_for(lambda: status_clock(daemon)["source"] == "server", what="the server's time")
    return daemon


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, -1_700_000_000])
def test_first_reply_alone(still, sandbox, ahead):
    """It waits, is shown as waiting, and is forgotten when the next reply says nothing of it."""
    one_reply(still, sandbox, http_date(time.time() + ahead))
    waiting = wait_for(lambda: status_clock(still).get("candidate_ms"), what="a candidate")
    assert abs(waiting - ahead * 1000) <= 2000
    assert abs(clock_offset(still)) <= 2
    assert "counts when a second one agrees" in still.ctl("status").out
    checks = {c["name"]: c for c in still.ctl_json("doctor", check=None)["checks"]}
    assert checks["clock change"]["state"] == "warning"
    call(still, "Poll")
    wait_for(lambda: not status_clock(still).get("candidate_ms"), what="the candidate's end")
    assert abs(clock_offset(still)) <= 2


@pytest.mark.parametrize(
    "date, headers",
    [
        (lambda: http_date(time.time() + HOUR), {"Age": "1"}),
        (lambda: "yesterday, about noon", {}),
        (lambda: "", {}),
        (lambda: http_date(time.time() + HOUR).replace("GMT", "CET"), {}),
    ],
    ids=["age", "garbage", "empty", "zone"],
)
def test_dates_that_do_not_count(still, sandbox, date, headers):
    """However often they come."""
    for _ in range(3):
        one_reply(still, sandbox, date(), headers=headers)
    call(still, "Poll")
    clock = status_clock(still)
    assert clock.get("candidate_ms") is None and abs(clock["offset_ms"]) <= 2000


def test_repeated_date(still, sandbox):
    """As a cache would repeat it: neither a second reply, nor a time to creep after."""
    far, near = http_date(time.time() + HOUR), http_date(time.time() - 20)
    for _ in range(3):
        one_reply(still, sandbox, far)
    assert wait_for(lambda: status_clock(still).get("candidate_ms"), what="a candidate")
    assert abs(clock_offset(still)) <= 2
    one_reply(still, sandbox, near)
    wait_for(lambda: -22 <= clock_offset(still) <= -18, what="the small change")
    before = clock_offset(still)
    for _ in range(3):
        one_reply(still, sandbox, near)
    assert abs(clock_offset(still) - before) < 1


# A 401 and its retry.


def test_refusal_tells_the_time(daemon, sandbox):
    """Refused once, signed anew by the Date of the refusal, taken; for an answer, too."""
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    since = sandbox.last_seq()
    shift_clock(daemon, -HOUR)
    refused = [r for r in sandbox.requests(since=since) if r["status"] == 401]
    assert len(refused) == 1
    since = sandbox.last_seq()
    assert approve(daemon, asked)["state"] == "approved"
    shift_clock(daemon, HOUR)
    assert factor(daemon, "push")["status"] == "verified"
    assert len([r for r in sandbox.requests(since=since) if r["status"] == 401]) == 1


def test_refusal_that_lies(daemon, sandbox):
    """One refusal with a nonsense Date: the retry that was signed by it is refused, and that says
    nothing about the key. Nothing is revoked, nothing expires."""
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    for ahead in (HOUR, -HOUR, 86400 * 365):
        since = sandbox.last_seq()
        date = {"Date": http_date(time.time() + ahead)}
        sandbox.fault("GET .*/Challenges", headers=date, **UNAUTHORIZED)
        wait_for(
            lambda s=since: len([r for r in sandbox.requests(since=s) if r["status"] == 401]) == 2,
            what="the refused retry",
        )
        sandbox.wait_requests("GET", "/Challenges", n=5, since=since)
        assert factor(daemon, "push")["status"] == "verified"
        assert challenge(daemon, asked["sid"])["state"] == "asking"
        assert abs(clock_offset(daemon)) <= 2
    assert approve(daemon, asked)["state"] == "approved"


def test_refusal_without_the_right_time(make_daemon, sandbox):
    """A far Date that lies, and a server that is a little off: signed with the wrong time, refused for that
    alone, and no proof against the key."""
    daemon = make_daemon(sandbox)
    enroll_push(daemon)
    daemon.terminate()
    sandbox.clock(20)
    lie = {"Date": http_date(time.time() + HOUR)}
    sandbox.fault("GET .*/Challenges", headers=lie, **UNAUTHORIZED)
    since = sandbox.last_seq()
    daemon.start()
    sandbox.wait_requests("GET", "/Challenges", n=4, since=since)
    wait_for(lambda: not factor(daemon, "push")["error"], what="polls that work")
    assert factor(daemon, "push")["status"] == "verified"


@pytest.mark.parametrize("headers", [{"Age": "1"}, {"Date": "x"}], ids=["cached", "garbage"])
def test_refusal_without_a_date(make_daemon, sandbox, headers):
    """Refused twice because the clock is wrong, and nobody says what it should be: nothing is revoked."""
    daemon = make_daemon(sandbox)
    enroll_push(daemon)
    daemon.terminate()
    sandbox.clock(HOUR)
    sandbox.fault("GET .*/Challenges", times=2, headers=headers, **UNAUTHORIZED)
    since = sandbox.last_seq()
    daemon.start()
    sandbox.wait_requests("GET", "/Challenges", n=4, since=since)
    wait_for(lambda: not factor(daemon, "push")["error"], what="polls that work")
    assert factor(daemon, "push")["status"] == "verified"


@pytest.mark.parametrize("token", [False, True], ids=["account", "token"])
def test_create_is_not_retried(daemon, sandbox, token):
    """A 401 to a create is an answer, whatever its Date says."""
    sandbox.fault("POST .*/Factors", headers={"Date": http_date(time.time() + HOUR)}, **UNAUTHORIZED)
    more = {"access_token": sandbox.access_token("alice-001")} if token else {}
    error = call_error(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001", **more))
    assert error.name == "ApiError" and error.parameters["http_status"] == 401
    assert len([r for r in sandbox.requests("POST") if r["path"].endswith("/Factors")]) == 1
    assert abs(clock_offset(daemon)) <= 2


def test_totp_waits_for_the_clock(still, sandbox):
    """A server's clock in doubt: no code is guessed; the fetch that comes again settles it."""
    held = factor(still, "totp")
    made = sandbox.create_totp_challenge(held["identity"], held["sid"])
    call(still, "Poll")
    asked = wait_state(still, made["sid"], "asking")
    sandbox.clock(-HOUR)
    with Asked(still, "Approve", **shown(asked)) as waiting:
        assert waiting.answer()["challenge"]["state"] == "approved"
    there = sandbox.challenge(asked["sid"])
    assert there["attempts"] == 0 and len(sandbox.answers(asked["sid"])) == 1
    assert abs(clock_offset(still) + HOUR) <= 2
