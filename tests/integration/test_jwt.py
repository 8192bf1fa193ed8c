# SPDX-License-Identifier: Apache-2.0
"""A device's JWT: signed once, reused for half its life, and when it is made anew."""

import time

import jwt
import pytest

from checks import load_public_key
from harness import basic_credentials, verify_device_jwt, wait_for
from steps import (
    UNAUTHORIZED,
    approve,
    ask_push,
    call,
    clock_offset,
    deny,
    enroll_push,
    enroll_totp,
    factor,
    fault_fetch,
    shift_clock,
)

HALF_LIFE = 300


@pytest.fixture
def push(daemon):
    return enroll_push(daemon)


def tokens(sandbox, since=0):
    """The JWTs that came, in their order, each once; refused ones, too."""
    found = []
    for request in sandbox.requests(since=since):
        user, token = basic_credentials(request["authorization"])
        if user == "token" and token not in found and token.count(".") == 2:
            found.append(token)
    return found


def poll(daemon, n, since=None):
    """Until so many polls have come from now on."""
    sandbox = daemon.sandbox
    since = sandbox.last_seq() if since is None else since

    def enough():
        call(daemon, "Poll")
        return len(sandbox.requests("GET", "/Challenges", since)) >= n

    wait_for(enough, timeout=60, what=f"{n} polls")


def kid(sandbox, held):
    """What the server has for the factor's credential."""
    path = sandbox.entity(held["identity"], f"/Factors/{held['sid']}")
    return sandbox.api_ok("GET", path)["config"]["credential_sid"]


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_signed_once(daemon, sandbox, push):
    """For fifty polls, an approval and a denial; its claims hold, and name this very device."""
    since = sandbox.last_seq()
    poll(daemon, 50)
    approve(daemon, ask_push(daemon, push))
    deny(daemon, ask_push(daemon, push))
    (token,) = tokens(sandbox, since)
    there = sandbox.factor(push["sid"])
    header = jwt.get_unverified_header(token)
    assert header["kid"] == kid(sandbox, push)
    key = load_public_key(there["public_key"])
    held = jwt.decode(token, key, algorithms=["ES256"], options={"require": ["exp", "nbf", "sub"]})
    assert held["sub"] == sandbox.account_sid
    # The same that verified the enrolment.
    assert tokens(sandbox) == [token]
    # Five seconds before the server's time, and for ten minutes.
    assert held["exp"] - held["nbf"] == 600
    assert time.time() - 60 < held["nbf"] + 5 <= time.time() + 2


def test_half_its_life(daemon, sandbox, push):
    """By the server's time: kept until then, made anew after it, before it is refused."""
    (first,) = tokens(sandbox)
    shift_clock(daemon, HALF_LIFE + 20)
    since = sandbox.last_seq()
    poll(daemon, 10)
    (second,) = tokens(sandbox, since)
    assert second != first
    assert claims(second)["nbf"] - claims(first)["nbf"] >= HALF_LIFE
    assert not [r for r in sandbox.requests() if r["status"] == 401]


@pytest.mark.parametrize("offset", [20, -20, 3600, -3600])
def test_after_a_clock_correction(daemon, sandbox, push, offset):
    """Made anew for the time that counts from then on, and then kept."""
    (first,) = tokens(sandbox)
    shift_clock(daemon, offset)
    poll(daemon, 3)
    since = sandbox.last_seq()
    poll(daemon, 10)
    (second,) = tokens(sandbox, since)
    assert second != first
    moved = claims(second)["nbf"] - claims(first)["nbf"]
    assert offset - 3 <= moved <= offset + 30
    assert factor(daemon, "push")["status"] == "verified"
    assert len(tokens(sandbox)) <= 4


def test_after_the_clock_was_set_back(daemon, sandbox, push):
    """A JWT from the future is not used although it would live longest."""
    shift_clock(daemon, 3600)
    poll(daemon, 3)
    shift_clock(daemon, 0)
    poll(daemon, 3)
    since = sandbox.last_seq()
    poll(daemon, 5)
    (token,) = tokens(sandbox, since)
    assert claims(token)["nbf"] <= time.time()
    assert abs(clock_offset(daemon)) <= 2


def test_after_a_refusal(daemon, sandbox, push):
    (first,) = tokens(sandbox)
    asked = ask_push(daemon, push)
    fault_fetch(sandbox, asked["sid"], **UNAUTHORIZED)
    since = sandbox.last_seq()
    assert approve(daemon, asked)["state"] == "approved"
    about = [r for r in sandbox.requests(since=since) if r["path"].endswith(asked["sid"])]
    used = [basic_credentials(r["authorization"])[1] for r in about]
    assert [r["status"] for r in about] == [401, 200, 200]
    assert used[0] == first and used[1] == used[2] != first


def test_after_a_key_change(daemon, sandbox, push):
    """Removed and enrolled again under its name: nothing of the old key is sent."""
    (first,) = tokens(sandbox)
    call(daemon, "Remove", name="push")
    since = sandbox.last_seq()
    again = enroll_push(daemon)
    approve(daemon, ask_push(daemon, again))
    (second,) = tokens(sandbox, since)
    assert second != first
    assert jwt.get_unverified_header(second)["kid"] != jwt.get_unverified_header(first)["kid"]
    for request in sandbox.requests(since=since):
        if request["auth"] == "device":
            verify_device_jwt(sandbox.factor(again["sid"])["public_key"], request["authorization"])


def test_not_shared(daemon, sandbox):
    """Not by two of one identity either; an account's requests carry none."""
    held = [enroll_push(daemon, name) for name in ("one", "two")]
    enroll_totp(daemon, identity=held[0]["identity"])
    since = sandbox.last_seq()
    poll(daemon, 12)
    for h in held:
        approve(daemon, ask_push(daemon, h))
    by_kid = {}
    for request in sandbox.requests(since=since):
        if request["auth"] == "device":
            token = basic_credentials(request["authorization"])[1]
            by_kid.setdefault(jwt.get_unverified_header(token)["kid"], set()).add(token)
    assert by_kid.keys() == {kid(sandbox, h) for h in held}
    assert all(len(each) == 1 for each in by_kid.values())
    for h in held:
        (token,) = by_kid[kid(sandbox, h)]
        key = load_public_key(sandbox.factor(h["sid"])["public_key"])
        jwt.decode(token, key, algorithms=["ES256"])
