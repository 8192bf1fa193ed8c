# SPDX-License-Identifier: Apache-2.0
"""A notification server without a screen: a program, on the session bus of its environment.

usage: fake_notifyd.py CAPABILITY...
Over org.factord.Test a test plays the person: Choose(id, action), Emit(id, action) and Dismiss(id).
"""

import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
TEST = "org.factord.Test"
DISMISSED, CLOSED = 2, 3


class Server(dbus.service.Object):
    def __init__(self, bus, capabilities):
        super().__init__(bus, PATH)
        self.capabilities = capabilities
        self.standing = set()
        self.last = 0

    @dbus.service.method(NAME, out_signature="as")
    def GetCapabilities(self):
        return dbus.Array(self.capabilities, signature="s")

    @dbus.service.method(NAME, out_signature="ssss")
    def GetServerInformation(self):
        return "fake", "factord", "1", "1.2"

    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        # What no longer stands gets its old number all the same: so the specification has it.
        if not replaces:
            self.last += 1
        self.standing.add(int(replaces or self.last))
        return replaces or self.last

    @dbus.service.method(NAME, in_signature="u")
    def CloseNotification(self, number):
        self._close(number, CLOSED)

    @dbus.service.signal(NAME, signature="us")
    def ActionInvoked(self, number, action):
        pass

    @dbus.service.signal(NAME, signature="uu")
    def NotificationClosed(self, number, reason):
        pass

    def _close(self, number, reason):
        if int(number) in self.standing:
            self.standing.discard(int(number))
            self.NotificationClosed(number, reason)

    @dbus.service.method(TEST, in_signature="us")
    def Choose(self, number, action):
        """As most servers do: what was clicked goes away."""
        self.ActionInvoked(number, action)
        self._close(number, DISMISSED)

    @dbus.service.method(TEST, in_signature="us")
    def Emit(self, number, action):
        self.ActionInvoked(number, action)

    @dbus.service.method(TEST, in_signature="u")
    def Dismiss(self, number):
        self._close(number, DISMISSED)


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    server = Server(bus, sys.argv[1:])
    # Whoever sees the name can call.
    name = dbus.service.BusName(NAME, bus, do_not_queue=True)
    GLib.MainLoop().run()
    del server, name


if __name__ == "__main__":
    main()
