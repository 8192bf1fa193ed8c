# SPDX-License-Identifier: Apache-2.0
"""A Varlink client of its own: it shares no code with the programs under test."""

import json
import socket
import time

from process import TIMEOUT

INTERFACE = "org.factord.Authenticator"


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name}: {parameters}")
        self.name = name.removeprefix(INTERFACE + ".")
        self.parameters = parameters


class Varlink:
    """One connection. Usable in a with statement."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.buffer = b""
        try:
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(str(path))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, method, parameters=None, **flags):
        """Sends a call; a method without a dot is one of the authenticator's."""
        name = method if "." in method else f"{INTERFACE}.{method}"
        call = {"method": name, "parameters": parameters or {}, **flags}
        self.send_raw(json.dumps(call).encode() + b"\0")

    def send_raw(self, data):
        self.socket.sendall(data)

    def receive(self, timeout=None):
        """The next reply, whole. EOFError when the server has closed the connection."""
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no reply in time")
            self.socket.settimeout(left)
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the server closed the connection")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def reply(self, timeout=None):
        """The next reply's parameters; raises VarlinkError."""
        message = self.receive(timeout)
        if "error" in message:
            raise VarlinkError(message["error"], message.get("parameters", {}))
        return message.get("parameters", {})

    def call(self, method, **parameters):
        self.send(method, parameters)
        return self.reply()

    def stream(self, method, **parameters):
        """All replies of a call with "more"."""
        self.send(method, parameters, more=True)
        while True:
            message = self.receive()
            if "error" in message:
                raise VarlinkError(message["error"], message.get("parameters", {}))
            yield message.get("parameters", {})
            if not message.get("continues"):
                return


class Monitor:
    """Follows the daemon's events. With since=0 it begins with all that is known."""

    def __init__(self, path, since=None):
        self.varlink = Varlink(path)
        self.events = []
        self.varlink.send("Monitor", {} if since is None else {"since": since}, more=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.varlink.close()

    def next(self, timeout=None):
        event = self.varlink.reply(timeout)["event"]
        self.events.append(event)
        return event

    def wait(self, predicate, timeout=None, what="an event"):
        """The first event, from the next one on, for which predicate(event) is true."""
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while True:
            try:
                event = self.next(max(deadline - time.monotonic(), 0))
            except TimeoutError:
                seen = "\n".join(map(str, self.events))
                raise AssertionError(f"timed out waiting for {what}; seen:\n{seen}") from None
            if predicate(event):
                return event

    def wait_challenge(self, sid, *states, timeout=None):
        """Waits until that challenge is in one of the states, and returns it."""
        event = self.wait(
            lambda e: e["type"] == "challenge"
            and e["challenge"]["sid"] == sid
            and e["challenge"]["state"] in states,
            timeout,
            f"{sid} to be {' or '.join(states)}",
        )
        return event["challenge"]
