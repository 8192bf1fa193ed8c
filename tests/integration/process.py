# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, and processes that never outlive their test."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

# How much slower than a plain build the programs are allowed to be (sanitizers, valgrind).
TIME_SCALE = float(os.environ.get("FACTORD_TIME_SCALE", "1"))
TIMEOUT = 20 * TIME_SCALE

# What a daemon is run under, for instance valgrind.
WRAPPER = shlex.split(os.environ.get("FACTORD_WRAPPER", ""))

# What the sanitizers and valgrind write when they have found something.
REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "runtime error:",
    "Invalid read of size",
    "Invalid write of size",
    "uninitialised value",
    "definitely lost",
    "possibly lost",
)


def wait_for(predicate, timeout=None, what="the condition"):
    """Polls until predicate() is true and returns what it returned. Time is scaled already."""
    deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
    step = 0.002
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"timed out waiting for {what() if callable(what) else what}")
        time.sleep(step)
        step = min(step * 1.5, 0.1)


class Process:
    """A program under test: its stderr goes to a file, and it dies with this process at the latest."""

    def __init__(self, command, stderr_path, *, stdout=subprocess.DEVNULL, env=None):
        self.command = [str(part) for part in command]
        self.stderr_path = Path(stderr_path)
        with open(self.stderr_path, "ab") as stderr:
            self.popen = subprocess.Popen(
                # The signal reaches a program whose test runner was killed.
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=env,
            )

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def signal(self, number):
        if self.running:
            self.popen.send_signal(number)

    def wait(self, timeout=None):
        """The exit status; a program that does not end in time is a failure, and is killed."""
        try:
            return self.popen.wait(TIMEOUT if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[0]} did not end in time") from None

    def terminate(self, timeout=None):
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def check_reports(self):
        """Fails when a sanitizer or valgrind complained."""
        found = [line for line in self.stderr.splitlines() if any(r in line for r in REPORTS)]
        assert not found, "memory checker:\n" + self.stderr
