# SPDX-License-Identifier: Apache-2.0
"""factor-agent before a server without a screen: what it says, when, and what it takes."""

import os
import subprocess
import time

import pytest

from agent import BUTTONS, HOSTILE, PROMPT, hostile_fields, key_of, row
from harness import TIME_SCALE, verify_jws, wait_for
from logind import Logind, SystemBus
from steps import (
    ask_push,
    ask_totp,
    call,
    deny,
    enroll_push,
    enroll_totp,
    fault_update,
    factor,
    wait_state,
)


def test_outcome(setting, sandbox):
    """A click is sent with what was shown; it is called done when the provider has confirmed."""
    scene = setting()
    asked = scene.ask("Sign in to example.com?", fields=[("City", "Paris"), ("IP", "198.51.100.7")])
    notice = scene.notices.wait(PROMPT, "Sign in to example.com?", "City: Paris", "IP: 198.51.100.7")
    assert list(notice.actions) == ["default", key_of("approve", asked), key_of("deny", asked)]
    assert notice.hints["urgency"] == 2 and notice.hints["desktop-entry"] == "factor-agent"
    assert notice.hints["category"]
    # A server that outlives the agent does not keep it: the provider's five minutes.
    assert 200_000 < notice.timeout <= 301_000
    fault_update(sandbox, asked["sid"], delay_ms=int(600 * TIME_SCALE), times=1)
    scene.choose(notice, "Approve")
    wait_for(lambda: sandbox.updates(asked["sid"]), what="the answer")
    # The server has not answered yet: nothing says that anything is approved.
    assert not [n for n in scene.notices.sync().all if "Approved" in n.text]
    outcome = scene.notices.wait("Approved: push", actions=[])
    assert outcome.hints["urgency"] == 0 and "default" not in outcome.actions
    scene.notices.wait_none(PROMPT)
    (answer,) = sandbox.answers(asked["sid"])
    _, payload = verify_jws(sandbox.factor(scene.push["sid"])["public_key"], answer)
    assert payload["factor_sid"] == scene.push["sid"] and payload["status"] == "approved"


def test_answered_elsewhere(setting):
    """What is no longer asked goes away at once, and nobody is told that they did it."""
    scene = setting()
    asked = scene.ask()
    notice = scene.notices.wait(PROMPT)
    deny(scene.daemon, asked)
    scene.notices.wait_none()
    assert notice.id in scene.notices.closed
    assert len(scene.notices.sync().all) == 1


def test_dismissed(setting):
    """A prompt that somebody waved away decides nothing, and does not come back by itself."""
    scene = setting()
    first = scene.ask("First")
    scene.desktop.dismiss(scene.notices.wait(PROMPT, "First"))
    scene.notices.wait_none()
    second = scene.ask("Second")
    # The next request shows both again.
    scene.notices.wait("First", "Second")
    assert [scene.state(a) for a in (first, second)] == ["asking", "asking"]


def test_arm_delay(setting):
    """A click that comes before anybody can have read is not taken; the same, later, is."""
    delay = 1.5 * TIME_SCALE
    scene = setting(prompt={"ArmDelay": f"{int(delay * 1000)}ms"})
    asked = scene.ask()
    notice = scene.notices.wait(PROMPT, actions=BUTTONS)
    scene.choose(notice, "Approve")
    again = wait_for(
        lambda: next((n for n in scene.notices.read().standing.values() if n.at > notice.at), None),
        what="the prompt to come back",
    )
    assert scene.state(asked) == "asking"
    # What stands again is as new.
    scene.choose(again, "Approve")
    third = wait_for(
        lambda: next((n for n in scene.notices.read().standing.values() if n.at > again.at), None),
        what="the prompt to come back once more",
    )
    assert scene.state(asked) == "asking"
    wait_for(lambda: time.time() > third.at + delay + 0.2, what="the arm delay")
    scene.choose(third, "Approve")
    wait_state(scene.daemon, asked["sid"], "approved")


def test_forged_signals(setting):
    """Anybody on the bus can say that something was clicked; only the server's word counts."""
    scene = setting()
    asked = scene.ask()
    notice = scene.notices.wait(PROMPT, actions=BUTTONS)
    for member, signature, arguments in (
        ("ActionInvoked", "us", (notice.id, notice.key("Approve"))),
        ("ActionInvoked", "us", (notice.id, notice.key("Deny"))),
        ("NotificationClosed", "uu", (notice.id, 2)),
    ):
        scene.desktop.forge(member, signature, *arguments)
    scene.notices.sync()
    # Nor does the server's own word about what is not ours, or not drawn.
    scene.desktop.emit(notice.id + 7, notice.key("Approve"))
    scene.desktop.emit(notice.id, "ignore")
    scene.desktop.emit(notice.id, "")
    # The agent has read all of these when it has done what comes after them.
    second = scene.ask("Second")
    scene.notices.wait("Sign in?", "Second")
    assert [scene.state(a) for a in (asked, second)] == ["asking", "asking"]


def test_restarts(setting):
    """Of the notification server, the bus, the daemon and the agent: what is asked stands again."""
    scene = setting()
    asked = scene.ask()
    scene.notices.wait(PROMPT)
    scene.desktop.end_server()
    assert not scene.notices.sync().standing
    scene.desktop.start_server()
    scene.notices.wait(PROMPT, actions=BUTTONS)
    scene.desktop.restart_bus()
    scene.notices.wait(PROMPT, actions=BUTTONS)
    scene.daemon.kill()
    scene.notices.wait_none(PROMPT)
    scene.daemon.start()
    wait_state(scene.daemon, asked["sid"], "asking")
    scene.notices.wait(PROMPT, actions=BUTTONS)
    # An agent that ends takes its prompts along: nobody would listen to their buttons.
    scene.agent.stop()
    scene.notices.wait_none()
    scene.agent.start()
    scene.choose(scene.notices.wait(PROMPT, actions=BUTTONS), "Approve")
    wait_state(scene.daemon, asked["sid"], "approved")


@pytest.mark.valgrind
def test_several(setting, sandbox):
    """Side by side with their differences; no single click approves any, a review and one do."""
    scene = setting()
    cities = ("Paris", "Lagos")
    asked = []
    for city in cities:
        asked.append(scene.ask("Sign in?", fields=[("City", city), ("App", "Mail")]))
        scene.notices.wait(f"City: {city}")
    notice = scene.notices.wait("City: Paris", "City: Lagos", actions=["Review 1", "Review 2"])
    # It took the place of what stood there.
    assert len(scene.notices.standing) == 1 and len(scene.notices.pop_ups) == 1
    # What both have in common tells nobody which is which.
    assert "App: Mail" not in notice.text
    scene.desktop.emit(notice.id, key_of("approve", asked[0]))
    scene.choose(notice, f"Review {row(notice, 'Lagos')}")
    notice = scene.notices.wait("City: Lagos", "App: Mail", absent=["City: Paris"])
    assert [label for key, label in notice.actions.items() if key != "default"][:2] == BUTTONS
    assert not sandbox.updates(asked[0]["sid"]) and not sandbox.updates(asked[1]["sid"])
    scene.choose(notice, "Approve")
    wait_state(scene.daemon, asked[1]["sid"], "approved")
    assert scene.state(asked[0]) == "asking"
    scene.notices.wait(PROMPT, "City: Paris", actions=BUTTONS)


def test_totp(setting, sandbox):
    """Has nothing that denies: it can be ignored."""
    scene = setting()
    totp = enroll_totp(scene.daemon)
    asked = ask_totp(scene.daemon, totp)
    scene.choose(scene.notices.wait("Approve? totp", actions=["Approve", "Ignore"]), "Ignore")
    wait_state(scene.daemon, asked["sid"], "ignored")
    scene.notices.wait("Ignored: totp")
    assert not sandbox.updates(asked["sid"])


def test_without_actions(setting, build_dir):
    """The text names the very lines to type."""
    scene = setting(capabilities=["body"])
    asked = scene.ask("Sign in <now>?", fields=[("City", "A & B")])
    notice = scene.notices.wait("Sign in <now>?", "City: A & B")
    assert not notice.actions
    lines = [line for line in notice.body.splitlines() if line.startswith("factorctl ")]
    assert [line.split()[:3] for line in lines] == [
        ["factorctl", verb, asked["sid"]] for verb in ("approve", "deny")
    ]
    path = f"{build_dir}/cli:/usr/bin:/bin"
    subprocess.run(lines[1], shell=True, check=True, env={**scene.daemon.env, "PATH": path})
    wait_state(scene.daemon, asked["sid"], "denied")
    scene.notices.wait_none()


def test_hostile(setting):
    """Reads as what it is: the text itself stands there, and rules nothing."""
    scene = setting()
    scene.ask(HOSTILE, fields=hostile_fields())
    # All of it is shown before anything can be approved.
    scene.choose(scene.notices.wait(PROMPT, actions=["Details", "Deny"]), "Details")
    notice = scene.notices.wait("Field 00", "Field 19", actions=BUTTONS)
    for text in (notice.text, scene.notices.all[0].text):
        assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]
        assert not [c for c in text if 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069]
        assert "\u200b" not in text and "<b>" not in text and "<a" not in text
        assert "&lt;b&gt;bold&lt;/b&gt;" in text and "&amp;amp;" in text
    for n in range(20):
        assert f"Field {n:02} &lt;i&gt;" in notice.body
    assert notice.body.count("y" * 60) == 20
    # Each of the provider's lines is marked as such; a line of its own making there is not.
    assert not [line for line in notice.body.splitlines() if line.startswith("Factor other")]


@pytest.fixture
def logind():
    bus = SystemBus()
    logind = None
    try:
        logind = Logind(bus)
        logind.add_session("c1", os.getuid())
        yield logind
    finally:
        if logind:
            logind.stop()
        bus.stop()


@pytest.mark.parametrize("mode", ["hold", "show"])
def test_locked(setting, logind, mode):
    """On a locked screen no request can be read or approved; it comes back with its person."""
    scene = setting(prompt={"WhileLocked": mode}, system_bus=logind.bus)
    asked = scene.ask("Secret words", fields=[("City", "Paris")])
    notice = scene.notices.wait(PROMPT, "Secret words")
    logind.lock("c1")
    if mode == "hold":
        scene.notices.wait_none()
    else:
        hidden = scene.notices.wait("A request waits for you")
        assert not hidden.actions
        scene.desktop.emit(hidden.id, notice.key("Approve"))
        scene.notices.wait_none(PROMPT)
    for standing in scene.notices.standing.values():
        assert "Secret" not in standing.text and "Paris" not in standing.text
    # Buttons that a slow server may still draw.
    scene.desktop.emit(notice.id, notice.key("Approve"))
    shown = len(scene.notices.sync().all)
    second = scene.ask("Further words")
    assert not [n for n in scene.notices.sync().all[shown:] if "words" in n.text]
    logind.unlock("c1")
    scene.notices.wait("Secret words", "Further words", actions=["Review 1", "Review 2"])
    assert [scene.state(a) for a in (asked, second)] == ["asking", "asking"]


def test_withheld_value(setting):
    """A detail that has to be typed is in no message; without it nothing can be approved."""
    scene = setting()
    call(scene.daemon, "SetMatchField", name="push", field="Code")
    asked = scene.ask("Sign in?", fields=[("City", "Paris"), ("Code", "fortytwo-42")])
    line = f"factorctl approve {asked['sid']}"
    notice = scene.notices.wait("City: Paris", "Code", line, actions=["Deny"])
    scene.desktop.emit(notice.id, key_of("approve", asked))
    scene.desktop.choose(notice, "default")
    notice = scene.notices.wait("Challenge:", actions=["Deny"])
    call(scene.daemon, "Approve", sid=asked["sid"], digest=asked["digest"], confirm="fortytwo-42")
    scene.notices.wait_none()
    scene.notices.assert_never("fortytwo-42")
    never = scene.ask("Without it", fields=[("City", "Paris")])
    notice = scene.notices.wait("Without it", "cannot be approved", actions=["Deny"])
    assert "factorctl approve" not in notice.text
    scene.choose(notice, "Deny")
    wait_state(scene.daemon, never["sid"], "denied")


def test_cool_down(setting):
    """Of a factor that cools down nothing pops up, whoever asks; one alarm says so."""
    scene = setting(prompt={"Budget": "2/10min"})
    asked = [scene.ask(f"Number {n}") for n in range(2)]
    scene.notices.wait("Number 0", "Number 1")
    asked += [scene.ask(f"Number {n}") for n in range(2, 6)]
    scene.notices.wait("Alarm", "push", actions=[])
    wait_for(lambda: factor(scene.daemon, "push")["cooling_until"], what="the cool-down")
    scene.notices.wait_none("Number")
    assert len([n for n in scene.notices.pop_ups if "Alarm" in n.text]) == 1
    # Another factor's requests are asked about as ever, one click more.
    other = enroll_push(scene.daemon, "other", "carol-001")
    ask_push(scene.daemon, other, "Elsewhere")
    scene.notices.wait("Elsewhere", absent=["Number"])
    assert len(call(scene.daemon, "ListChallenges")["challenges"]) == 7
    # What no click approves is approved by what is typed.
    scene.daemon.ctl("approve", asked[5]["sid"])
    wait_state(scene.daemon, asked[5]["sid"], "approved")
