# SPDX-License-Identifier: Apache-2.0
"""factorctl watch on a terminal: what is shown there, what may decide, and that it leaves no trace."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness import wait_for
from fake_cli import DIGEST, OTHER, SID, challenge as made_up
from fake_daemon import Error, FakeDaemon
from steps import (
    approve,
    ask_push,
    call,
    challenge,
    enroll_push,
    fault_update,
    shift_clock,
    wait_state,
)
from terminal import Pty, Tmux

CONFIG = {"Prompt": {"ArmDelay": "100ms"}}


@pytest.fixture
def daemon(make_daemon, sandbox):
    return make_daemon(sandbox, CONFIG)


@pytest.fixture
def held(daemon):
    return enroll_push(daemon, "laptop")


@pytest.fixture
def factorctl(build_dir):
    return build_dir / "cli/factorctl"


@pytest.fixture
def terminals(show_on_failure):
    """A function that opens a terminal of that size."""
    made = []

    def make(columns=80, rows=24):
        made.append(Tmux(columns, rows))
        show_on_failure("terminal", made[-1].last_screen)
        return made[-1]

    yield make
    for terminal in made:
        terminal.__exit__()


@pytest.fixture
def watch(terminals, factorctl, daemon):
    """A function that starts factorctl watch on a terminal, and waits until it has found the daemon."""

    def start(*arguments, columns=80, rows=24, env=None):
        terminal = terminals(columns, rows)
        terminal.start(factorctl, "--socket", daemon.socket_path, "watch", *arguments, env=env)
        terminal.wait("^nothing waits >|^[0-9:]+ (left )?>")
        return terminal

    return start


def state_of(daemon, asked):
    return challenge(daemon, asked["sid"])["state"]


def test_answers(watch, daemon, held, sandbox):
    """Whole words decide, and nothing else does; one at a time, the oldest first."""
    first = ask_push(daemon, held, "First?", fields=[("Where", "Berlin")])
    terminal = watch()
    second, third = ask_push(daemon, held, "Second?"), ask_push(daemon, held, "Third?")
    terminal.wait("^2 more wait$")
    terminal.wait_prompt()
    screen = terminal.screen()
    for part in (first["sid"], "laptop", "alice-001", sandbox.service_sid, "message: First?", "| Where: Berlin"):
        assert part in screen
    assert "Second?" not in screen
    # The time runs in place.
    rows, left = terminal.rows(), terminal.wait_prompt()
    terminal.wait(rf"^(?!{left})\d+:\d+ left > $|^(?!{left})\d+:\d+ left >$")
    assert terminal.rows()[:-2] == rows[:-2] and len(terminal.rows()) == len(rows)

    for typed in ("", "yes", "approv", "Approve", "approve it"):
        terminal.type(typed)
        terminal.wait("^Nothing was decided. Type a whole word: approve, deny, ignore, skip, quit")
        terminal.keys("C-l")
        terminal.wait_prompt()
    assert [state_of(daemon, c) for c in (first, second, third)] == ["asking"] * 3

    terminal.keys("nonsense", "C-u", "approvee", "BSpace")
    terminal.wait_prompt("approve")
    terminal.keys("Enter")
    terminal.wait(rf"^approved {first['sid']} \(laptop\)$")
    assert sandbox.challenge(first["sid"])["status"] == "approved"
    terminal.wait("message: Second\\?")
    terminal.wait_prompt()
    terminal.type("skip")
    terminal.wait("message: Third\\?")
    terminal.wait_prompt()
    terminal.type("deny")
    terminal.wait(rf"^denied {third['sid']}")
    assert sandbox.challenge(third["sid"])["status"] == "denied"
    terminal.wait(rf"(?s)denied {third['sid']}.*message: Second\?")
    terminal.wait_prompt()
    terminal.type("ignore")
    terminal.wait(rf"^ignored {second['sid']}")
    assert sandbox.challenge(second["sid"])["status"] == "pending"
    terminal.wait("^nothing waits >")


def test_type_ahead(make_daemon, watch, sandbox, daemon, held):
    """What is typed before a challenge is drawn, or with the answer to another, answers nothing."""
    daemon.configure({"Prompt": {"ArmDelay": "1s"}})
    daemon.restart()
    terminal = watch()
    terminal.keys("-l", "approv")
    terminal.wait("> approv$")
    first = ask_push(daemon, held, "First?")
    second = ask_push(daemon, held, "Second?")
    terminal.wait(r"^\d+:\d+ left \.\.\.")
    terminal.type("approve")
    assert terminal.wait_prompt()
    assert "> approve" not in terminal.screen()
    assert state_of(daemon, first) == "asking"
    terminal.keys("skip", "Enter", "approve", "Enter")
    terminal.wait("message: Second\\?")
    terminal.wait_prompt()
    assert "Nothing is asked" not in terminal.screen()
    terminal.keys("deny", "Enter", "approve", "Enter", "approve", "Enter")
    terminal.wait(rf"(?s)^denied {second['sid']}.*message: First\?")
    terminal.wait_prompt()
    assert state_of(daemon, first) == "asking"


def test_long_paste(factorctl, daemon, held):
    """What goes on and on answers one challenge, not each that comes up meanwhile."""
    asked = [ask_push(daemon, held, f"Number {n}?") for n in range(3)]
    daemon.configure({"Prompt": {"ArmDelay": "500ms"}})
    daemon.restart()
    for one in asked:
        wait_state(daemon, one["sid"], "asking")
    command = [factorctl, "--socket", daemon.socket_path, "watch"]
    with Pty(command, {"TERM": "xterm", "LC_ALL": "C.UTF-8"}) as terminal:
        terminal.wait("left > ")
        for _ in range(100):
            terminal.write("approve\r")
            time.sleep(0.02)
        states = [state_of(daemon, one) for one in asked]
        assert sorted(states) == ["approved", "asking", "asking"]
        # After a silence the next one is to be had.
        terminal.wait(r"approved YC(?s:.)*left > ")
        terminal.write("approve\r")
        wait_for(lambda: [state_of(daemon, one) for one in asked].count("approved") == 2)


def test_time_out(watch, daemon, held):
    """By the provider's clock; what was typed is dropped."""
    shift_clock(daemon, 3600)
    terminal = watch()
    asked = ask_push(daemon, held, expires_in=3600 + 4)
    assert re.fullmatch("0:0[1-6]", terminal.wait_prompt())
    terminal.keys("approv")
    terminal.wait("> approv$")
    terminal.wait(rf"^expired {asked['sid']} \(laptop\)")
    terminal.wait("^nothing waits >$")
    terminal.type("e")
    terminal.wait("^Nothing is asked at present")
    assert wait_state(daemon, asked["sid"], "expired")


def test_answered_elsewhere(watch, daemon, held, sandbox):
    terminal = watch()
    first, second = ask_push(daemon, held, "First?"), ask_push(daemon, held, "Second?")
    terminal.wait_prompt()
    terminal.keys("approv")
    terminal.wait_prompt("approv")
    approve(daemon, first)
    terminal.wait(rf"^{first['sid']} is being answered elsewhere|^{first['sid']} was ended elsewhere")
    terminal.wait(rf"^approved {first['sid']}")
    terminal.wait("message: Second\\?")
    terminal.wait_prompt()
    # The same challenge, with another content.
    terminal.keys("approv")
    terminal.wait_prompt("approv")
    sandbox.change_challenge(second["sid"], details={"message": "Other?", "fields": []})
    call(daemon, "Poll")
    terminal.wait("message: Other\\?")
    terminal.wait_prompt()
    assert "Other?" in challenge(daemon, second["sid"])["message"]
    assert sandbox.challenge(second["sid"])["status"] == "pending"


# How it ends.


def child(pid):
    """The one child of that process."""
    return int(subprocess.check_output(["pgrep", "-P", str(pid)]))


def state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def modes(terminal):
    """A program whose exit status and whose terminal's modes, before and after, are written down."""
    return (
        f'cd {terminal.directory}; stty -a >before; "$@"; echo $? >status; stty -a >after; '
        "cmp before after || echo changed >status; mv status end"
    )


@pytest.mark.parametrize(
    "how, status",
    [
        *(("C-d", 0), ("C-c", 130), ("C-\\", 131), (signal.SIGTERM, 143), (signal.SIGHUP, 129)),
        *((signal.SIGUSR1, 138), (signal.SIGALRM, 142)),
    ],
)
def test_ends(terminals, factorctl, daemon, held, sandbox, how, status):
    """The terminal is as it was; a decision that is under way stays."""
    terminal = terminals()
    asked = ask_push(daemon, held)
    command = [factorctl, "--socket", daemon.socket_path, "watch"]
    # The shell is no victim of what is meant for its child.
    terminal.start("sh", "-c", "trap : INT QUIT HUP TERM; " + modes(terminal), "sh", *command)
    terminal.wait_prompt()
    if how == "C-c":
        fault_update(sandbox, asked["sid"], times=1, delay_ms=700)
        terminal.type("approve")
        terminal.wait(r"^\d:\d\d, approving \.\.\.")
    if isinstance(how, str):
        terminal.keys(how)
    else:
        os.kill(child(terminal.pid), how)
    end = terminal.directory / "end"
    wait_for(end.exists, what=lambda: f"the end:\n{terminal.screen()}")
    assert end.read_text() == f"{status}\n"
    if how == "C-c":
        terminal.wait("goes on without factorctl")
        sandbox.wait_challenge(asked["sid"], "approved")
    else:
        assert state_of(daemon, asked) == "asking"


@pytest.mark.parametrize("deaf", [False, True])
def test_closed_terminal(terminals, factorctl, daemon, deaf):
    """It ends, also when no signal tells it."""
    terminal = terminals()
    command = [factorctl, "--socket", daemon.socket_path, "watch"]
    if deaf:
        command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    terminal.start(*command)
    # Where nothing is drawn by itself, so that no failed writing tells it.
    terminal.wait("^nothing waits >")
    pid = terminal.pid
    terminal.tmux("kill-pane")
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), what="its end")


def test_suspend(terminals, daemon, held, factorctl):
    """Ctrl-Z leaves the terminal as it was; fg shows the challenge again; in the background it stops."""
    terminal = terminals(columns=100)
    asked = ask_push(daemon, held)
    terminal.start("bash", "--norc", "--noprofile", "-i", env={"PS1": "ready> "})
    terminal.wait("^ready> $|^ready>$")
    folder = terminal.directory
    terminal.type(f"stty -a >{folder}/before; {factorctl} --socket {daemon.socket_path} watch")
    terminal.wait_prompt()
    terminal.keys("appro")
    terminal.wait_prompt("appro")
    terminal.keys("C-z")
    terminal.wait("Stopped")
    watcher = child(terminal.pid)
    terminal.type(f"clear; stty -a | cmp - {folder}/before && echo the same; bg; echo behind")
    terminal.wait("^the same$")
    terminal.wait("^behind$")
    wait_for(lambda: state(watcher) == "T", what="a stop in the background")
    terminal.type("clear; fg")
    terminal.wait(f"challenge: {asked['sid']}")
    terminal.wait_prompt()
    # A stop that can't be caught, too.
    os.kill(watcher, signal.SIGSTOP)
    terminal.wait("Stopped")
    terminal.type("clear; fg")
    wait_for(lambda: "Stopped" not in terminal.screen(), what="an empty screen")
    terminal.wait(f"challenge: {asked['sid']}")
    terminal.wait_prompt()
    terminal.type("approve")
    terminal.wait(f"^approved {asked['sid']}")
    terminal.keys("C-z")
    terminal.wait("Stopped")
    # One that is stopped ends as well, without a look at the terminal.
    terminal.type(f"clear; kill %1; wait %1; stty -a | cmp - {folder}/before && echo rc=$?")
    terminal.wait("^rc=0$")


# What is shown.


def test_resize(watch, daemon, held):
    terminal = watch()
    fields = [(f"Field {i}", "words of some length " * 3) for i in range(4)]
    asked = ask_push(daemon, held, fields=fields)
    terminal.wait_prompt()
    terminal.keys("appro")
    terminal.wait_prompt("appro")
    for columns, rows in ((20, 5), (120, 40), (37, 12), (100, 30), (1, 1), (20, 3), (100, 30)):
        terminal.resize(columns, rows)
        if columns >= 20:
            terminal.wait(r"^\d+:\d+ left > appro$" if columns >= 40 else r"^\d+:\d+ > appro$")
            assert len(re.findall("> appro$", terminal.screen(), re.MULTILINE)) == 1
    # All of it, once, in rows of the new width, from the top of the screen on.
    long = " " * 14 + "| Field 3: " + "words of some length " * 2 + "words of some length"
    wait_for(lambda: (r := terminal.rows())[1].endswith(asked["sid"]) and long in r, what=terminal.screen)
    assert "\n".join(terminal.rows()).count("challenge: ") == 1
    terminal.resize(20, 5)
    terminal.wait(r"^\d+:\d+ > appro$")
    terminal.type("ve")
    terminal.wait("^nothing waits >$")
    assert state_of(daemon, asked) == "approved"


HOSTILE = (
    "\x1b[2J\x1b[1;1H\x1b]0;title\x07<b>bold</b> \u202eevil\u2066\u200b \x9b31m\r\n"
    "        factor: other\n0:59 left > approve\n" + "." + " " * 90 + "| Where: Berlin"
)


def test_hostile_text(watch, daemon, held):
    """Escapes, markup, bidi, newlines, and so much of it: shown as what it is, each under its mark."""
    fields = [(f"L{i}\x1b[31m\n| x", f"{i} " + "value of 128 characters" * 5) for i in range(20)]
    terminal = watch()
    asked = ask_push(daemon, held, HOSTILE, fields=fields)
    terminal.wait_prompt()
    terminal.wait("^These were [0-9]+ lines: scroll up to see all")
    lines = terminal.screen(history=True).split("\n")
    start = next(i for i, line in enumerate(lines) if asked["sid"] in line)
    end = next(i for i, line in enumerate(lines) if line.startswith("These were"))
    card = lines[start:end]
    ours = re.compile(r" *(challenge|factor|type|service|identity|created|message): | {14}[|>] ")
    assert all(ours.match(line) for line in card), card
    assert len([line for line in card if line.startswith(" " * 14 + "| ")]) == 20
    assert [line for line in card if "factor: " in line[:16]] == ["        factor: laptop"]
    text = "".join(line[16:] for line in card)
    for part in ("<b>bold</b>", r"\u{202e}evil\u{2066}\u{200b}", r"\x1b[2J\x1b[1;1H\x1b]0;title\x07"):
        assert part in text
    assert r"\n0:59 left > approve\n." in text and "| x: 19 value" in text
    assert len([line for line in lines if line.startswith(("0:59", "title"))]) == 0
    assert terminal.ask("pane_title") != "title"
    assert state_of(daemon, asked) == "asking"


def test_bombed_and_matched(terminals, factorctl, tmp_path):
    """What a prompt warns of, and what it wants typed, is what the daemon says."""
    path = tmp_path / "socket"
    bombed = made_up(confirm="sid", confirm_field=None, quiet=True, repeat_of=None, repeats=6)
    matched = made_up(
        OTHER,
        created="2026-01-02T03:04:04Z",
        fields=[{"label": "Code", "value": None}],
        **{"confirm": "field", "confirm_field": "Code", "quiet": False, "repeat_of": None, "repeats": 0},
    )
    repeat = made_up("YC" + "2" * 32, quiet=True, repeat_of=SID, confirm="sid", repeats=0)

    def approve_it(parameters):
        right = {SID: SID[-4:], OTHER: "4 2"}[parameters["sid"]]
        if parameters.get("confirm") != right:
            raise Error("InvalidParameter", message="That is not it", parameter="confirm")
        return {"challenge": made_up(parameters["sid"], state="approved")}

    status = {"sequence": 7, "clock": {"offset_ms": 0}, "prompt": {"arm_delay_ms": 10}}
    fake = FakeDaemon(
        path,
        {
            "GetStatus": {"status": status},
            "ListChallenges": [{"challenges": [c]} for c in (repeat, bombed, matched)] + [{"challenges": []}],
            "Monitor": None,
            "Approve": approve_it,
        },
    )
    try:
        terminal = terminals().start(factorctl, "--socket", path, "watch")
        # Not the one that is not to be popped up, although both wait.
        terminal.wait(r"\| Code: \(to be typed\)")
        terminal.wait("^1 more waits$")
        terminal.wait_prompt()
        terminal.type("approve")
        terminal.wait('^Type the value of "Code" as it stands where')
        terminal.type("43")
        terminal.wait("^That is not it$")
        terminal.wait_prompt()
        terminal.type("approve")
        terminal.wait("left, value >")
        terminal.type("4 2")
        terminal.wait(f"^approved {OTHER}")
        terminal.wait("^! This factor is being bombed")
        terminal.wait("^asked 7 times$")
        terminal.wait_prompt()
        terminal.type("approve")
        terminal.wait("left, end of the SID >")
        terminal.type(SID[-4:])
        terminal.wait(f"^approved {SID}")
        terminal.wait("^nothing waits >$")
    finally:
        fake.stop()
    decisions = [c[1] for c in fake.calls if c[0] == "Approve"]
    assert decisions == [
        {"sid": sid, "digest": DIGEST, "confirm": confirm}
        for sid, confirm in ((OTHER, "43"), (OTHER, "4 2"), (SID, SID[-4:]))
    ]
    assert ("Monitor", {"since": 7}, True) in fake.calls


def test_daemon_restarts(watch, daemon, held, sandbox):
    """It says so, connects again, and has missed nothing."""
    terminal = watch()
    first, second = ask_push(daemon, held, "First?"), ask_push(daemon, held, "Second?")
    terminal.wait_prompt()
    terminal.keys("approv")
    terminal.wait_prompt("approv")
    daemon.kill()
    terminal.wait(r"^The daemon is gone \(")
    terminal.wait("^connecting to the daemon > *$")
    sandbox.change_challenge(first["sid"], status="denied")
    daemon.start()
    terminal.wait(rf"^superseded {first['sid']}")
    terminal.wait("message: Second\\?")
    terminal.wait_prompt()
    terminal.type("approve")
    terminal.wait(rf"^approved {second['sid']}")
    daemon.restart()
    terminal.wait(r"(?s)^approved.*^The daemon is gone \(factord stops\).*^The daemon is there again.$")
    terminal.wait("^nothing waits >$")


# Without tmux.


def plain_env(**more):
    return {**{k: v for k, v in os.environ.items() if k not in ("TERM", "NO_COLOR")}, **more}


@pytest.mark.parametrize("env, delay", [({"TERM": "dumb"}, "300ms"), ({}, "0s")])
def test_dumb_terminal(factorctl, daemon, held, sandbox, env, delay):
    """Line by line: nothing but text is written. The kernel's half of a line is dropped, too."""
    daemon.configure({"Prompt": {"ArmDelay": delay}})
    daemon.restart()
    command = [factorctl, "--socket", daemon.socket_path, "watch"]
    with Pty(command, plain_env(**env)) as terminal:
        terminal.wait("nothing waits > $")
        terminal.write("app")
        terminal.wait("app$")
        asked = ask_push(daemon, held, "Sign\x1b[2J in?")
        terminal.wait(r"message: Sign\\x1b\[2J in\?[^>]*\d:\d\d left\.[^>]*> $")
        terminal.write("rove\n")
        terminal.wait("Nothing was decided[^>]*\r\n> $")
        terminal.write("approvv\x7fe\n")
        terminal.wait(rf"approving \.\.\. \r\napproved {asked['sid']} \(laptop\)\r\nnothing waits > $")
        assert sandbox.challenge(asked["sid"])["status"] == "approved"
        terminal.write("\x04")
        assert terminal.wait_end() == 0
        assert "\x1b" not in terminal.output


def test_no_colour_and_time(factorctl, daemon, held, tmp_path):
    """NO_COLOR: no type but the plain. --timeout: 124 when nothing was decided, else 0."""
    command = [factorctl, "--socket", daemon.socket_path, "watch", "--timeout", "1s"]
    asked = ask_push(daemon, held)
    with Pty(command, plain_env(TERM="xterm", NO_COLOR="1")) as terminal:
        terminal.wait("left > $")
        assert terminal.wait_end() == 124
        assert "\x1b[J" in terminal.output and "\x1b[1m" not in terminal.output
        assert terminal.output.endswith("factorctl: no answer in time: nothing was decided\r\n")
    with Pty(command, plain_env(TERM="xterm")) as terminal:
        terminal.wait(r"\x1b\[1m *challenge[^>]*left > $")
        terminal.write("deny\r")
        terminal.wait(f"denied {asked['sid']}")
        assert terminal.wait_end() == 0
    with Pty([factorctl, "--socket", tmp_path / "none", "watch"], plain_env(TERM="xterm")) as terminal:
        assert terminal.wait_end() == 69
        assert terminal.output.startswith("factorctl: no daemon listens")
        assert terminal.output.count("\r\n") == 1


def test_hang_up(factorctl, daemon, held):
    """The other end of a bare terminal closes: by SSH, say."""
    ask_push(daemon, held)
    with Pty([factorctl, "--socket", daemon.socket_path, "watch"], plain_env(TERM="xterm")) as terminal:
        terminal.wait("left > $")
        terminal.hang_up()
        assert terminal.wait_end() == 129


# Not on a terminal.


class Stream:
    """factorctl watch --json, from a place among the events on."""

    def __init__(self, daemon, since):
        self.process = daemon.popen_ctl("watch", "--json", "--since", since, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def until(self, asked, state):
        """The events up to the one that says this."""
        events = []
        for line in self.process.stdout:
            events.append(json.loads(line))
            told = events[-1].get("challenge") or {}
            if (told.get("sid"), told.get("state")) == (asked["sid"], state):
                return events
        raise AssertionError(f"no such event: {events}")


def test_stream_resumes(daemon, held):
    """From the last sequence number that was seen on: nothing is lost and nothing comes twice, whether
    the reader went away or the daemon."""
    first = ask_push(daemon, held, "First?")
    with Stream(daemon, 0) as stream:
        events = stream.until(first, "asking")
    approve(daemon, first)
    second = ask_push(daemon, held, "Second?")
    with Stream(daemon, events[-1]["sequence"]) as stream:
        events += stream.until(second, "asking")
        third = ask_push(daemon, held, "Third?")
        call(daemon, "Ignore", sid=second["sid"])
        events += stream.until(second, "ignored")
        daemon.restart()
        events += [json.loads(line) for line in stream.process.stdout]
        assert stream.process.wait() == 1
    fourth = ask_push(daemon, held, "Fourth?")
    with Stream(daemon, events[-1]["sequence"]) as stream:
        events += stream.until(fourth, "asking")

    sequences = [e["sequence"] for e in events]
    assert sequences == sorted(set(sequences))
    told = {e["challenge"]["sid"]: e for e in events if e["type"] == "challenge"}
    told = dict(sorted(told.items(), key=lambda item: item[1]["sequence"]))
    assert {sid: e["challenge"]["state"] for sid, e in told.items()} == {
        first["sid"]: "approved",
        second["sid"]: "ignored",
        third["sid"]: "asking",
        fourth["sid"]: "asking",
    }
    # What the daemon holds is what was told last of each.
    with daemon.monitor(since=0) as monitor:
        held_now = [{"schema": 1, **monitor.next()} for _ in range(len(told) + 1)]
    assert [e for e in held_now if e["type"] == "challenge"] == list(told.values())
