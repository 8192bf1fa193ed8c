# SPDX-License-Identifier: Apache-2.0
"""A client on D-Bus with python3-dbus, run as any user: bus_client.py ADDRESS.

Calls come as JSON lines on stdin, all at once if need be. Answers and signals go as JSON lines to stdout.
"""

import json
import sys

import dbus
import dbus.bus
import dbus.mainloop.glib
from gi.repository import GLib


def say(kind, **parts):
    print(json.dumps({"kind": kind, **parts}), flush=True)


def plain(value):
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return int(value) if isinstance(value, int) else str(value)


def typed(value):
    """A variant's own type can't be told by an empty container."""
    if isinstance(value, dict):
        return dbus.Dictionary({k: typed(v) for k, v in value.items()}, signature="sv")
    if isinstance(value, list):
        return dbus.Array([typed(v) for v in value], signature=None if value else "s")
    if isinstance(value, int) and not isinstance(value, bool):
        return dbus.Int64(value)
    return value


def call(connection, request):
    def answered(*values):
        say("answer", value=plain(values[0]) if values else None)

    def failed(error):
        say("answer", error=error.get_dbus_name(), message=error.get_dbus_message())

    connection.call_async(
        request["destination"],
        request["path"],
        request["interface"],
        request["member"],
        request["signature"],
        [typed(a) for a in request["arguments"]],
        answered,
        failed,
        timeout=60,
    )


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    loop = GLib.MainLoop()
    connection = dbus.bus.BusConnection(sys.argv[1])

    def on_signal(*arguments, member, path, interface, sender):
        if interface != "org.freedesktop.DBus":
            say("signal", member=member, path=path, interface=interface, arguments=plain(arguments))

    connection.add_signal_receiver(
        on_signal,
        member_keyword="member",
        path_keyword="path",
        interface_keyword="interface",
        sender_keyword="sender",
    )

    def on_input(channel, condition):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        call(connection, json.loads(line))
        return True

    # Unbuffered reading: a line that waits in a buffer would not wake the loop.
    sys.stdin = open(0, "rb", buffering=0)
    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, on_input)
    connection.set_exit_on_disconnect(False)
    say("ready", name=connection.get_unique_name())
    loop.run()


main()
