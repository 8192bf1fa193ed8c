# SPDX-License-Identifier: Apache-2.0
"""factor-agent before notification servers that people have: what is drawn, and real clicks on it.

Each test leaves screenshots in build-results/screenshots, to be looked at.
"""

import re
import subprocess

import pytest

from agent import BUTTONS, HOSTILE, PROMPT, hostile_fields, row
from harness import TIME_SCALE, verify_jws, wait_for
from steps import ask_push, call, challenge, deny, enroll_push, factor, wait_state

# One screen at a time: they are many programs each.
pytestmark = pytest.mark.xdist_group("desktop")

FIELDS = [("City", "Paris"), ("IP", "198.51.100.7"), ("Browser", "Firefox")]


@pytest.fixture
def scene(request, setting):
    return setting(**getattr(request, "param", {"server": "xfce4-notifyd"}))


def with_server(server, **more):
    return pytest.mark.parametrize("scene", [{"server": server, **more}], indirect=True, ids=[server])


def shown(scene, *texts, windows=1, **more):
    """The notice, when it is drawn as well."""
    notice = scene.notices.wait(*texts, **more)
    scene.desktop.screen.wait_windows(windows)
    return notice


def assert_signed(scene, asked, status):
    """What reached the provider, judged by another library."""
    sandbox = scene.daemon.sandbox
    sandbox.wait_challenge(asked["sid"], status)
    (answer,) = sandbox.answers(asked["sid"])
    header, payload = verify_jws(sandbox.factor(scene.push["sid"])["public_key"], answer)
    assert (payload["factor_sid"], payload["status"]) == (scene.push["sid"], status)
    assert payload["sid"] == asked["sid"]


@pytest.mark.parametrize("button, status", [("Approve", "approved"), ("Deny", "denied")])
def test_click(scene, button, status):
    """A real click on a button that is really there."""
    asked = scene.ask("Sign in to example.com?", fields=FIELDS)
    shown(scene, PROMPT, actions=BUTTONS)
    screen = scene.desktop.screen
    wait_for(lambda: set(BUTTONS) <= set(screen.buttons()), what="both buttons to be drawn")
    drawn = "\n".join(screen.labels())
    for text in (PROMPT, "“Sign in to example.com?”", "City: Paris", "IP: 198.51.100.7", "push, "):
        assert text in drawn
    screen.screenshot(f"click-{button.lower()}")
    screen.press(button)
    assert_signed(scene, asked, status)
    scene.notices.wait(f"{status.capitalize()}: push")
    wait_for(lambda: f"{status.capitalize()}: push" in screen.labels(), what="the outcome, drawn")
    screen.screenshot(f"click-{button.lower()}-after")


def test_click_on_the_body(scene):
    """Approves nothing. This server takes it as a dismissal, and draws a button for the details."""
    asked = scene.ask(fields=FIELDS)
    screen = scene.desktop.screen
    shown(scene, PROMPT)
    screen.press("Details")
    shown(scene, PROMPT, f"Challenge: {asked['sid']}")
    screen.screenshot("details")
    screen.press_label("Challenge: ")
    scene.notices.wait_none()
    screen.wait_windows(0)
    assert challenge(scene.daemon, asked["sid"])["state"] == "asking"
    assert not scene.daemon.sandbox.updates(asked["sid"])


@with_server("dunst")
def test_server_without_buttons(scene):
    """A click opens the details, and these name the line to type; its menu approves."""
    assert "actions" in scene.desktop.capability_list()
    asked = scene.ask(fields=FIELDS)
    screen = scene.desktop.screen
    notice = shown(scene, PROMPT, "City: Paris")
    options = f"--socket {scene.daemon.socket_path}"
    lines = [f"factorctl {verb} {asked['sid']} {options}" for verb in ("approve", "deny")]
    assert [n for n in notice.body.splitlines() if n.startswith("factorctl ")] == lines
    screen.screenshot("dunst")
    screen.click_window()
    notice = shown(scene, f"factorctl approve {asked['sid']}")
    assert challenge(scene.daemon, asked["sid"])["state"] == "asking"
    screen.screenshot("dunst-details")
    assert notice.key("Approve").startswith("approve-")
    scene.desktop.run("dunstctl", "context")
    assert_signed(scene, asked, "approved")
    shown(scene, "Approved: push")
    screen.screenshot("dunst-after")


@with_server("notify-osd")
def test_server_without_actions(scene, build_dir):
    """The text names the lines to type, and no button is drawn that would do nothing."""
    screen = scene.desktop.screen
    assert "actions" not in scene.desktop.capability_list()
    # This server leaves out lines at the top when there are more than ten.
    asked = scene.ask("Sign in <now>?", fields=FIELDS[:1])
    notice = shown(scene, "City: Paris")
    assert not notice.actions and not screen.buttons()
    screen.screenshot("notify-osd")
    line = next(n for n in notice.body.splitlines() if n.startswith("factorctl approve "))
    path = f"{build_dir}/cli:/usr/bin:/bin"
    subprocess.run(line, shell=True, check=True, env={**scene.daemon.env, "PATH": path})
    assert_signed(scene, asked, "approved")
    scene.notices.wait_none()


def test_withdrawn(scene):
    """What is answered by factorctl, or expires, is no longer on the screen."""
    screen = scene.desktop.screen
    asked = scene.ask()
    shown(scene, PROMPT)
    scene.daemon.ctl("deny", asked["sid"])
    screen.wait_windows(0)
    asked = scene.ask(expires_in=3 * TIME_SCALE)
    shown(scene, PROMPT)
    screen.wait_windows(0)
    wait_state(scene.daemon, asked["sid"], "expired")
    assert not scene.notices.sync().standing


def test_several(scene):
    """Two at once: Review, then Approve."""
    screen = scene.desktop.screen
    asked = {c: scene.ask(fields=[("City", c), ("App", "Mail")]) for c in ("Paris", "Lagos")}
    notice = shown(scene, "City: Paris", "City: Lagos", actions=["Review 1", "Review 2"])
    wait_for(lambda: "Review 2" in screen.buttons(), what="the buttons")
    assert not set(BUTTONS) & set(screen.buttons())
    screen.screenshot("several")
    screen.press(f"Review {row(notice, 'Lagos')}")
    shown(scene, PROMPT, "City: Lagos", absent=["City: Paris"])
    screen.screenshot("several-review")
    screen.press("Approve")
    assert_signed(scene, asked["Lagos"], "approved")
    assert challenge(scene.daemon, asked["Paris"]["sid"])["state"] == "asking"


def test_hostile(scene):
    """Is drawn as the text that it is."""
    screen = scene.desktop.screen
    scene.ask(HOSTILE, fields=hostile_fields())
    shown(scene, PROMPT)
    screen.screenshot("hostile")
    screen.press("Details")
    shown(scene, PROMPT, "Field 19")

    def drawn():
        return next((t for t in screen.labels() if "Field 19" in t), None)

    text = wait_for(drawn, what=lambda: f"the fields: {screen.labels()}")
    screen.screenshot("hostile-details")
    assert "<b>bold</b> <a href='http://x'>&amp;</a>" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", text)
    for n in range(20):
        assert f"Field {n:02} <i>: </i>&quot;" in text and f"{n:02}" + "y" * 60 in text


@with_server("xfce4-notifyd", prompt={"Budget": "3/10min"})
def test_bombing(scene):
    """A hundred at once: at most Budget pop-ups and one alarm, and none is lost."""
    screen, sandbox = scene.desktop.screen, scene.daemon.sandbox
    made = set()
    for n in range(3):
        made.add(scene.ask(f"Number {n}")["sid"])
        scene.notices.wait(f"Number {n}")
    whose = (scene.push["identity"], scene.push["sid"])
    made |= {sandbox.create_push_challenge(*whose, f"Number {n}")["sid"] for n in range(3, 100)}

    def asked():
        found = call(scene.daemon, "ListChallenges")["challenges"]
        return {c["sid"] for c in found if c["state"] == "asking"} == made

    wait_for(asked, what="all of them to be asked about")
    shown(scene, "Alarm", "push")
    scene.notices.wait_none("Number")
    screen.wait_windows(1)
    assert len(scene.notices.standing) == 1
    screen.screenshot("alarm")
    pop_ups = scene.notices.sync().pop_ups
    assert len([n for n in pop_ups if "Alarm" in n.text]) == 1
    assert len(pop_ups) <= 1 + 3
    assert factor(scene.daemon, "push")["cooling_until"]
    # Another factor's is asked about beside it.
    other = enroll_push(scene.daemon, "other", "carol-001")
    asked = ask_push(scene.daemon, other, "Elsewhere")
    shown(scene, "Elsewhere", windows=2)
    screen.screenshot("alarm-and-another")
    deny(scene.daemon, asked)
    screen.wait_windows(1)
