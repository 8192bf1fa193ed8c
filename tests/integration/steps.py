# SPDX-License-Identifier: Apache-2.0
"""What tests of factors and challenges ask of a daemon over its socket, without factorctl."""

import base64
import contextlib
import json
import re
import sqlite3
import time

from harness import VarlinkError, wait_for

FINAL = ("approved", "denied", "expired", "ignored", "superseded", "failed")
FOR_EVER = 100_000  # times


def refusal(status, code, message="No such luck"):
    """A fault: the API's own no."""
    return {"status": status, "body": json.dumps({"code": code, "message": message, "status": status})}


UNAUTHORIZED = refusal(401, 20003)


def call(daemon, method, **parameters):
    with daemon.varlink() as varlink:
        return varlink.call(method, **parameters)


def call_error(daemon, method, **parameters):
    """Calls what must fail and returns the VarlinkError."""
    try:
        reply = call(daemon, method, **parameters)
    except VarlinkError as e:
        return e
    raise AssertionError(f"{method} succeeded: {reply}")


class Asked:
    """A call under way, as a client's that waits: its answer is taken later. Use it with with."""

    def __init__(self, daemon, method, **parameters):
        self.varlink = daemon.varlink()
        self.varlink.send(method, parameters)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.varlink.close()

    def answer(self, timeout=None):
        """The parameters of the reply, or a VarlinkError that is returned, not raised."""
        try:
            return self.varlink.reply(timeout)
        except VarlinkError as e:
            return e


# Factors.


def push_parameters(daemon, name, identity, **more):
    return {
        "name": name,
        "service_sid": daemon.sandbox.service_sid,
        "identity": identity,
        **({} if "access_token" in more else {"account": "main"}),
        **more,
    }


def enroll_push(daemon, name="push", identity="alice-001", **more):
    return call(daemon, "EnrollPush", **push_parameters(daemon, name, identity, **more))["factor"]


def enroll_with_token(daemon, name="push", identity="alice-001"):
    """As a machine without any account: its token comes from the backend."""
    token = daemon.sandbox.access_token(identity)
    daemon.canaries.append(token)
    return enroll_push(daemon, name, identity, access_token=token)


def enroll_totp(daemon, name="totp", identity="bobby-001", **more):
    """Its secret must never be logged."""
    factor = call(daemon, "EnrollTotp", **push_parameters(daemon, name, identity, **more))["factor"]
    daemon.canaries.append(daemon.sandbox.factor(factor["sid"])["secret"])
    return factor


def factors(daemon):
    return call(daemon, "ListFactors")["factors"]


def factor(daemon, name):
    return call(daemon, "ListFactors", name=name)["factors"][0]


def wait_factor(daemon, name, status, timeout=None):
    def reached():
        found = factor(daemon, name)
        return found if found["status"] == status else None

    return wait_for(reached, timeout, lambda: f"{status}: {factor(daemon, name)}")


def clock_offset(daemon):
    """Server time minus the machine's, in seconds, as the daemon believes."""
    return call(daemon, "GetStatus")["status"]["clock"]["offset_ms"] / 1000


def shift_clock(daemon, offset, local=0):
    """Sets the server's clock and waits until the daemon, which must be polling, follows. local: how
    far the daemon's own clock is ahead."""
    daemon.sandbox.clock(offset)
    wait_for(
        lambda: abs(clock_offset(daemon) + local - offset) <= 2,
        what=f"a clock offset of {offset - local}",
    )


def next_step(daemon, period, left=None, local=0):
    """Sets the server's clock to the beginning of a step whose code was never used, or to so many
    seconds before such a step's end, and waits until the daemon follows."""
    now = time.time()
    at = (now // period + 3) * period
    at += 2 if left is None else period - left
    shift_clock(daemon, int(at - now), local)


# Challenges.


def challenge(daemon, sid):
    """As the daemon shows it, final or not; None while it is not known."""
    try:
        return call(daemon, "GetChallenge", sid=sid)["challenge"]
    except VarlinkError as e:
        if e.name == "NoSuchChallenge":
            return None
        raise


def wait_state(daemon, sid, *states, timeout=None):
    def reached():
        found = challenge(daemon, sid)
        return found if found and found["state"] in states else None

    return wait_for(
        reached, timeout, lambda: f"{sid} to be {' or '.join(states)}: {challenge(daemon, sid)}"
    )


def wait_reason(daemon, sid, pattern, timeout=None):
    """Waits until the daemon says so about a challenge."""

    def said():
        found = challenge(daemon, sid)
        return found if found and re.search(pattern, found["reason"] or "") else None

    return wait_for(said, timeout, lambda: f"/{pattern}/: {challenge(daemon, sid)}")


def ask_push(daemon, held, message="Sign in?", **more):
    """A challenge of that factor, which the daemon asks about by now."""
    made = daemon.sandbox.create_push_challenge(held["identity"], held["sid"], message, **more)
    return wait_state(daemon, made["sid"], "asking")


def ask_totp(daemon, held, **more):
    made = daemon.sandbox.create_totp_challenge(held["identity"], held["sid"], **more)
    return wait_state(daemon, made["sid"], "asking")


def shown(challenge):
    """What a decision names."""
    return {"sid": challenge["sid"], "digest": challenge["digest"]}


def approve(daemon, challenge):
    return call(daemon, "Approve", **shown(challenge))["challenge"]


def deny(daemon, challenge):
    return call(daemon, "Deny", **shown(challenge))["challenge"]


def audit_events(daemon, sid=None):
    """The events of the audit trail, oldest first; of one challenge, or all."""
    path = f"file:{daemon.state_directory}/factord.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as connection:
        rows = connection.execute("SELECT event, challenge FROM audit ORDER BY id").fetchall()
    return [event for event, challenge in rows if sid in (None, challenge)]


def fetches(sandbox, sid, since=0):
    """The GETs of that challenge."""
    found = sandbox.requests("GET", since=since)
    return [r for r in found if r["path"].endswith(f"/Challenges/{sid}")]


def applied(sandbox, sid):
    """How many answers the server has taken for it."""
    return sandbox.challenge(sid)["updates"]


def fault_fetch(sandbox, sid, **fault):
    """A fault for the fetch of that challenge, as it comes before an answer."""
    return sandbox.fault(f"GET .*/Challenges/{sid}", **fault)


def fault_update(sandbox, sid, **fault):
    return sandbox.fault(f"POST .*/Challenges/{sid}", **fault)


def raw_fetch(sandbox, held, sid):
    """The server's reply as it is: headers (names in lower case) and text."""
    credentials = f"{sandbox.account_sid}:{sandbox.auth_token}".encode()
    path = f"/v2/Services/{sandbox.service_sid}/" + sandbox.entity(
        held["identity"], f"/Challenges/{sid}"
    )
    headers = {
        "Authorization": "Basic " + base64.b64encode(credentials).decode(),
        "User-Agent": "factord-tests",
    }
    status, names, text = sandbox.request("GET", path, headers=headers)
    assert status == 200, text
    return names, text.decode()


def raw_members(text):
    """The members of a JSON object, their values as they stand in the text."""
    decoder, members, blank = json.JSONDecoder(), {}, re.compile(r"\s*")
    at = blank.match(text).end()
    assert text[at] == "{"
    while text[at] != "}":
        key, at = decoder.raw_decode(text, blank.match(text, at + 1).end())
        at = blank.match(text, at).end()
        assert text[at] == ":"
        start = blank.match(text, at + 1).end()
        _, end = decoder.raw_decode(text, start)
        assert key not in members
        members[key], at = text[start:end], blank.match(text, end).end()
    return members
