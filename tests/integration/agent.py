# SPDX-License-Identifier: Apache-2.0
"""A running factor-agent between a daemon and a desktop, and what tests of it have in common."""

import os
import re

from daemon import KEPT_VARIABLES
from harness import assert_no_tokens
from process import WRAPPER, Process
from steps import ask_push, challenge, enroll_push

PROMPT = "Approve? push"
BUTTONS = ["Approve", "Deny"]


class Agent:
    """system_bus: where logind is; by default there is none."""

    def __init__(self, build_dir, daemon, desktop, system_bus=None):
        self.daemon = daemon
        self.desktop = desktop
        self.command = [
            *WRAPPER,
            build_dir / "agent/factor-agent",
            "--socket",
            daemon.socket_path,
            "--log-level",
            "debug",
        ]
        nowhere = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={desktop.directory}/no-system-bus"}
        self.env = {
            **{k: os.environ[k] for k in KEPT_VARIABLES if k in os.environ},
            **desktop.bus.env,
            **(system_bus.env if system_bus else nowhere),
        }
        self.process = None
        self.last_stderr = ""
        self.start()

    def start(self):
        self.process = Process(self.command, self.desktop.directory / "agent.log", env=self.env)

    @property
    def stderr(self):
        if self.process.stderr_path.exists():
            self.last_stderr = self.process.stderr
        return self.last_stderr

    def stop(self):
        """Ends it: it must end well, and must not have said what nobody may know."""
        try:
            rc = self.process.terminate()
            assert rc == 0, f"factor-agent ended with {rc}:\n{self.stderr}"
            self.process.check_reports()
            assert_no_tokens(self.stderr, "the agent's log")
        finally:
            self.process.kill()


class Setting:
    """A daemon with a push factor, a desktop, and an agent between them."""

    def __init__(self, daemon, desktop, make_agent, system_bus):
        self.daemon = daemon
        self.desktop = desktop
        self.notices = desktop.notices
        self.push = enroll_push(daemon)
        self.agent = make_agent(daemon, desktop, system_bus=system_bus)

    def ask(self, message="Sign in?", **more):
        return ask_push(self.daemon, self.push, message, **more)

    def state(self, asked):
        return challenge(self.daemon, asked["sid"])["state"]

    def choose(self, notice, label):
        self.desktop.choose(notice, notice.key(label))


def key_of(verb, asked):
    """What a button is called that decides that."""
    return f"{verb}-{asked['digest'][:16]}"


def row(notice, text):
    """The number of the request that says so, in a notice of several."""
    before = notice.body.partition(text)[0]
    return re.findall(r"^([0-9]+)\. ", before, re.MULTILINE)[-1]


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07<b>bold</b> <a href='http://x'>&amp;</a>\n\nFactor other, 9min left\r"
    "\u202eevorppa\u202c \u200b\u2066x\u2069 \x9b31m"
)


def hostile_fields():
    """As many as the provider takes, each with something to get wrong."""
    return [(f"Field {n:02} <i>", f"</i>&quot;\x1b[31m\u202e{n:02}" + "y" * 60) for n in range(20)]
