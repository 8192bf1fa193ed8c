# SPDX-License-Identifier: Apache-2.0
"""A system bus of one's own, and on it a logind whose sessions a test makes, locks and ends."""

import shutil
import sys
import tempfile
from pathlib import Path

import dbus
import dbus.bus

from process import Process, wait_for

NAME = "org.freedesktop.login1"
MANAGER = "org.freedesktop.login1.Manager"
SESSION = "org.freedesktop.login1.Session"
PATH = "/org/freedesktop/login1"
MOCK = "org.freedesktop.DBus.Mock"

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"""


class SystemBus:
    """A real dbus-daemon; env is what makes a program take it for the system bus."""

    def __init__(self, start=True):
        # A socket's path has 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="fd-bus-", dir="/tmp"))
        self.socket_path = self.directory / "bus"
        self.address = f"unix:path={self.socket_path}"
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        self.process = None
        (self.directory / "bus.conf").write_text(CONFIGURATION.format(socket=self.socket_path))
        if start:
            self.start()

    def start(self):
        configuration = self.directory / "bus.conf"
        self.process = Process(
            ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog"],
            self.directory / "bus.log",
        )
        wait_for(self._answers, what=lambda: f"the bus to answer:\n{self.process.stderr}")

    def _answers(self):
        try:
            self.connect().close()
            return True
        except dbus.DBusException:
            return False

    def connect(self):
        """A connection of one's own; the caller closes it."""
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        return connection

    def end(self):
        """Without a word to anybody, as in a crash."""
        self.process.kill()

    def stop(self):
        if self.process:
            self.end()
        shutil.rmtree(self.directory, ignore_errors=True)


class Logind:
    """dbusmock's logind on such a bus. Its sessions are gone when it ends, as is its name."""

    def __init__(self, bus):
        self.bus = bus
        self.process = self.connection = self.manager = None
        self.start()

    def start(self):
        self.process = Process(
            [sys.executable, "-m", "dbusmock", "--system", "--template", "logind"],
            self.bus.directory / "logind.log",
            env={"PATH": "/usr/bin:/bin", **self.bus.env},
        )
        self.connection = self.bus.connect()
        wait_for(
            lambda: self.connection.name_has_owner(NAME) and self._is_ready(),
            what=lambda: f"logind:\n{self.process.stderr}",
        )
        self.manager = self.connection.get_object(NAME, PATH, introspect=False)

    def _is_ready(self):
        """It takes its name before it has its methods."""
        try:
            manager = self.connection.get_object(NAME, PATH, introspect=False)
            manager.ListSessions(dbus_interface=MANAGER)
            return True
        except dbus.DBusException:
            return False

    def end(self):
        """It goes away without a word."""
        self.process.kill()
        self.connection.close()

    def add_session(self, name, uid, *, type="x11", seat="seat0", active=True, locked=False, **more):
        """A session, announced as logind does. more: other properties, such as Class."""
        path = self.manager.AddSession(
            name, seat, dbus.UInt32(uid), f"user{uid}", active, dbus_interface=MOCK
        )
        self.change(name, Type=type, LockedHint=locked, **more)
        self._signal("SessionNew", name, path)

    def add_ssh_session(self, name, uid, **more):
        """dbusmock wants a seat; a login by SSH has none, and is active as long as it lasts."""
        more = {"Remote": True, "Service": "sshd", **more}
        self.add_session(name, uid, type="tty", seat="none", **more)

    def remove_session(self, name):
        path = f"{PATH}/session/{name}"
        self.manager.RemoveObject(path, dbus_interface=MOCK)
        self._signal("SessionRemoved", name, dbus.ObjectPath(path))

    def _signal(self, member, name, path):
        self.manager.EmitSignal(
            MANAGER, member, "so", [name, dbus.ObjectPath(path)], dbus_interface=MOCK
        )

    def change(self, name, **properties):
        """Changes a session's properties, with PropertiesChanged."""
        session = self.connection.get_object(NAME, f"{PATH}/session/{name}", introspect=False)
        changed = dbus.Dictionary(properties, signature="sv")
        session.UpdateProperties(SESSION, changed, dbus_interface=MOCK)

    def change_silently(self, name, **properties):
        """Likewise, but nobody is told: so logind does with a session's State."""
        session = self.connection.get_object(NAME, f"{PATH}/session/{name}", introspect=False)
        for key, value in properties.items():
            session.Set(SESSION, key, value, dbus_interface="org.freedesktop.DBus.Properties")

    def lock(self, name, locked=True):
        self.change(name, LockedHint=locked)

    def unlock(self, name):
        self.lock(name, False)

    def stop(self):
        self.end()
