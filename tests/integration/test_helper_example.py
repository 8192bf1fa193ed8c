# SPDX-License-Identifier: Apache-2.0
"""docs/examples/prompt-rofi.sh with the real rofi, by the keyboard."""

import os
import select
import subprocess

import pytest

from harness import TIMEOUT, Process, wait_for
from steps import ask_push, call, challenge, enroll_push, wait_state


class Screen:
    """An X server and its keyboard."""

    def __init__(self, directory):
        self.home = directory / "home"
        self.home.mkdir(mode=0o700)
        self.process = Process(
            ["Xvfb", "-screen", "0", "800x600x24", "-noreset", "-displayfd", "1"],
            directory / "xvfb.log",
            stdout=subprocess.PIPE,
        )
        number = self._display()
        self.env = {"DISPLAY": f":{number}", "XDG_RUNTIME_DIR": str(self.home), "HOME": str(self.home)}

    def _display(self):
        """The number and its newline are two writes; without a reader the second ends the server."""
        stdout, line = self.process.popen.stdout, b""
        while not line.endswith(b"\n"):
            assert select.select([stdout], [], [], TIMEOUT)[0], "the X server is not up in time"
            more = os.read(stdout.fileno(), 16)
            assert more, f"no X server:\n{self.process.stderr}"
            line += more
        stdout.close()
        return line.decode().strip()

    def xdotool(self, *arguments):
        done = subprocess.run(
            ["xdotool", *arguments],
            env={"PATH": "/usr/bin:/bin", **self.env},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        return done.stdout.split()

    def is_up(self):
        return self.xdotool("search", "--onlyvisible", "--class", "rofi")

    def answer(self, *keys):
        """Types into rofi, which must come up, and waits until it has gone."""
        [window] = wait_for(self.is_up, what="rofi's window")
        self.xdotool("key", "--window", window, *keys)
        wait_for(lambda: not self.is_up(), what="rofi to go")

    def stop(self):
        self.process.kill()


@pytest.fixture
def screen(tmp_path):
    screen = Screen(tmp_path)
    yield screen
    screen.stop()


def test_rofi(make_daemon, sandbox, source_root, tmp_path, screen):
    """An Enter approves nothing, nor does Escape; to choose does; a value can be typed."""
    helper = tmp_path / "prompt-rofi.sh"
    helper.write_bytes((source_root / "docs/examples/prompt-rofi.sh").read_bytes())
    helper.chmod(0o755)
    config = {"Prompt": {"Helper": helper, "ArmDelay": "0", "Budget": "20/1min"}}
    daemon = make_daemon(sandbox, config, env=screen.env)
    held = enroll_push(daemon)
    for keys in (["Return"], ["Escape"]):
        asked = ask_push(daemon, held, "<b>Not</b> this & that", fields=[("<i>", "&amp;")])
        screen.answer(*keys)
        daemon.wait_log(f"{asked['sid']} ended with 1")
        assert challenge(daemon, asked["sid"])["state"] == "asking"
        call(daemon, "Ignore", sid=asked["sid"])

    asked = ask_push(daemon, held, "This")
    screen.answer("Down", "Return")
    wait_state(daemon, asked["sid"], "approved")

    call(daemon, "SetMatchField", name="push", field="Number")
    asked = ask_push(daemon, held, "Typed", fields=[("Number", "42")])
    screen.answer("4", "2", "Return")
    wait_state(daemon, asked["sid"], "approved")
