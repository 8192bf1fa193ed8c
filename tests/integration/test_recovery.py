# SPDX-License-Identifier: Apache-2.0
"""What once went wrong, or nearly: removal under way, another BaseUrl, clocks that lie, lists without end."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from harness import TIMEOUT, wait_for
from rules import audit, policy, set_rules, write_rules
from steps import (
    Asked,
    approve,
    ask_push,
    ask_totp,
    call,
    call_error,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    factors,
    push_parameters,
    shift_clock,
    shown,
    wait_state,
)

pytestmark = pytest.mark.valgrind


@pytest.mark.parametrize("parameter", ["period", "digits"])
@pytest.mark.parametrize("value", [0, -1, 1, 9, 61, 1 << 40])
def test_totp_parameters_out_of_range(daemon, parameter, value):
    if (parameter, value) == ("digits", 9):
        value = 2
    error = call_error(
        daemon, "EnrollTotp", **push_parameters(daemon, "totp", "bobby-001", **{parameter: value})
    )
    assert error.name == "InvalidParameter"
    assert factors(daemon) == []


def test_removed_while_it_is_enrolled(daemon, sandbox):
    """The reply to its create comes after it is gone: it is deleted there, and nothing dangles."""
    sandbox.fault("POST .*/Factors", delay_ms=700)
    with Asked(daemon, "EnrollPush", **push_parameters(daemon, "push", "alice-001")) as enrolling:
        wait_for(lambda: factors(daemon), what="the stored factor")
        call(daemon, "Remove", name="push")
        assert "removed" in enrolling.answer().parameters["message"]
    assert factors(daemon) == [] and sandbox.state()["factors"] == []
    assert call_error(daemon, "GetCode", name="YF" + 32 * "0").name == "NoSuchFactor"


def test_another_base_url(make_daemon, make_sandbox):
    """A factor of another provider is shown and left alone, and works again when its own is back."""
    one, two = make_sandbox(), make_sandbox()
    daemon = make_daemon(one)
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    one.fault(f"GET .*/{asked['sid']}", status=503, times=1000)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_state(daemon, asked["sid"], "answering")
        daemon.kill()
    daemon.configure({"Api": {"BaseUrl": two.url}})
    daemon.start()
    assert factor(daemon, "push")["status"] == "detached"
    assert call_error(daemon, "ChallengeFetch", target={"factor": "push"}, sid=asked["sid"]).name == (
        "InvalidParameter"
    )
    call(daemon, "SetOwner", name="push", owner=12345)
    assert two.requests() == []
    one.clear_faults()
    daemon.terminate()
    daemon.configure({})
    daemon.start()
    assert factor(daemon, "push")["status"] == "verified"
    wait_state(daemon, asked["sid"], "approved")


def test_local_clock_fast_at_start(daemon, sandbox):
    """The first Date is an hour behind the local clock: nothing expires by that clock."""
    totp = enroll_totp(daemon)
    daemon.terminate()
    sandbox.clock(-3600)
    daemon.start()
    asked = ask_totp(daemon, totp)
    assert asked["state"] == "asking"
    assert challenge(daemon, asked["sid"])["state"] == "asking"


def test_ignored_stays_ignored(daemon, sandbox):
    """Also where the local clock says that it has expired long ago."""
    push = enroll_push(daemon)
    shift_clock(daemon, -3600)
    asked = ask_push(daemon, push)
    call(daemon, "Ignore", sid=asked["sid"])
    daemon.restart()
    polled = len(sandbox.requests("GET", "/Challenges"))
    wait_for(lambda: len(sandbox.requests("GET", "/Challenges")) > polled + 2, what="some polls")
    assert call(daemon, "ListChallenges")["challenges"] == []


def test_endless_retry_after(daemon, sandbox):
    """A server that says "in thirty years" is asked again before the challenge expires."""
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    fault = {"status": 429, "headers": {"Retry-After": "999999999"}, "body": "{}"}
    sandbox.fault(f"GET .*/{asked['sid']}", **fault)
    with Asked(daemon, "Approve", **shown(asked)):
        wait_for(
            lambda: "429" in (challenge(daemon, asked["sid"])["reason"] or ""), what="the refusal"
        )
    daemon.restart()
    wait_state(daemon, asked["sid"], "approved")


def test_removal_ends_its_challenges(daemon):
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    with daemon.monitor(since=0) as monitor:
        assert [monitor.next()["type"], monitor.next()["type"]] == ["factor", "challenge"]
        call(daemon, "Remove", name="push")
        events = [monitor.next(), monitor.next()]
    assert [e["type"] for e in events] == ["challenge", "removed"]
    assert events[0]["challenge"]["sid"] == asked["sid"]
    assert events[0]["challenge"]["state"] == "failed"


def test_list_without_end(make_daemon, sandbox):
    """Each page names a next one: the poller gives up and says so, and so does a list."""
    daemon = make_daemon(sandbox, {"Api": {"RequestsPerSecond": "10000"}})
    enroll_push(daemon)
    url = "https://verify.twilio.com/v2/x?PageToken=again&Page=1"
    body = json.dumps({"challenges": [], "meta": {"next_page_url": url, "key": "challenges"}})
    sandbox.fault("GET .*/Challenges", status=200, body=body, times=100000)
    error = call_error(daemon, "ChallengeList", target={"factor": "push"})
    assert error.name == "ApiError" and "no end" in error.parameters["message"]
    wait_for(lambda: "no end" in (factor(daemon, "push")["error"] or ""), what="the poller's word")
    sandbox.clear_faults()
    wait_for(lambda: factor(daemon, "push")["error"] is None, what="polls that work", timeout=30)


def test_provider_text_stays_out_of_the_log(daemon, sandbox):
    enroll_push(daemon)
    forged = "no\nfactord: Challenge YC approved"
    body = json.dumps({"code": 20429, "message": forged, "status": 400})
    sandbox.fault("GET .*/Challenges", status=400, body=body, times=5)
    daemon.wait_log(r"Cannot poll factor push \(HTTP 400, code 20429\)")
    assert "Challenge YC approved" not in daemon.stderr
    assert "Challenge YC approved" in (factor(daemon, "push")["error"] or "Challenge YC approved")


def test_monitor_from_a_cursor(daemon):
    """What changed since comes first, factors and challenges, in the order of the changes."""
    start = call(daemon, "GetStatus")["status"]["sequence"]
    push = enroll_push(daemon)
    asked = ask_push(daemon, push)
    assert approve(daemon, asked)["state"] == "approved"
    with daemon.monitor(since=start) as monitor:
        events = [monitor.next(), monitor.next()]
    assert [e["type"] for e in events] == ["factor", "challenge"]
    assert events[0]["sequence"] < events[1]["sequence"]
    assert events[1]["challenge"]["state"] == "approved"


def test_numbers_after_a_restart(daemon):
    """Each thing has one of its own, so that whoever heard but a part of them can ask for the rest."""
    names = [enroll_push(daemon, name, f"carol-00{name}")["name"] for name in "123"]
    daemon.restart()
    with daemon.monitor(since=0) as monitor:
        events = [monitor.next() for _ in names]
    sequences = [e["sequence"] for e in events]
    assert sequences == sorted(set(sequences)) and {e["factor"]["name"] for e in events} == set(names)
    with daemon.monitor(since=sequences[0]) as monitor:
        rest = [monitor.next() for _ in names[1:]]
    # It may have polled meanwhile, which has no number.
    assert [(e["sequence"], e["factor"]["name"]) for e in rest] == [
        (e["sequence"], e["factor"]["name"]) for e in events[1:]
    ]


def test_hangup_is_survived(daemon):
    daemon.process.popen.send_signal(signal.SIGHUP)
    daemon.wait_log("were read again")
    assert call(daemon, "GetStatus")["status"]["factors"] == 0


@pytest.fixture
def small_disk(make_daemon, sandbox):
    """A daemon whose state directory is a file system of its own, with 1 MiB."""
    daemon = make_daemon(sandbox, start=False)
    folder = daemon.state_directory
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        daemon.start()
        yield daemon
        daemon.kill()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def full(daemon):
    """Its disk is full meanwhile."""
    ballast = daemon.state_directory / "ballast"
    with ballast.open("wb", buffering=0) as f, pytest.raises(OSError):
        while f.write(b"x" * 4096):
            pass
    yield
    ballast.unlink()


def test_full_disk(small_disk, sandbox):
    """What can't be recorded is not sent, status says why, and all goes on when there is room."""
    daemon = small_disk
    asked = ask_push(daemon, enroll_push(daemon))
    with full(daemon):
        assert call_error(daemon, "Approve", **shown(asked)).name == "StoreError"
        assert sandbox.updates(asked["sid"]) == []
        assert "full" in daemon.ctl_json("status")["problems"][0]
        assert call_error(daemon, "Remove", name="push").name in ("StoreError", "InvalidParameter")
        assert len(sandbox.state()["factors"]) == 1
    assert approve(daemon, asked)["state"] == "approved"
    assert daemon.ctl_json("status")["problems"] == []


def test_change_that_failed_has_no_number(small_disk):
    """The number that it would have had is the next change's alone."""
    daemon = small_disk
    for name in ("one", "two"):
        enroll_push(daemon, name, f"carol-{name}")
    with full(daemon):
        assert call_error(daemon, "SetOwner", name="one", owner=77).name == "StoreError"
    call(daemon, "SetOwner", name="two", owner=77)
    with daemon.monitor(since=0) as monitor:
        one, two = monitor.next(), monitor.next()
    assert (one["factor"]["name"], two["factor"]["name"]) == ("one", "two")
    assert one["sequence"] < two["sequence"]


def test_denial_that_was_held_back(small_disk, sandbox):
    """It is sent shortly before the end: a disk that is full just then does not make it too late."""
    daemon = small_disk
    held = enroll_push(daemon)
    set_rules(daemon, "[Rule no]\nOverride=yes\nDecision=deny\n")
    denied = ask_push(daemon, held, expires_in=14)
    with full(daemon):
        daemon.wait_log(f"Cannot record the decision on {denied['sid']}")
    wait_state(daemon, denied["sid"], "denied")
    assert sandbox.challenge(denied["sid"])["status"] == "denied"


def test_policy_that_was_recorded_later(small_disk):
    """Who had it read is known all the same."""
    daemon = small_disk
    held = enroll_push(daemon)
    write_rules(daemon, "[Rule any]\nDecision=ask\n")
    with full(daemon):
        call(daemon, "Reload")
        daemon.wait_log("Cannot record which policy is in force")
    assert audit(daemon, "policy") == []
    ask_push(daemon, held)
    (record,) = audit(daemon, "policy")
    assert (record["policy"], record["uid"], record["door"]) == (policy(daemon)["hash"], os.getuid(), "socket")


def test_wrong_values_count_at_once(small_disk, sandbox):
    """Also those for a challenge that could not be recorded when it came: until it can be, there is no row to
    count in, and nothing is approved."""
    daemon = small_disk
    held = enroll_push(daemon)
    call(daemon, "SetMatchField", name="push", field="Number")
    with full(daemon):
        made = sandbox.create_push_challenge(held["identity"], held["sid"], fields=[("Number", "17")])
        asked = wait_state(daemon, made["sid"], "deciding")
        assert call_error(daemon, "Approve", **shown(asked), confirm="1").name == "StoreError"
    assert call_error(daemon, "Approve", **shown(asked), confirm="17").name == "StoreError"
    wait_state(daemon, made["sid"], "asking", timeout=3 * TIMEOUT)
    errors = [call_error(daemon, "Approve", **shown(asked), confirm=typed).name for typed in "123"]
    assert errors == ["InvalidParameter", "InvalidParameter", "PolicyDenied"]
    assert challenge(daemon, made["sid"])["state"] == "ignored"


def test_daemon_dies_after_it_was_asked(daemon, sandbox):
    """The decision may stand: that is not the same as no daemon."""
    asked = ask_push(daemon, enroll_push(daemon))
    sandbox.fault(f"POST .*/{asked['sid']}", delay_ms=2000)
    ctl = daemon.popen_ctl("approve", asked["sid"], stderr=subprocess.PIPE)
    wait_state(daemon, asked["sid"], "submitted")
    daemon.kill()
    _, err = ctl.communicate(timeout=20)
    assert ctl.returncode == 124 and "may be done" in err
    daemon.start()
    wait_state(daemon, asked["sid"], "approved")


def test_removal_waits_for_an_answer(daemon, sandbox):
    asked = ask_push(daemon, enroll_push(daemon))
    sandbox.fault(f"POST .*/{asked['sid']}", delay_ms=1500)
    with Asked(daemon, "Approve", **shown(asked)) as approving:
        wait_state(daemon, asked["sid"], "submitted")
        error = call_error(daemon, "Remove", name="push")
        assert error.name == "InvalidParameter" and "on its way" in error.parameters["message"]
        assert approving.answer()["challenge"]["state"] == "approved"
    call(daemon, "Remove", name="push")


def test_unreadable_success_is_no_success(daemon, sandbox):
    asked = ask_push(daemon, enroll_push(daemon))
    sandbox.fault(f"GET .*/{asked['sid']}", status=200, body="{}")
    error = call_error(daemon, "ChallengeFetch", target={"factor": "push"}, sid=asked["sid"])
    assert error.name == "ApiError" and "cannot be read" in error.parameters["message"]


def test_message_is_for_push(daemon, sandbox):
    """A push challenge needs one; a TOTP challenge that is asked by way of a push factor does not."""
    push = enroll_push(daemon)
    totp = enroll_totp(daemon, identity=push["identity"])
    error = call_error(daemon, "ChallengeCreate", target={"factor": "push"})
    assert error.name == "InvalidParameter" and "Details.Message" in error.parameters["message"]
    created = call(daemon, "ChallengeCreate", target={"factor": "push"}, factor_sid=totp["sid"])
    assert created["challenge"]["factor_sid"] == totp["sid"]
