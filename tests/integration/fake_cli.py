# SPDX-License-Identifier: Apache-2.0
"""Running factorctl against a fake daemon: fixtures and what a daemon answers."""

import json
import os
import pty
import re
import select
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fake_daemon import FakeDaemon

BUILD_DIR = os.environ.get("FACTORD_BUILD_DIR", Path(__file__).resolve().parents[2] / "build")
FACTORCTL = Path(BUILD_DIR).resolve() / "cli/factorctl"
SID = "YC" + "0123456789abcdef" * 2
OTHER = "YC" + "1123456789abcdef" * 2
DIGEST = "ab" * 32
YF = "YF" + "0" * 32
VA = "VA" + "0" * 32


def challenge(sid=SID, **other):
    soon = datetime.now(timezone.utc) + timedelta(minutes=4)
    return {
        "sid": sid,
        "digest": DIGEST,
        "factor": "laptop",
        "factor_sid": YF,
        "factor_type": "push",
        "state": "asking",
        "service_sid": VA,
        "identity": "alice-12",
        "message": "Log in?",
        "fields": [{"label": "Where", "value": "Berlin"}],
        "created": "2026-01-02T03:04:05Z",
        "expires": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": None,
        "repeat_of": None,
        "repeats": 0,
        "quiet": False,
        "confirm": "none",
        "confirm_field": None,
        **other,
    }


def factor(name="laptop", **other):
    return {
        "name": name,
        "sid": YF,
        "type": "push",
        "status": "verified",
        "owner": 0,
        "service_sid": VA,
        "identity": "alice-12",
        "last_poll": None,
        "error": None,
        "match_field": None,
        "cooling_until": None,
        **other,
    }


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.stdout = (process.stdout or b"").decode()
        self.stderr = process.stderr.decode()

    @property
    def json(self):
        assert self.stdout.endswith("\n")
        assert self.stdout.count("\n") == 1
        document = json.loads(self.stdout)
        assert next(iter(document.items())) == ("schema", 1)
        return document


@pytest.fixture
def socket_path(tmp_path):
    return tmp_path / "socket"


@pytest.fixture
def ctl(socket_path):
    """A function that runs factorctl; stdin is never a terminal."""

    def run(*arguments, stdin=b"", env=None, find=False, stdout=subprocess.PIPE):
        where = [] if find else ["--socket", str(socket_path)]
        return Result(
            subprocess.run(
                [FACTORCTL, *where, *arguments],
                input=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env={**os.environ, **(env or {})},
                timeout=30,
            )
        )

    return run


@pytest.fixture
def daemon(socket_path):
    """A function that starts the fake daemon, whose clock is right unless it answers otherwise."""
    made = []
    status = {"status": {"clock": {"offset_ms": 0, "source": "server"}}}

    def make(**answers):
        made.append(FakeDaemon(socket_path, {"GetStatus": status, **answers}))
        return made[-1]

    yield make
    for d in made:
        d.stop()


def assert_complains(result, status):
    assert result.status == status, result.stderr
    assert result.stdout == ""
    assert re.fullmatch(r"factorctl: [^\n]+\n", result.stderr)


def on_terminal(socket_path, *arguments, answer):
    """Runs factorctl with a terminal for stdin; answers once it is asked, or each time that it is asked
    when answer is a list. (status, out, err)"""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [FACTORCTL, "--socket", str(socket_path), *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    try:
        err = b""
        for line in answer if isinstance(answer, list) else [answer]:
            asked = b""
            while not asked.endswith(b": ") and select.select([process.stderr], [], [], 20)[0]:
                piece = os.read(process.stderr.fileno(), 4096)
                if not piece:
                    break
                asked += piece
            err += asked
            if line is not None:
                os.write(ours, line)
        out, rest = process.communicate(timeout=20)
        return process.returncode, out.decode(), (err + rest).decode()
    finally:
        os.close(ours)
        process.kill()
