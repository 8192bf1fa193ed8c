# SPDX-License-Identifier: Apache-2.0
"""factorctl doctor, what status says about clocks and polling, and --strict-clock."""

import json
import os

import pytest

from fake_cli import ctl, daemon, factor, socket_path  # noqa: F401
from fake_daemon import FakeDaemon
from wallclock import make_wallclock, wallclock, wallclock_library  # noqa: F401

AC = "AC" + "0" * 32
STATES = ("ok", "warning", "error")


def status(**other):
    """Of a daemon with which nothing is wrong, but for other."""
    return {
        "version": "0.1.0",
        "mode": "user",
        "started": "2026-01-02T03:04:05Z",
        "base_url": "https://verify.twilio.com",
        "default": "ask",
        "factors": 1,
        "pending": 0,
        "sequence": 7,
        "accounts": [
            {"name": "main", "account_sid": AC, "user": AC, "state": "ok", "error": None}
        ],
        "clock": {"offset_ms": -12, "source": "server"},
        "poll_interval_ms": 3000,
        "idle_interval_ms": 15000,
        "effective_idle_interval_ms": 15000,
        "polling": [polled()],
        "last_poll": None,
        "problems": [],
        **other,
    }


def polled(**other):
    return {
        "account_sid": AC,
        "targets": 3,
        "effective_idle_interval_ms": 15000,
        "waiting": 0,
        "backoff_until": None,
        "error": None,
        **other,
    }


@pytest.fixture
def serve(daemon, socket_path, ctl, wallclock):
    """A function that starts a daemon with such a status and such factors."""
    version = ctl("--version").stdout.split()[1]

    def serve(factors=(), **other):
        reply = {"version": version, **status(**other)} | {"version": other.get("version", version)}
        lists = [{"factors": [f]} for f in factors] + [{"factors": []}]
        fake = daemon(GetStatus={"status": reply}, ListFactors=lists)
        os.chmod(socket_path, 0o600)
        return fake

    return serve


@pytest.fixture
def doctor(ctl, wallclock, tmp_path):
    """A function that runs it and returns its result and its checks by name (the last of each)."""

    def run(*arguments, env=None, **options):
        env = {"HOME": str(tmp_path / "nobody"), **wallclock.env, **(env or {})}
        env.setdefault("XDG_STATE_HOME", "")
        result = ctl("doctor", "--json", *arguments, env=env, **options)
        checks = result.json["checks"]
        for check in checks:
            assert check.keys() == {"name", "state", "text", "hint"} and check["state"] in STATES
            assert check["text"] and (check["state"] != "ok" or check["hint"] is None)
        # The same as a table.
        text = ctl("doctor", *arguments, env=env, **options)
        assert text.status == result.status
        assert text.stdout.split()[:3] == ["STATE", "CHECK", "WHAT"]
        found = [line.split()[0] for line in text.stdout.splitlines()[1:] if line[0] != " "]
        assert found == [check["state"] for check in checks]
        return result, {check["name"]: check for check in checks}

    return run


def test_all_is_well(serve, doctor):
    serve([factor("one")])
    result, checks = doctor()
    assert (result.status, result.stderr) == (0, "")
    assert {c["state"] for c in checks.values()} == {"ok"}
    names = ("daemon", "version", "problem", "account", "factor", "polling", "socket", "clock")
    assert set(names) <= checks.keys() and "kernel clock" in checks
    assert f"pid {os.getpid()}" in checks["daemon"]["text"]


def test_no_daemon(doctor, wallclock, socket_path):
    """The clock is looked at all the same."""
    result, checks = doctor()
    assert result.status == 1 and result.stderr == ""
    assert checks["daemon"]["state"] == "error" and "start" in checks["daemon"]["hint"]
    assert str(socket_path) in checks["daemon"]["text"]
    assert checks["kernel clock"]["state"] == "ok"
    assert checks.keys() == {"daemon", "kernel clock", "policy"}
    wallclock.synchronised(False)
    _, checks = doctor()
    assert checks["kernel clock"]["state"] == "warning" and checks["kernel clock"]["hint"]


def test_no_answer(daemon, doctor):
    daemon(GetStatus=None)
    result, checks = doctor("--timeout", "200ms")
    assert result.status == 1 and checks["daemon"]["state"] == "error"
    assert "kernel clock" in checks


def test_nonsense_for_an_answer(daemon, doctor):
    daemon(GetStatus={"status": []})
    result, checks = doctor()
    assert result.status == 1 and "does not answer as factord does" in checks["daemon"]["text"]


@pytest.mark.parametrize(
    "name, state, word, other",
    [
        ("version", "warning", "9.9.9", {"version": "9.9.9"}),
        ("problem", "warning", "Group", {"problems": ["Group= does not exist"]}),
        ("store", "error", "full", {"store_problem": "disk is full", "problems": ["disk is full"]}),
        (
            "account",
            "error",
            "401",
            {"accounts": [{"name": "main", "state": "refused", "error": "HTTP 401"}]},
        ),
        ("polling", "warning", "2min", {"effective_idle_interval_ms": 120000}),
        (
            "polling",
            "warning",
            "2030-01-02T03:04:05Z",
            {"polling": [polled(backoff_until="2030-01-02T03:04:05Z", error="HTTP 429")]},
        ),
        ("polling", "warning", "unreachable", {"polling": [polled(error="unreachable")]}),
        ("clock", "ok", "not compared", {"clock": {"offset_ms": 0, "source": "local"}}),
        ("clock", "warning", "3s behind", {"clock": {"offset_ms": 3000, "source": "server"}}),
        ("clock", "warning", "ahead", {"clock": {"offset_ms": -30000, "source": "server"}}),
        ("clock", "error", "1h behind", {"clock": {"offset_ms": 3600000, "source": "server"}}),
        (
            "clock change",
            "warning",
            "3600000 ms",
            {"clock": {"offset_ms": 0, "source": "server", "candidate_ms": 3600000}},
        ),
    ],
)
def test_what_is_wrong(serve, doctor, name, state, word, other):
    serve(**other)
    result, checks = doctor()
    assert checks[name]["state"] == state and word in checks[name]["text"]
    assert {n for n, c in checks.items() if c["state"] != "ok"} == {name} - (
        {name} if state == "ok" else set()
    )
    assert result.status == (1 if state == "error" else 0)
    assert result.stderr == ""


@pytest.mark.parametrize(
    "other, state",
    [
        ({"status": "revoked", "error": "HTTP 401"}, "error"),
        ({"status": "detached", "base_url": "http://127.0.0.1:1"}, "warning"),
        ({"error": "its stored key cannot be used"}, "error"),
        ({"status": "unverified"}, "warning"),
        ({"status": "enrolling"}, "warning"),
        ({"status": "local", "type": "hotp"}, "ok"),
    ],
)
def test_factors(serve, doctor, other, state):
    serve([factor("good"), factor("bad", **other)])
    result, checks = doctor()
    assert checks["factor"]["state"] == state
    if state != "ok":
        assert "bad" in checks["factor"]["text"] and "good" not in checks["factor"]["text"]
    assert result.status == (1 if state == "error" else 0)


def test_hostile_text(serve, doctor, ctl, wallclock):
    serve([factor("x", error="\x1b[2J\u202eboo")])
    doctor()
    text = ctl("doctor", env=wallclock.env).stdout
    assert "\x1b" not in text and "\u202e" not in text and "boo" in text


def test_socket_and_folders(ctl, doctor, tmp_path, wallclock):
    """Modes of what is where it usually is."""
    runtime, state = tmp_path / "run", tmp_path / "state"
    for folder in (runtime / "factord", state / "factord"):
        folder.mkdir(parents=True)
        folder.chmod(0o700)
    key = state / "factord" / "store.key"
    key.touch(mode=0o600)
    env = {"XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(state)}
    path = runtime / "factord" / "factord.sock"
    fake = FakeDaemon(path, {"GetStatus": {"status": status()}, "ListFactors": {"factors": []}})
    try:
        path.chmod(0o600)
        _, checks = doctor(env=env, find=True)
        assert checks["socket"]["state"] == checks["state folder"]["state"] == "ok"
        assert str(path) in checks["daemon"]["text"]
        for thing, mode, name in (
            (path, 0o666, "socket"),
            (runtime / "factord", 0o777, "socket"),
            (state / "factord", 0o755, "state folder"),
            (key, 0o644, "state folder"),
        ):
            before = thing.stat().st_mode & 0o7777
            thing.chmod(mode)
            result, checks = doctor(env=env, find=True)
            assert result.status == 1 and checks[name]["state"] == "error"
            assert f"{mode:04o}" in checks[name]["text"] and str(thing) in checks[name]["hint"]
            assert checks[name]["hint"].startswith("chmod 0")
            thing.chmod(before)
        key.chmod(0o600)
        result, _ = doctor(env=env, find=True)
        assert result.status == 0
    finally:
        fake.stop()


# --strict-clock.


CODE = {"code": "123456", "valid_for": 20, "next": "654321", "warning": None}


@pytest.mark.parametrize(
    "clock, synchronised, expected",
    [
        ({"offset_ms": 0, "source": "server"}, True, 0),
        ({"offset_ms": 2000, "source": "server"}, True, 0),
        ({"offset_ms": 2001, "source": "server"}, True, 9),
        ({"offset_ms": -2001, "source": "server"}, True, 9),
        # The provider's word is enough; without it, the kernel's is wanted.
        ({"offset_ms": 0, "source": "server"}, False, 0),
        ({"offset_ms": 0, "source": "local"}, True, 0),
        ({"offset_ms": 0, "source": "local"}, False, 9),
    ],
)
def test_strict_clock(daemon, ctl, wallclock, socket_path, clock, synchronised, expected):
    wallclock.synchronised(synchronised)
    fake = daemon(
        GetStatus={"status": status(clock=clock)}, ListFactors={"factors": []}, GetCode=CODE
    )
    socket_path.chmod(0o600)
    for line in (["status"], ["status", "--json"], ["doctor"], ["doctor", "--json"]):
        result = ctl(*line, "--strict-clock", env=wallclock.env)
        assert result.status == expected
        assert bool(result.stdout) and bool(result.stderr) == bool(expected)
        if "--json" in line:
            assert result.json
        assert ctl(*line, env=wallclock.env).status == 0
    # No code comes from a clock that is wrong; it is not even asked for.
    result = ctl("code", "x", "--strict-clock", env=wallclock.env)
    assert result.status == expected
    assert result.stdout == ("" if expected else "123456\n")
    assert bool([c for c in fake.calls if c[0] == "GetCode"]) == (expected == 0)
    assert ctl("code", "x", env=wallclock.env).status == 0


def test_strict_clock_is_for_some(ctl):
    assert ctl("list", "--strict-clock").status == 2
    assert ctl("pending", "--strict-clock").status == 2


# status.


def test_status_shows_polling(serve, ctl, wallclock):
    serve(
        effective_idle_interval_ms=90000,
        polling=[
            polled(targets=4500, effective_idle_interval_ms=90000, waiting=12),
            polled(account_sid="AC" + "1" * 32, backoff_until="2030-01-02T03:04:05Z", error="503"),
        ],
        clock={"offset_ms": 1500, "source": "server", "candidate_ms": -3600000},
    )
    wallclock.synchronised(False)
    text = ctl("status", env=wallclock.env).stdout
    for piece in (
        "1min 30s",
        "more than a minute late",
        "4500",
        "12",
        "2030-01-02T03:04:05Z",
        "503",
        "1s 500ms behind the provider's",
        "1500 ms",
        "-3600000 ms off",
        "not synchronised",
    ):
        assert piece in text, piece
    document = ctl("status", "--json", env=wallclock.env).json
    assert document["polling"][0]["targets"] == 4500


# The real daemon.


@pytest.mark.valgrind
def test_real(make_daemon, sandbox, make_wallclock):
    clock = make_wallclock()
    real = make_daemon(sandbox, {"Poll": {"Interval": "1h", "IdleInterval": "1h"}}, env=clock.env)
    real.enroll_push("push", "alice-001")
    checks = real.ctl_json("doctor")["checks"]
    bad = [c for c in checks if c["state"] != "ok" and c["name"] != "polling"]
    assert not bad, json.dumps(bad)
    real.ctl("doctor", "--strict-clock")
    clock.set(5)
    real.wait_log("set forward by 5s")
    for verb in ("doctor", "status"):
        real.ctl(verb, "--strict-clock", check=9)
        real.ctl(verb)
    clock.set(0)
    # Its factor goes at the provider, and it polls.
    (made,) = sandbox.state()["factors"]
    sandbox.api_ok("DELETE", sandbox.entity("alice-001", f"/Factors/{made['sid']}"))
    real.ctl("poll")
    real.wait_log("refuses factor push: ")
    found = real.ctl("doctor", "--json", check=None)
    assert found.rc == 1
    assert [c["name"] for c in json.loads(found.out)["checks"] if c["state"] == "error"] == ["factor"]
