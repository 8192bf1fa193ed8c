#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of factord on D-Bus, with python3-dbus and python3-gi.

usage: dbus-client.py [--system] list
       dbus-client.py [--system] watch
       dbus-client.py [--system] approve SID DIGEST [CONFIRM]
       dbus-client.py [--system] deny SID DIGEST

DIGEST is that of the challenge as you saw it, from list or watch.
"""

import json
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "org.factord.Factord1"
ROOT = "/org/factord/Factord1"
ANSWER_SECONDS = 60  # a decision is answered when the provider has confirmed


def show(challenge):
    """One line, safe on a terminal whatever the backend wrote: JSON escapes all but ASCII. What is
    null is not in the dictionary."""
    shown = {k: challenge.get(k) for k in ("sid", "digest", "factor", "state", "message", "fields")}
    print(json.dumps(shown, ensure_ascii=True), flush=True)


def watch(bus, manager):
    """The signals come to this connection alone, and only for what its user may see."""
    bus.add_signal_receiver(show, "ChallengeChanged", NAME + ".Manager", NAME, ROOT)
    manager.Subscribe()
    for challenge in manager.ListChallenges(dbus.Dictionary(signature="sv")):
        show(challenge)
    GLib.MainLoop().run()


def run(bus, verb, *arguments):
    manager = dbus.Interface(bus.get_object(NAME, ROOT, introspect=False), NAME + ".Manager")
    if verb == "list" and not arguments:
        for challenge in manager.ListChallenges(dbus.Dictionary(signature="sv")):
            show(challenge)
    elif verb == "watch" and not arguments:
        watch(bus, manager)
    elif verb == "approve" and len(arguments) == 2:
        show(manager.Approve(*arguments, timeout=ANSWER_SECONDS))
    elif verb == "approve" and len(arguments) == 3:
        show(manager.ApproveConfirmed(*arguments, timeout=ANSWER_SECONDS))
    elif verb == "deny" and len(arguments) == 2:
        show(manager.Deny(*arguments, timeout=ANSWER_SECONDS))
    else:
        raise SystemExit(__doc__)


def main(arguments):
    system = arguments[:1] == ["--system"]
    arguments = arguments[system:]
    if not arguments:
        raise SystemExit(__doc__)
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    try:
        run(dbus.SystemBus() if system else dbus.SessionBus(), *arguments)
    except dbus.DBusException as e:
        name = e.get_dbus_name().removeprefix(NAME + ".Error.")
        raise SystemExit(f"dbus-client: {name}: {e.get_dbus_message()}") from None
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
