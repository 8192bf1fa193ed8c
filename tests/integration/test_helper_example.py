# SPDX-License-Identifier: Apache-2.0
"""docs/examples/prompt-rofi.sh with the real rofi, by the keyboard."""

import pytest

from harness import wait_for
from steps import ask_push, call, challenge, enroll_push, wait_state
from xserver import XServer


class Screen(XServer):
    """One with rofi on it."""

    def __init__(self, directory):
        super().__init__(directory)
        home = directory / "home"
        home.mkdir(mode=0o700)
        self.env |= {"XDG_RUNTIME_DIR": str(home), "HOME": str(home)}

    def is_up(self):
        return self.xdotool("search", "--onlyvisible", "--class", "rofi")

    def answer(self, *keys):
        """Types into rofi, which must come up, and waits until it has gone."""
        [window] = wait_for(self.is_up, what="rofi's window")
        self.xdotool("key", "--window", window, *keys)
        wait_for(lambda: not self.is_up(), what="rofi to go")


@pytest.fixture
def screen(tmp_path):
    screen = Screen(tmp_path)
    yield screen
    screen.stop()


def test_rofi(make_daemon, sandbox, source_root, tmp_path, screen):
    """An Enter approves nothing, be it after a letter, nor does Escape; the word does; a value can be typed."""
    helper = tmp_path / "prompt-rofi.sh"
    helper.write_bytes((source_root / "docs/examples/prompt-rofi.sh").read_bytes())
    helper.chmod(0o755)
    config = {"Prompt": {"Helper": helper, "ArmDelay": "0", "Budget": "20/1min"}}
    daemon = make_daemon(sandbox, config, env=screen.env)
    held = enroll_push(daemon)
    for keys in (["Return"], ["Escape"], ["p", "Return"], ["a", "Return"]):
        asked = ask_push(daemon, held, "<b>Not</b> this & that", fields=[("<i>", "&amp;")])
        screen.answer(*keys)
        daemon.wait_log(f"{asked['sid']} ended with 1")
        assert challenge(daemon, asked["sid"])["state"] == "asking"
        call(daemon, "Ignore", sid=asked["sid"])

    asked = ask_push(daemon, held, "This")
    screen.answer(*"approve", "Return")
    wait_state(daemon, asked["sid"], "approved")

    call(daemon, "SetMatchField", name="push", field="Number")
    asked = ask_push(daemon, held, "Typed", fields=[("Number", "42")])
    screen.answer("4", "2", "Return")
    wait_state(daemon, asked["sid"], "approved")
