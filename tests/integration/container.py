# SPDX-License-Identifier: Apache-2.0
"""A machine with a systemd of its own, for what only a service manager can show."""

import json
import os
import select
import subprocess
from pathlib import Path

from daemon import Result
from process import TIMEOUT, wait_for

SCRIPT = Path(__file__).with_name("container.sh")
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
ENVIRONMENT = [
    *("env", "-i", "-C", "/"),
    *("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"),
]


class Container:
    def __init__(self, build_dir, log_path):
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.popen = subprocess.Popen(
                [*AS_ROOT, "unshare", "-m", "--propagation", "private", "bash", SCRIPT, build_dir],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        readable, _, _ = select.select([self.popen.stdout], [], [], 3 * TIMEOUT)
        line = self.popen.stdout.readline().decode() if readable else ""
        if not line.startswith("leader "):
            self.stop()
            raise AssertionError(
                "no systemd could be booted in a container; it takes root (or sudo), systemd-nspawn,"
                f" overlayfs, namespaces and a writable cgroup2:\n{log_path.read_text()}"
            )
        self.leader = line.split()[1]

    def run(self, *command, check=True, user=None, input=None):
        """Runs a command inside, as root or as that user with a session of the user manager."""
        inside = [*AS_ROOT, "nsenter", "-t", self.leader, "-a", *ENVIRONMENT]
        if user:
            runtime = f"/run/user/{self.uid(user)}"
            inside += ["runuser", "-u", user, "--", "env", f"HOME=/home/{user}"]
            inside += [f"XDG_RUNTIME_DIR={runtime}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={runtime}/bus"]
        options = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(
            [*inside, *map(str, command)], capture_output=True, text=True, timeout=3 * TIMEOUT, **options
        )
        result = Result(done)
        assert not check or result.rc == 0, f"{' '.join(map(str, command))}: {result!r}"
        return result

    def json(self, *command, **options):
        return json.loads(self.run(*command, **options).out)

    def write(self, path, text, mode="0644", owner="root"):
        """Writes a file, making its folder."""
        self.run("mkdir", "-p", Path(path).parent)
        self.run("install", "-o", owner, "-m", mode, "/dev/stdin", path, input=text)

    def uid(self, user):
        return int(self.run("id", "-u", user).out)

    def show(self, unit, *properties, user=None):
        """A unit's properties: one as text, several as a dict."""
        scope = ["--user"] if user else []
        out = self.run("systemctl", *scope, "show", unit, "-p", ",".join(properties), user=user).out
        values = dict(line.split("=", 1) for line in out.splitlines())
        return values if len(properties) > 1 else values[properties[0]]

    def stat(self, path):
        """Mode, owner and group, such as "700 factord factord"."""
        return self.run("stat", "-c", "%a %U %G", path).out.strip()

    def journal(self, unit):
        """A unit's own messages of this boot, each a dict of journal fields."""
        out = self.run("journalctl", "-b", "-o", "json", "--no-pager", f"_SYSTEMD_UNIT={unit}").out
        return [json.loads(line) for line in out.splitlines()]

    def wait(self, *command, user=None, what=None):
        """Waits until a command succeeds inside."""
        wait_for(
            lambda: self.run(*command, check=False, user=user).rc == 0,
            what=what or " ".join(map(str, command)),
        )

    def stop(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(3 * TIMEOUT)
        except subprocess.TimeoutExpired:
            self.popen.terminate()
            self.popen.wait(TIMEOUT)
        self.popen.stdout.close()
