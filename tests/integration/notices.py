# SPDX-License-Identifier: Apache-2.0
"""A session bus of one's own, and what is said there of notifications, as a monitor sees it."""

import json

from logind import SystemBus
from process import Process, wait_for

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
MARKER = "org.factord.Marker"


class SessionBus(SystemBus):
    """Nothing is activated on it: what is there was started by a test."""

    def __init__(self):
        super().__init__()
        self.env = {"DBUS_SESSION_BUS_ADDRESS": self.address}


class Notice:
    """One Notify: id is None until the server has answered."""

    def __init__(self, message):
        data = message["payload"]["data"]
        _, self.replaces, self.icon, self.summary, self.body, actions, hints, self.timeout = data
        self.at = message["timestamp-realtime"] / 1e6
        self.sender = message["sender"]
        self.call = (message["sender"], message["cookie"])
        self.id = None
        self.actions = dict(zip(actions[::2], actions[1::2], strict=True))
        self.hints = {key: value["data"] for key, value in hints.items()}

    @property
    def text(self):
        return f"{self.summary}\n{self.body}"

    def key(self, label):
        """The action that is drawn as that; a click on the body is no button."""
        return next(k for k, drawn in self.actions.items() if drawn == label and k != "default")

    def __repr__(self):
        return f"<{self.id} replaces {self.replaces}: {self.text!r} {self.actions}>"


class Notices:
    """Every Notify in order, and those that stand at the server."""

    def __init__(self, bus):
        self.bus = bus
        self.raw = []  # the messages' own text, for what must not be in any
        self.all = []
        self.closed = []  # ids, in order
        self.standing = {}  # by id
        self.markers = self.markers_seen = 0
        self.starts = 0
        self.process = None
        self.start()

    def start(self):
        """After a restart of the bus once more."""
        self.starts += 1
        self.path = self.bus.directory / f"monitor-{self.starts}"
        self.offset = 0
        with open(self.path, "wb") as out:
            self.process = Process(
                ["busctl", f"--address={self.bus.address}", "--json=short", "monitor"],
                self.bus.directory / "monitor.err",
                stdout=out,
            )
        self.connection = self.bus.connect()
        wait_for(self._sees_us, what=lambda: f"the monitor:\n{self.process.stderr}")

    def _sees_us(self):
        self._mark()
        return self._seen()

    def _mark(self):
        """A question that means nothing to anybody, and is seen after all that was before it."""
        self.markers += 1
        self.connection.name_has_owner(f"{MARKER}{self.markers}")

    def _seen(self):
        return self.read().markers_seen == self.markers

    def read(self):
        """Takes in what has come; an unfinished line waits for its rest."""
        with open(self.path, "rb") as lines:
            lines.seek(self.offset)
            new = lines.read()
        new = new[: new.rfind(b"\n") + 1]
        self.offset += len(new)
        for line in new.decode().splitlines():
            message = json.loads(line)
            self.raw.append(line)
            self._take(message)
        return self

    def sync(self):
        """All that was on the bus before this call is taken in."""
        self._mark()
        wait_for(self._seen, what="the monitor")
        return self

    def _take(self, message):
        kind, member = message["type"], message.get("member")
        data = message["payload"].get("data") or [None]
        if kind == "method_call" and message.get("interface") == NAME and member == "Notify":
            self.all.append(Notice(message))
        elif kind == "method_call" and str(data[0]).startswith(MARKER):
            self.markers_seen = int(data[0].removeprefix(MARKER))
        elif kind == "method_return":
            self._answered((message.get("destination"), message["reply_cookie"]), data[0])
        elif kind == "signal" and member == "NotificationClosed":
            self.closed.append(data[0])
            self.standing.pop(data[0], None)
        elif kind == "signal" and member == "NameOwnerChanged" and data[0] == NAME:
            self.standing.clear()

    def _answered(self, call, number):
        for notice in reversed(self.all):
            if notice.id is None and notice.call == call:
                notice.id = number
                self.standing[number] = notice

    @property
    def pop_ups(self):
        """Those that replace none: each of them disturbs somebody."""
        return [n for n in self.all if n.replaces == 0]

    def wait(self, *texts, absent=(), actions=None, timeout=None):
        """The notice that stands with these in its text, and with exactly those buttons."""

        def found():
            self.read()
            for notice in self.standing.values():
                buttons = [label for key, label in notice.actions.items() if key != "default"]
                if (
                    all(t in notice.text for t in texts)
                    and not any(t in notice.text for t in absent)
                    and actions in (None, buttons)
                ):
                    return notice
            return None

        return wait_for(found, timeout, lambda: f"{texts} {actions or ''}\n{self.describe()}")

    def wait_none(self, *texts, timeout=None):
        """Until no notice with that text stands; without a text none at all."""

        def none():
            standing = self.read().standing.values()
            return not [n for n in standing if all(t in n.text for t in texts)]

        wait_for(none, timeout, lambda: f"nothing with {texts}\n{self.describe()}")

    def describe(self):
        standing = "\n".join(map(repr, self.standing.values()))
        everything = "\n".join(map(repr, self.all))
        return f"standing:\n{standing}\nof all these:\n{everything}"

    def assert_never(self, text):
        """In no message of this bus, of whatever kind."""
        self.sync()
        encoded = json.dumps(text, ensure_ascii=False)[1:-1]
        assert not [m for m in self.raw if encoded in m or text in m], text

    def end(self):
        self.process.kill()
        self.connection.close()
