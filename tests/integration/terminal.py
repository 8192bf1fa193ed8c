# SPDX-License-Identifier: Apache-2.0
"""A terminal that a program runs on: tmux with a server of its own, or a bare pty."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from process import TIMEOUT, Process, wait_for


class Tmux:
    """One window. Its program is started directly, so that the pane's process is the program."""

    def __init__(self, columns=80, rows=24):
        # Socket paths have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="tm-", dir="/tmp"))
        self.socket = self.directory / "s"
        self.size = (columns, rows)
        self.server = Process(
            ["tmux", "-S", self.socket, "-f", "/dev/null", "-D"],
            self.directory / "tmux.log",
            env={**os.environ, "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"},
        )
        wait_for(self._listens, what="tmux's server")

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self.socket)) == 0

    def tmux(self, *arguments, check=True):
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def start(self, *command, env=None):
        """Runs it; what it leaves on the screen stays after its end."""
        columns, rows = self.size
        variables = [f"-e{k}={v}" for k, v in (env or {}).items()]
        self.tmux("set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "history-limit", 2000)
        self.tmux("new-session", "-d", "-x", columns, "-y", rows, *variables, *command)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.terminate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def keys(self, *keys):
        """Names of keys, as tmux has them, or text."""
        self.tmux("send-keys", *keys)

    def type(self, line):
        """A line and Enter."""
        self.tmux("send-keys", "-l", line, ";", "send-keys", "Enter")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", columns, "-y", rows)

    def screen(self, history=False):
        return self.tmux("capture-pane", "-p", *(["-S", "-"] if history else []))

    def last_screen(self):
        """For a report: all that there is, if there is a terminal."""
        return self.tmux("capture-pane", "-p", "-S", "-", check=False)

    def rows(self):
        """What stands there, without the empty rows below it."""
        return self.screen().rstrip("\n").split("\n")

    def wait(self, pattern):
        """Waits until something on the screen matches, and returns the match."""

        def found():
            screen = self.screen()
            match = re.search(pattern, screen, re.MULTILINE)
            assert match or "Pane is dead" not in screen, f"/{pattern}/ on the screen:\n{screen}"
            return match

        return wait_for(
            found,
            None,
            lambda: f"/{pattern}/ on the screen:\n{self.screen()}",
        )

    def wait_prompt(self, typed=""):
        """Waits until input is taken and the line holds just that; the time left, as it stands there."""
        return self.wait(rf"^(\d+:[0-9:]+)( left)?(, [a-zA-Z ]+)? > ?{re.escape(typed)}$")[1]

    def ask(self, what):
        return self.tmux("display-message", "-p", f"#{{{what}}}").strip()

    @property
    def pid(self):
        return int(self.ask("pane_pid"))


class Pty:
    """A bare terminal, the session's own: bytes in and out."""

    def __init__(self, command, env, columns=80, rows=24):
        self.output = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(str(command[0]), [str(part) for part in command], env)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap(0)

    def hang_up(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def write(self, text):
        os.write(self.fd, text.encode())

    def _read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data.decode()
        return bool(data)

    def wait(self, pattern):
        """Waits until all that was written so far matches."""
        deadline = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern, self.output)):
            left = deadline - time.monotonic()
            assert left > 0, f"/{pattern}/ in {self.output!r}"
            self._read(min(left, 0.5))
        return found

    def _reap(self, flags):
        pid, status = os.waitpid(self.pid, flags)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return pid

    def wait_end(self):
        """The exit status, when all is read."""

        def ended():
            while self.fd >= 0 and self._read(0):
                pass
            return self._reap(os.WNOHANG)

        wait_for(ended, what=lambda: f"its end: {self.output!r}")
        return self.status
