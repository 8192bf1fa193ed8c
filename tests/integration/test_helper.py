# SPDX-License-Identifier: Apache-2.0
"""[Prompt] Helper=: a program that asks, run as ssh-add -c runs ssh-askpass."""

import contextlib
import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

from harness import wait_for
from logind import Logind, SystemBus
from steps import ask_push, call, challenge, enroll_push, wait_state

ME = os.getuid()

# Written by the test: $D is a folder of its own. Each run leaves a line, and stays until released.
RUNS = 'echo "$FACTORD_CHALLENGE $$" >>"$D/runs"\n'
HANG = RUNS + 'while ! [ -e "$D/release" ]; do sleep 0.02; done\n'


class Helper:
    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "helper"

    def write(self, body):
        """A script of the shell, unless it says what else it is."""
        text = body if body.startswith("#!") else f"#!/bin/sh\nD={self.directory}\n{body}"
        self.path.write_text(text)
        self.path.chmod(0o755)

    def runs(self):
        """The SID and process of each run, the oldest first."""
        path = self.directory / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(sid, int(pid)) for sid, pid in map(str.split, lines)]

    def wait_runs(self, n):
        wait_for(lambda: len(self.runs()) >= n, what=lambda: f"{n} runs: {self.runs()}")
        assert len(self.runs()) == n
        return self.runs()

    def release(self):
        (self.directory / "release").touch()

    def read(self, name):
        return (self.directory / name).read_text()


@pytest.fixture
def helper(tmp_path):
    directory = tmp_path / "helper"
    directory.mkdir(mode=0o755)
    return Helper(directory)


@pytest.fixture
def make(make_daemon, sandbox, helper):
    """A daemon with that helper: make(body, {"Prompt": {"ArmDelay": "5s"}})."""

    def make(body, config=None, **options):
        helper.write(body)
        sections = {"Prompt": {"Helper": helper.path, "ArmDelay": "0"}}
        for section, keys in (config or {}).items():
            sections.setdefault(section, {}).update(keys)
        return make_daemon(sandbox, sections, **options)

    return make


def group(pid):
    """The processes of a group, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(stat[2]) == pid:
                    found.append(int(entry.name))
    return found


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def wait_gone(pid):
    wait_for(lambda: not group(pid), what=lambda: f"the group to be gone: {group(pid)}")


def create(daemon, held, message="Sign in?", **more):
    """The SID of a challenge that may be decided before anybody looks."""
    made = daemon.sandbox.create_push_challenge(held["identity"], held["sid"], message, **more)
    return made["sid"]


ANSWERS = {
    "silence": ("exit 0", True),
    "empty-line": ("echo; echo no", True),
    "yes": ("echo yes", True),
    "loud-yes": ("printf 'YES\\r\\nno'", True),
    "no": ("echo no", False),
    "cancelled": ("echo yes; exit 1", False),
    "no-display": ("exit 255", False),
    "nearly": ("echo 'yes '", False),
    "garbage": ("printf '\\001\\377\\n'", False),
    "killed": ("kill -KILL $$", False),
    "terminated": ("echo yes; kill -TERM $$", False),
    "broken-pipe": ("kill -PIPE $$; echo yes", False),
    "flood": ("yes '' | head -c 5000; exit 0", False),
    "endless": ("exec yes", False),
    "just-fits": ("yes | head -c 4096 | tr -d '\\n' | sed 's/^/yes\\n/' | head -c 4096", True),
}


def test_answers(make, helper, sandbox):
    """Yes is what ssh-add takes for one; anything else leaves the challenge to others."""
    cases = "".join(f"*'<{name}>'*) {body} ;;\n" for name, (body, _) in ANSWERS.items())
    daemon = make(f'case "$1" in\n{cases}esac\n')
    held = enroll_push(daemon)
    for name, (_, yes) in ANSWERS.items():
        sid = create(daemon, held, f"<{name}>")
        if yes:
            wait_state(daemon, sid, "approved")
            continue
        daemon.wait_log(f"{sid}.*decides nothing")
        assert challenge(daemon, sid)["state"] == "asking", name
        call(daemon, "Ignore", sid=sid)
    wait_for(lambda: children(daemon.pid) == [], what="no process to be left, and no zombie")

    with sqlite3.connect(f"file:{daemon.state_directory}/factord.db?mode=ro", uri=True) as db:
        doors = db.execute("SELECT DISTINCT door, uid FROM decision WHERE verb = 'approve'")
        assert doors.fetchall() == [("helper", ME)]


# What a program finds; a shell would have descriptors of its own open.
SEES = """#!/usr/bin/python3 -B
import json, os, sys
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        fds[fd] = os.readlink("/proc/self/fd/" + fd)
    except FileNotFoundError:
        pass  # the folder's own
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
seen = {"arguments": sys.argv[1:], "environment": dict(os.environ), "fds": fds, "status": status}
seen |= {"group": os.getpgrp() == os.getpid(), "umask": os.umask(0o77)}
print("no")
path = os.path.dirname(os.path.abspath(sys.argv[0])) + "/seen"
json.dump(seen, open(path + ".new", "w"))
os.rename(path + ".new", path)
"""


def test_what_it_sees(make, helper, sandbox):
    """The question and what a program of the user's has anyhow, nothing of the daemon's own."""
    told = {
        "WATCHDOG_USEC": "10000000",
        "JOURNAL_STREAM": "1:2",
        "CREDENTIALS_DIRECTORY": "/run/credentials/factord",
        "LISTEN_FDNAMES": "x",
        "DISPLAY": ":7",
    }
    daemon = make(SEES, env=told)
    held = enroll_push(daemon)
    hostile = "\x1b[31mSign\nin\u202e?"
    asked = ask_push(daemon, held, hostile, fields=[("Host", "db1\nX: y")])
    wait_for((helper.directory / "seen").exists, what="the helper's report")
    seen = json.loads(helper.read("seen"))

    (text,) = seen["arguments"]
    lines = text.split("\n")
    assert lines[:6] == [
        "Approve with factor push?",
        "",
        "Message: \\x1b[31mSign\\nin\\u{202e}?",
        "",
        "Details:",
        "    Host: db1\\nX: y",
    ]
    assert len(lines) == 8 and re.fullmatch(r"It expires in (\d+min ?)?(\d+s)?\.", lines[7])

    environment = seen["environment"]
    assert environment["DISPLAY"] == ":7" and environment["SSH_ASKPASS_PROMPT"] == "confirm"
    assert environment["FACTORD_CHALLENGE"] == asked["sid"]
    for name in (*(set(told) - {"DISPLAY"}), "NOTIFY_SOCKET", "LISTEN_FDS"):
        assert name not in environment
    for secret in daemon.canaries:
        assert secret not in helper.read("seen")

    assert re.fullmatch(r"pipe:.*", seen["fds"].pop("1"))
    assert seen["fds"] == {"0": "/dev/null", "2": "/dev/null"}
    assert int(seen["status"]["SigBlk"], 16) == 0
    # SIGPIPE and SIGXFSZ are Python's own doing (see broken-pipe), 32 and 33 the C library's.
    assert int(seen["status"]["SigIgn"], 16) & ~(1 << 12 | 1 << 24 | 3 << 31) == 0
    assert seen["group"] and seen["umask"] == 0o77


STUBBORN = "trap '' TERM\nsleep 1000 &\n(trap '' TERM; sleep 1000; true) &\n" + HANG


def test_answered_elsewhere(make, helper):
    """Then it is gone, with all that it started, whether it wants to or not."""
    daemon = make(STUBBORN)
    asked = ask_push(daemon, enroll_push(daemon))
    [(_, pid)] = helper.wait_runs(1)
    wait_for(lambda: len(group(pid)) >= 3, what="its children")
    daemon.ctl("approve", asked["sid"])
    wait_gone(pid)
    assert children(daemon.pid) == []
    assert challenge(daemon, asked["sid"])["state"] == "approved"


def test_it_leaves_children(make, helper):
    """What it leaves behind when it ends is ended, too; its answer is the leader's."""
    daemon = make('sleep 1000 &\necho "$FACTORD_CHALLENGE $$" >>"$D/runs"\nexit 0\n')
    wait_state(daemon, create(daemon, enroll_push(daemon)), "approved")
    [(_, pid)] = helper.runs()
    wait_gone(pid)


def test_sooner_than_a_person(make, helper):
    """A yes before ArmDelay is none, and there is no second try."""
    daemon = make(RUNS, {"Prompt": {"ArmDelay": "1min"}})
    first, second = enroll_push(daemon, "one", "one-00001"), enroll_push(daemon, "two", "two-00001")
    asked = ask_push(daemon, first)
    daemon.wait_log(f"{asked['sid']}.*sooner than ArmDelay")
    other = ask_push(daemon, second)
    daemon.wait_log(f"{other['sid']}.*sooner than ArmDelay")
    assert [sid for sid, _ in helper.runs()] == [asked["sid"], other["sid"]]
    assert challenge(daemon, asked["sid"])["state"] == "asking"


def test_later_than_arm_delay(make):
    daemon = make("sleep 0.15", {"Prompt": {"ArmDelay": "100ms"}})
    wait_state(daemon, create(daemon, enroll_push(daemon)), "approved")


ENTRY = (
    RUNS
    + """
printf %s "$1" >"$D/text"
echo "${SSH_ASKPASS_PROMPT-unset}" >"$D/mode"
n=$(wc -l <"$D/runs")
[ "$n" -gt 1 ] && echo 4711 || echo 4712
"""
)


def test_typed_value(make, helper):
    """Of a factor that matches a detail the value is asked for; a wrong one is asked for again."""
    daemon = make(ENTRY)
    held = enroll_push(daemon)
    call(daemon, "SetMatchField", name="push", field="Number")
    without = ask_push(daemon, held, "Without it")
    fields = [("Number", "4711"), ("Host", "db1")]
    sid = create(daemon, held, "With it", fields=fields)
    wait_state(daemon, sid, "approved")
    assert [run for run, _ in helper.runs()] == [sid] * 2
    assert helper.read("mode") == "unset\n"
    text = helper.read("text")
    assert "4711" not in text and "Host: db1" in text
    assert text.endswith("To approve, type the value of: Number")
    assert challenge(daemon, without["sid"])["state"] == "asking"


def test_guesses(make, helper):
    """Three wrong values are the end, as with any other prompter."""
    daemon = make(RUNS + "echo 1\n")
    held = enroll_push(daemon)
    call(daemon, "SetMatchField", name="push", field="Number")
    wait_state(daemon, create(daemon, held, fields=[("Number", "4711")]), "ignored")
    assert len(helper.runs()) == 3


def test_few_at_a_time(make, helper, sandbox):
    """One a factor, four in all, the oldest first; each gets its turn."""
    daemon = make(HANG)
    held = [enroll_push(daemon, f"factor{i}", f"factor-000{i}") for i in range(6)]
    asked = [ask_push(daemon, f, f"No. {i}")["sid"] for i, f in enumerate((held[0], *held))]
    expected = [asked[0], *asked[2:5]]
    assert [sid for sid, _ in helper.wait_runs(4)] == expected
    call(daemon, "Ignore", sid=asked[2])
    assert [sid for sid, _ in helper.wait_runs(5)] == [*expected, asked[5]]
    call(daemon, "Ignore", sid=asked[0])
    assert [sid for sid, _ in helper.wait_runs(6)] == [*expected, asked[5], asked[1]]
    helper.release()
    for sid in (*asked[3:], asked[1]):
        wait_state(daemon, sid, "approved")
    assert sorted(sid for sid, _ in helper.runs()) == sorted(asked)


def test_restart(make, helper):
    """It does not outlive the daemon; the question comes back with it."""
    daemon = make(STUBBORN)
    asked = ask_push(daemon, enroll_push(daemon))
    [(_, pid)] = helper.wait_runs(1)
    daemon.terminate()
    wait_gone(pid)
    daemon.start()
    helper.wait_runs(2)
    helper.release()
    wait_state(daemon, asked["sid"], "approved")


def test_cooling_down(make, helper):
    """A flood of prompts is no flood of helpers: those that are up go, too."""
    daemon = make(HANG, {"Prompt": {"Budget": "1/10min"}})
    held = enroll_push(daemon)
    first = ask_push(daemon, held, "First")
    [(sid, pid)] = helper.wait_runs(1)
    assert sid == first["sid"]
    ask_push(daemon, held, "Second")
    wait_gone(pid)
    assert len(helper.runs()) == 1
    assert challenge(daemon, first["sid"])["quiet"]


def test_after_a_cool_down(make, helper):
    """What came in a flood does not come up, one by one, when that is over; what comes later does."""
    daemon = make(RUNS + "exit 1\n", {"Prompt": {"Budget": "1/2s"}})
    held = enroll_push(daemon)
    asked = [ask_push(daemon, held, f"Number {n}") for n in range(5)]
    with daemon.monitor(since=0) as monitor:
        monitor.wait(lambda e: e["type"] == "challenge" and e["challenge"]["sid"] == asked[4]["sid"])
        monitor.wait(lambda e: e["type"] == "factor" and not e["factor"]["cooling_until"])
    assert not any(challenge(daemon, one["sid"])["quiet"] for one in asked)
    later = ask_push(daemon, held, "Later")
    wait_for(lambda: later["sid"] in [sid for sid, _ in helper.runs()])
    assert {sid for sid, _ in helper.runs()} <= {asked[0]["sid"], later["sid"]}


def test_repeats_are_asked_once(make, helper, sandbox):
    """A repeat is asked about when it no longer is one, after those that were there before."""
    daemon = make(HANG)
    held = enroll_push(daemon)
    first = ask_push(daemon, held, "The same")
    helper.wait_runs(1)
    # Of two of the same second the first is not known to be the older one.
    sandbox.clock(2)
    second = ask_push(daemon, held, "The same")
    third = ask_push(daemon, held, "Another")
    call(daemon, "Ignore", sid=first["sid"])
    assert [sid for sid, _ in helper.wait_runs(2)] == [first["sid"], third["sid"]]
    call(daemon, "Ignore", sid=third["sid"])
    assert helper.wait_runs(3)[2][0] == second["sid"]


@pytest.fixture
def logind():
    bus = SystemBus()
    logind = Logind(bus)
    yield logind
    logind.stop()
    bus.stop()


def test_locked_screen(make, helper, logind):
    """It is not put on a locked screen, and taken from one that locks; then it comes back."""
    logind.add_session("1", ME, locked=True)
    daemon = make(HANG, {"Daemon": {"Bus": "auto"}}, env=logind.bus.env)
    wait_for(lambda: call(daemon, "GetStatus")["status"]["locked"], what="the lock to be known")
    asked = ask_push(daemon, enroll_push(daemon))
    # Present elsewhere: that makes the screen no less locked.
    logind.add_ssh_session("2", ME)
    wait_for(lambda: not call(daemon, "GetStatus")["status"]["locked"], what="presence")
    assert helper.runs() == []
    logind.unlock("1")
    [(_, pid)] = helper.wait_runs(1)
    logind.lock("1")
    wait_gone(pid)
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    logind.unlock("1")
    helper.wait_runs(2)
    helper.release()
    wait_state(daemon, asked["sid"], "approved")


def test_untrusted_program(make_daemon, sandbox, helper, tmp_path):
    """It is refused at the start, by its name and with what to do; also later, then nothing is run."""
    helper.write(RUNS + "exit 1\n")
    link = tmp_path / "link"
    link.symlink_to(helper.path)
    config = {"Prompt": {"Helper": helper.path, "ArmDelay": "0"}}
    daemon = make_daemon(sandbox, config, start=False)

    def check(mode, rc, *words):
        helper.path.chmod(mode)
        for arguments in (["--check"], []) if rc else (["--check"],):
            result = daemon.run(*arguments)
            assert result.rc == rc and all(word in result.err for word in words), result

    check(0o755, 0)
    check(0o775, 78, str(helper.path), "chmod go-w")
    check(0o644, 78, str(helper.path), "chmod a+rx")
    helper.path.chmod(0o755)
    for path, word in ((link, "name the file"), (tmp_path / "none", "install it")):
        daemon.configure({"Prompt": {"Helper": path}})
        result = daemon.run("--check")
        assert result.rc == 78 and word in result.err and str(path) in result.err, result

    daemon.configure(config)
    daemon.start()
    helper.path.chmod(0o777)
    asked = ask_push(daemon, enroll_push(daemon))
    daemon.wait_log(f"Cannot run the helper for challenge {asked['sid']}.*chmod go-w")
    assert helper.runs() == []
