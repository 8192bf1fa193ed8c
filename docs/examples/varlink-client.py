#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of factord's Unix socket: no more than the standard library.

usage: varlink-client.py [--socket PATH] list
       varlink-client.py [--socket PATH] watch [SINCE]
       varlink-client.py [--socket PATH] approve SID DIGEST [CONFIRM]
       varlink-client.py [--socket PATH] deny SID DIGEST

DIGEST is that of the challenge as you saw it, from list or watch.
"""

import json
import os
import pwd
import socket
import struct
import sys

INTERFACE = "org.factord.Authenticator."


class VarlinkError(Exception):
    """The daemon's no: its name without the interface, and a sentence for a person."""

    def __init__(self, name, parameters):
        self.name = name.removeprefix(INTERFACE)
        self.parameters = parameters
        super().__init__(f"{self.name}: {parameters.get('message', '')}")


def default_socket():
    """The user's own daemon if it runs, else the system's."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    own = os.path.join(runtime, "factord/factord.sock")
    return own if os.path.exists(own) else "/run/factord/factord.sock"


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""
        self._check_peer(path)

    def _check_peer(self, path):
        """Anybody could have made a socket of that name: who answers must be the daemon."""
        credentials = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _pid, uid, _gid = struct.unpack("iII", credentials)
        trusted = {0, os.getuid()}
        trusted.update(p.pw_uid for p in pwd.getpwall() if p.pw_name == "factord")
        if uid not in trusted:
            raise PermissionError(f"{path} belongs to uid {uid}: not talking to it")

    def _receive(self):
        while b"\0" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("factord closed the connection")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def replies(self, method, parameters, more):
        """Each reply's parameters, until the last one."""
        call = {"method": INTERFACE + method, "parameters": parameters, "more": more}
        self.socket.sendall(json.dumps(call).encode() + b"\0")
        while True:
            reply = self._receive()
            if "error" in reply:
                raise VarlinkError(reply["error"], reply.get("parameters", {}))
            yield reply["parameters"]
            if not reply.get("continues"):
                return

    def call(self, method, **parameters):
        return next(self.replies(method, parameters, False))

    def stream(self, method, **parameters):
        return self.replies(method, parameters, True)


def show(challenge):
    """One line, safe on a terminal whatever the backend wrote: JSON escapes all but ASCII."""
    shown = {k: challenge[k] for k in ("sid", "digest", "factor", "state", "message", "fields")}
    print(json.dumps(shown, ensure_ascii=True), flush=True)


def run(client, verb, *arguments):
    if verb == "list" and not arguments:
        for reply in client.stream("ListChallenges"):
            for challenge in reply["challenges"]:
                show(challenge)
    elif verb == "watch" and len(arguments) <= 1:
        since = {"since": int(arguments[0])} if arguments else {}
        for reply in client.stream("Monitor", **since):
            if reply["event"]["type"] == "challenge":
                show(reply["event"]["challenge"])
    elif verb == "approve" and len(arguments) in (2, 3):
        show(client.call("Approve", **dict(zip(("sid", "digest", "confirm"), arguments)))["challenge"])
    elif verb == "deny" and len(arguments) == 2:
        show(client.call("Deny", **dict(zip(("sid", "digest"), arguments)))["challenge"])
    else:
        raise SystemExit(__doc__)


def main(arguments):
    path = default_socket()
    if arguments[:1] == ["--socket"] and len(arguments) > 1:
        path, arguments = arguments[1], arguments[2:]
    if not arguments:
        raise SystemExit(__doc__)
    try:
        run(Client(path), *arguments)
    except (VarlinkError, OSError) as e:
        raise SystemExit(f"varlink-client: {e}") from None
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
