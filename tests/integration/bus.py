# SPDX-License-Identifier: Apache-2.0
"""A D-Bus of a test's own, and clients on it that share no code with the programs under test."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from daemon import Result
from process import TIMEOUT, Process, wait_for

SOURCE_ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path(__file__).with_name("bus_client.py")
NAME = "org.factord.Factord1"
ROOT = "/org/factord/Factord1"
MANAGER = f"{NAME}.Manager"
FACTOR = f"{NAME}.Factor"
CHALLENGE = f"{NAME}.Challenge"
ERROR = f"{NAME}.Error."
# The bus turns away users whom the machine does not know; these are on every Debian.
OWNER, STRANGER = (pwd.getpwnam(name).pw_uid for name in ("daemon", "nobody"))
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{kind}</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
{policy}
</busconfig>
"""
# As a distribution's session.conf and system.conf have them.
SESSION_POLICY = """  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>"""
SYSTEM_POLICY = """  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  <includedir>{policies}</includedir>"""


class BusError(Exception):
    """name: without the daemon's own prefix."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name.removeprefix(ERROR)
        self.message = message


class Bus:
    """A dbus-daemon: kind is "session", or "system" with the policy files as shipped."""

    def __init__(self, kind, *, start=True):
        self.kind = kind
        self.directory = Path(tempfile.mkdtemp(prefix="fb-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.path = self.directory / "bus"
        self.address = f"unix:path={self.path}"
        self.env = {f"DBUS_{kind.upper()}_BUS_ADDRESS": self.address}
        self.process = None
        self.clients = []
        policies = self.directory / "policies"
        policies.mkdir()
        shutil.copy(SOURCE_ROOT / "systemd/org.factord.Factord1.conf", policies)
        polkit = Path("/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf")
        if polkit.exists():
            shutil.copy(polkit, policies)
        policy = SESSION_POLICY if kind == "session" else SYSTEM_POLICY.format(policies=policies)
        text = CONFIGURATION.format(kind=kind, path=self.path, policy=policy)
        (self.directory / "bus.conf").write_text(text)
        if start:
            self.start()

    def start(self):
        self.process = Process(
            ["dbus-daemon", f"--config-file={self.directory}/bus.conf", "--nofork", "--nopidfile", "--nosyslog"],
            self.directory / "bus.log",
        )
        wait_for(self.path.exists, what=lambda: f"the bus:\n{self.process.stderr}")

    def kill(self):
        """The bus goes; its socket stays, as after a crash, with nobody there."""
        self.process.kill()

    def restart(self):
        self.kill()
        self.path.unlink()
        self.start()

    def close(self):
        for client in self.clients:
            client.close()
        if self.process:
            self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def user(self, uid=None):
        """What runs a program as that user, and what a program has to know of the bus."""
        who = {} if uid is None else {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **self.env}
        return {"env": env, "cwd": "/", **who}

    # busctl.

    def busctl(self, *arguments, uid=None, check=True):
        done = subprocess.run(
            ["busctl", f"--address={self.address}", "--json=short", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
            **self.user(uid),
        )
        result = Result(done)
        assert not check or result.rc == 0, f"busctl {arguments}: {result!r}"
        return result

    def call(self, member, signature="", *arguments, uid=None, path=ROOT, interface=MANAGER):
        """Calls by busctl; the result, if there is one."""
        text = [] if not signature else [signature, *arguments]
        out = self.busctl("call", NAME, path, interface, member, *text, uid=uid).out
        values = json.loads(out)["data"] if out.strip() else []
        return plain(values[0]) if values else None

    def introspect(self, path, uid=None):
        return self.busctl("introspect", "--xml-interface", NAME, path, uid=uid).out

    def wait_name(self):
        """Waits until the daemon answers to its name."""
        wait_for(
            lambda: self.busctl("call", NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping", check=False).rc == 0,
            what=f"{NAME} on the bus",
        )

    # python3-dbus.

    def client(self, uid=None):
        """A connection of that user's own: see bus_client.py."""
        client = Client(self, uid)
        self.clients.append(client)
        return client


def plain(value):
    """busctl's JSON without its types."""
    if isinstance(value, dict) and set(value) == {"type", "data"}:
        return plain(value["data"])
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


class Client:
    """A process with a connection to the bus that makes calls and takes signals."""

    def __init__(self, bus, uid=None):
        folder = bus.directory / "client"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        script = folder / CLIENT.name
        script.write_text(CLIENT.read_text())
        script.chmod(0o644)
        self.signals = []
        self.popen = subprocess.Popen(
            ["/usr/bin/python3", "-B", script, bus.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **bus.user(uid),
        )
        self.unique_name = self._read("ready")["name"]

    def _read(self, kind):
        """The next line of that kind; signals that come before are kept."""
        while True:
            line = self.popen.stdout.readline()
            assert line, "the client on the bus has ended"
            message = json.loads(line)
            if message["kind"] == kind:
                return message
            self.signals.append(message)

    def _ask(self, **request):
        self.popen.stdin.write(json.dumps(request) + "\n")
        self.popen.stdin.flush()

    def start(self, member, signature="", *arguments, path=ROOT, interface=MANAGER, destination=NAME):
        """Calls without waiting for the answer."""
        self._ask(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            arguments=arguments,
        )

    def answer(self):
        """The next answer, in the order in which they come. Raises BusError."""
        answer = self._read("answer")
        if "error" in answer:
            raise BusError(answer["error"], answer["message"])
        return answer["value"]

    def call(self, member, signature="", *arguments, **where):
        self.start(member, signature, *arguments, **where)
        return self.answer()

    def error(self, member, signature="", *arguments, **where):
        """The name of the error that must come."""
        try:
            value = self.call(member, signature, *arguments, **where)
        except BusError as e:
            return e.name
        raise AssertionError(f"{member} succeeded: {value}")

    def signal(self, what, predicate):
        """The first signal for which predicate(signal) is true; those before it are dropped."""
        while True:
            if not self.signals:
                self.signals.append(self._read("signal"))
            signal = self.signals.pop(0)
            if predicate(signal):
                return signal

    def member(self, member, predicate=lambda arguments: True):
        """The arguments of the first such signal."""
        signal = self.signal(member, lambda s: s["member"] == member and predicate(s["arguments"]))
        return signal["arguments"]

    def close(self):
        self.popen.kill()
        self.popen.communicate()


class Polkit:
    """A polkitd on a private system bus, with the actions as shipped and rules of the test's own."""

    def __init__(self, bus, rules=""):
        self.folders = {}
        for name, target in (("actions", "/usr/share/polkit-1/actions"), ("rules", "/etc/polkit-1/rules.d")):
            folder = bus.directory / name
            folder.mkdir()
            folder.chmod(0o755)
            self.folders[name] = (folder, target)
        shutil.copy(SOURCE_ROOT / "systemd/org.factord.Factord1.policy", bus.directory / "actions")
        (bus.directory / "rules/10-test.rules").write_text(rules)
        # The mounts are seen by polkitd alone.
        mounts = " && ".join(f"mount --bind {a} {b}" for a, b in self.folders.values())
        self.process = Process(
            [
                *("unshare", "-m", "--propagation", "private", "sh", "-c"),
                f"{mounts} && exec /usr/lib/polkit-1/polkitd >&2",
            ],
            bus.directory / "polkit.log",
            env={**os.environ, **bus.env},
        )
        wait_for(
            lambda: bus.busctl("status", "org.freedesktop.PolicyKit1", check=False).rc == 0,
            what=lambda: f"polkitd:\n{self.process.stderr}",
        )

    def close(self):
        self.process.kill()
