# SPDX-License-Identifier: Apache-2.0
"""Rules for a daemon of a test, and what it says of them."""

import json

from harness import wait_for
from steps import call


def write_rules(daemon, text, name="50-test.policy"):
    """Writes a file of rules; a running daemon reads it when it is told to."""
    folder = daemon.directory / "policy.d"
    folder.mkdir(mode=0o755, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o644)
    return path


def set_rules(daemon, text, name="50-test.policy"):
    """Writes them, and has them read: they must be taken."""
    path = write_rules(daemon, text, name)
    assert call(daemon, "Reload") == {"problems": [], "notes": []}
    return path


def policy(daemon):
    return call(daemon, "GetStatus")["status"]["policy"]


def counts(daemon):
    """{rule: (approved, denied, ignored, asked)} since the start."""
    return {
        c["rule"]: (c["approved"], c["denied"], c["ignored"], c["asked"])
        for c in policy(daemon)["decisions"]
    }


def audit(daemon, event, sid=None):
    """The records of an event, oldest first; of one challenge, or all."""
    lines = daemon.ctl("--json", "log", "--event", event).out.splitlines()
    return [r for r in map(json.loads, lines) if sid in (None, r["challenge"])]


def create(daemon, held, message="Sign in?", **more):
    """The SID of a challenge that a rule may decide before anybody looks."""
    if held["type"] == "totp":
        return daemon.sandbox.create_totp_challenge(held["identity"], held["sid"], **more)["sid"]
    made = daemon.sandbox.create_push_challenge(held["identity"], held["sid"], message, **more)
    return made["sid"]


def wait_quiet(daemon):
    """Until no decider is asked any more."""

    def idle():
        deciders = policy(daemon)["deciders"]
        return deciders["running"] == deciders["waiting"] == 0

    wait_for(idle, what=lambda: f"idle deciders: {policy(daemon)['deciders']}")
