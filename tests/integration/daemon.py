# SPDX-License-Identifier: Apache-2.0
"""A running factord of its own, and factorctl to drive it."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from checks import assert_no_secrets, assert_no_tokens
from process import TIMEOUT, WRAPPER, Process, wait_for
from varlink import Monitor, Varlink

# Programs run in an environment that a test has decided on, not the developer's.
KEPT_VARIABLES = ("PATH", "HOME", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS")


class Result:
    """What a run of factorctl came to."""

    def __init__(self, done):
        self.rc = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return f"rc={self.rc}\nstdout: {self.out}\nstderr: {self.err}"


class Daemon:
    """One factord with its own folder, configuration, socket and store.

    config: {"Section": {"Key": value}} on top of the usual; None leaves a key or a section out.
    text: a whole configuration instead. start=False: only writes the files.
    """

    def __init__(self, build_dir, sandbox=None, config=None, *, text=None, env=None, start=True):
        self.build_dir = build_dir
        self.sandbox = sandbox
        # Socket paths have 107 bytes: not below pytest's long folder names.
        self.directory = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
        self.socket_path = self.directory / "s"
        self.state_directory = self.directory / "state"
        self.config_path = self.directory / "factord.conf"
        self.password_path = self.directory / "password"
        self.env = {k: os.environ[k] for k in KEPT_VARIABLES if k in os.environ}
        self.env.update(env or {})
        self.process = None
        self.notifications = []
        self.canaries = []
        self.last_stderr = ""
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify_end = threading.Event()
        self.notify_lock = threading.Lock()
        self.notify_reader = threading.Thread(target=self._read_notifications, daemon=True)
        try:
            self.notify.bind(str(self.directory / "notify"))
            self.notify_reader.start()
            self._write_files(config or {}, text)
            if start:
                self.start()
        except BaseException:
            self.close()
            raise

    # Configuration.

    def defaults(self):
        sections = {
            "Daemon": {
                "Socket": self.socket_path,
                "StateDirectory": self.state_directory,
                "Bus": "none",
            },
            "Poll": {"Interval": "200ms", "IdleInterval": "200ms"},
            # Tests ask more often than people are asked.
            "Prompt": {"Budget": "100000/10min"},
            # A folder that is not there means no rules; the developer's own must not count.
            "Policy": {"Directory": self.directory / "policy.d"},
        }
        if self.sandbox:
            sections["Api"] = {"BaseUrl": self.sandbox.url}
            sections["Account main"] = {
                "AccountSid": self.sandbox.account_sid,
                "PasswordFile": self.password_path,
            }
        return sections

    def _write_files(self, config, text):
        if self.sandbox:
            self.write_secret("password", self.sandbox.auth_token + "\n")
            self.canaries.append(self.sandbox.auth_token)
        self.configure(config, text)

    def write_secret(self, name, text):
        """A file that only its owner can read, in the daemon's folder."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def configure(self, config, text=None):
        """Writes the configuration file; a running daemon reads it at its next start."""
        if text is None:
            sections = self.defaults()
            for section, keys in config.items():
                if keys is None:
                    sections.pop(section, None)
                else:
                    sections.setdefault(section, {}).update(keys)
            lines = []
            for section, keys in sections.items():
                lines.append(f"[{section}]")
                lines += [f"{k}={v}" for k, v in keys.items() if v is not None]
            text = "\n".join(lines) + "\n"
        self.config_path.touch(mode=0o644)
        self.config_path.write_text(text)

    # Life.

    def command(self, *arguments):
        program = self.build_dir / "daemon/factord"
        return [*WRAPPER, program, "--user", "--config", self.config_path, *arguments]

    def run(self, *arguments, timeout=None):
        """Runs factord to its end instead, for --check, --version or a start that must fail."""
        return Result(
            subprocess.run(
                [str(part) for part in self.command(*arguments)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=self.env,
                timeout=TIMEOUT if timeout is None else timeout,
            )
        )

    def spawn(self):
        """Starts it without waiting until it is ready."""
        assert not (self.process and self.process.running), "it runs already"
        self._drain()
        self.notifications.clear()
        self.process = Process(
            self.command(),
            self.directory / "factord.log",
            env={**self.env, "NOTIFY_SOCKET": str(self.directory / "notify")},
        )

    def start(self):
        self.spawn()
        wait_for(self._ready_or_ended, what=lambda: f"READY=1 of factord:\n{self.stderr}")
        assert "READY=1" in self.notified(), f"factord did not start:\n{self.stderr}"

    def _ready_or_ended(self):
        return "READY=1" in self.notified() or not self.process.running

    def _read_notifications(self):
        """As the service manager does, at once: the queue is short, and a full one blocks factord."""
        while not self.notify_end.is_set():
            if select.select([self.notify], [], [], 0.1)[0]:
                self._drain()

    def _drain(self):
        with self.notify_lock:
            while True:
                try:
                    message = self.notify.recv(65536, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return
                self.notifications += message.decode().splitlines()

    def notified(self):
        """All that it has told the service manager since its start, a line each."""
        self._drain()
        return self.notifications

    @property
    def status_text(self):
        """Its last STATUS=, or None."""
        lines = [n for n in self.notified() if n.startswith("STATUS=")]
        return lines[-1].removeprefix("STATUS=") if lines else None

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        """All that it has logged, over all its starts; kept when its folder is gone."""
        if self.process and self.process.stderr_path.exists():
            self.last_stderr = self.process.stderr
        return self.last_stderr

    def wait_log(self, pattern, timeout=None):
        """Waits for a line of the log that matches."""
        return wait_for(
            lambda: re.search(pattern, self.stderr, re.MULTILINE),
            timeout,
            lambda: f"/{pattern}/ in the log:\n{self.stderr}",
        )

    def terminate(self):
        """SIGTERM: it must end with 0, clean."""
        rc = self.process.terminate()
        assert rc == 0, f"factord ended with {rc}:\n{self.stderr}"
        self.process.check_reports()

    def kill(self):
        """A crash: SIGKILL, nothing is checked."""
        self.process.kill()

    def restart(self):
        if self.process.running:
            self.terminate()
        self.start()

    def check_logs(self, extra=()):
        """No secret may stand in the log or in what the service manager was told."""
        told = "\n".join(self.notified())
        for text, where in ((self.stderr, "the log"), (told, "the status text")):
            assert_no_secrets(text, [*self.canaries, *extra], where)
            assert_no_tokens(text, where)

    def stop(self):
        """Ends it if it runs, checks its exit, its memory and its logs, and removes its folder."""
        try:
            if self.process and self.process.running:
                self.terminate()
            if self.process:
                self.process.check_reports()
            self.check_logs()
        finally:
            self.close()

    def close(self):
        if self.process:
            self.process.kill()
            self.last_stderr = self.stderr
        self.notify_end.set()
        if self.notify_reader.is_alive():
            self.notify_reader.join()
        self.notify.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Clients.

    def popen_ctl(self, *arguments, **options):
        """A factorctl that keeps running, for watch and the like; the caller ends it."""
        return subprocess.Popen(
            self._ctl_command(arguments), text=True, env=self.env, **options
        )

    def _ctl_command(self, arguments):
        program = self.build_dir / "cli/factorctl"
        return [str(part) for part in (program, "--socket", self.socket_path, *arguments)]

    def ctl(self, *arguments, input=None, check=True, timeout=None):
        """Runs factorctl. check: True wants exit status 0, a number that one, None any."""
        options = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        result = Result(
            subprocess.run(
                self._ctl_command(arguments),
                capture_output=True,
                text=True,
                env=self.env,
                timeout=2 * TIMEOUT if timeout is None else timeout,
                **options,
            )
        )
        expected = 0 if check is True else result.rc if check is None else check
        assert result.rc == expected, f"factorctl {' '.join(map(str, arguments))}: {result!r}"
        return result

    def ctl_json(self, *arguments, **options):
        """Runs factorctl --json and returns its one document."""
        document = json.loads(self.ctl("--json", *arguments, **options).out)
        assert document["schema"] == 1
        return document

    def varlink(self):
        return Varlink(self.socket_path)

    def monitor(self, since=None):
        return Monitor(self.socket_path, since)

    # What tests do often.

    def factors(self):
        return self.ctl_json("list")["factors"]

    def factor(self, name):
        return next(f for f in self.factors() if f["name"] == name)

    def pending(self):
        return self.ctl_json("pending")["challenges"]

    def enroll_push(self, name, identity, *arguments, account="main"):
        """Enrols with the account's credentials and returns the factor."""
        self.ctl(
            *("enroll", "push", "--name", name, "--identity", identity),
            *("--service", self.sandbox.service_sid, "--account", account, *arguments),
        )
        return self.factor(name)

    def enroll_totp(self, name, identity, *arguments, account="main"):
        """Enrols a TOTP factor; its secret, known to the sandbox, must then never be logged."""
        self.ctl(
            *("enroll", "totp", "--name", name, "--identity", identity),
            *("--service", self.sandbox.service_sid, "--account", account, *arguments),
        )
        factor = self.factor(name)
        self.canaries.append(self.sandbox.factor(factor["sid"])["secret"])
        return factor

    def wait_pending(self, sid, *states, timeout=None):
        """Waits until that challenge is listed, in one of the states if any are given."""

        def listed():
            for challenge in self.pending():
                if challenge["sid"] == sid and (not states or challenge["state"] in states):
                    return challenge
            return None

        return wait_for(listed, timeout, f"{sid} to be pending {' or '.join(states)}")
