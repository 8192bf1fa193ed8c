# SPDX-License-Identifier: Apache-2.0
"""A server between the daemon and the sandbox: it passes on what no rule strikes, and does byte for byte
what a rule says with the rest. It records all that reaches it."""

import contextlib
import http.client
import re
import select
import socket
import struct
import threading
import time

from harness import TIMEOUT, wait_for

HEAD_END = b"\r\n\r\n"


class Request:
    def __init__(self, head, body, connection):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.path = self.target.partition("?")[0]
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.body = body
        self.connection = connection
        self.time = time.monotonic()
        self.rule = None

    @property
    def name(self):
        return f"{self.method} {self.path}"


class Reply:
    """A reply that can be changed before it is sent. headers: pairs, so that one may come twice."""

    def __init__(self, status, headers=(), body=b""):
        self.status = status
        self.headers = list(headers)
        self.body = body

    def text(self):
        return self.body.decode()

    def encode(self):
        lines = [f"HTTP/1.1 {self.status} -"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + HEAD_END + self.body


class Reader:
    """Its own buffer: a file object would keep a connection open that was closed."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def _more(self):
        data = self.connection.recv(65536)
        if not data:
            raise OSError("closed")
        self.buffer += data

    def until(self, end):
        while end not in self.buffer:
            self._more()
        found, _, self.buffer = self.buffer.partition(end)
        return found

    def exactly(self, n):
        while len(self.buffer) < n:
            self._more()
        found, self.buffer = self.buffer[:n], self.buffer[n:]
        return found


class Exchange:
    """A request that a rule has struck, for the rule to answer."""

    def __init__(self, server, connection, request):
        self.server = server
        self.socket = connection
        self.request = request

    def forward(self):
        """The sandbox handles it; its reply is not sent yet."""
        return self.server.forward(self.request)

    def send(self, data):
        self.socket.sendall(data)

    def reply(self, status, body=b"", headers=()):
        """{bait} in a header stands for the bait's URL."""
        headers = [(name, value.replace("{bait}", self.server.bait)) for name, value in headers]
        usual = [("Content-Type", "application/json")]
        body = body.encode() if isinstance(body, str) else body
        given = {name.lower() for name, _ in headers}
        usual = [pair for pair in usual if pair[0].lower() not in given]
        self.send(Reply(status, [*usual, *headers], body).encode())

    def cut(self):
        """Closes the connection in good order."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self):
        reset(self.socket)

    def gone(self, seconds=0.0):
        """Whether the client has left, or the rule is gone, waiting for it for a while."""
        readable, _, _ = select.select([self.socket], [], [], seconds)
        if self.request.rule.cleared or self.server.closed:
            return True
        return bool(readable) and not self.socket.recv(1, socket.MSG_PEEK)

    def hold(self):
        """Says nothing any more."""
        while not self.gone(0.05):
            pass
        self.cut()


class Rule:
    def __init__(self, match, fault, times):
        self.match = re.compile(match)
        self.fault = fault
        self.times = times
        self.struck = 0
        self.cleared = False


def reset(connection):
    """The next close sends a reset."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def loopback():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return s


class Hostile:
    """Attributes: url, port, sandbox; bait, a URL on another port that nobody may ever contact."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.others = {}  # sandboxes of other accounts, by service SID
        self.closed = False
        self.rules = []
        self.records = []
        self.connections = {}
        self.lock = threading.Lock()
        self.threads = []
        self.listener = None
        self.resets = False
        # Keeps the port while nobody listens on it.
        self.reserved = loopback()
        self.reserved.bind(("127.0.0.1", 0))
        self.port = self.reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.trap = socket.create_server(("127.0.0.1", 0))
        self.bait = f"http://127.0.0.1:{self.trap.getsockname()[1]}"
        self.up()

    # What it does.

    def strike(self, match, fault, times=1_000_000):
        """From now on fault(exchange) answers the requests whose "METHOD path" matches as a whole."""
        rule = Rule(match, fault, times)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        """Behaves again."""
        with self.lock:
            for rule in self.rules:
                rule.cleared = True
            self.rules.clear()
        self.resets = False
        self.up()

    def up(self):
        if self.listener:
            return
        listener = loopback()
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.listener = listener
        self._start(self._accept, listener)

    def down(self):
        """Connections are refused, and those that stand are closed."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.drop()

    def reset_all(self):
        """Every connection is reset as soon as it stands."""
        self.resets = True
        self.drop()

    def drop(self):
        with self.lock:
            connections = list(self.connections.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def trapped(self):
        """Whether anybody has contacted the bait."""
        return bool(select.select([self.trap], [], [], 0)[0])

    def close(self):
        self.clear()
        self.closed = True
        self.down()
        for thread in self.threads:
            thread.join(TIMEOUT)
        self.reserved.close()
        self.trap.close()

    # What it has seen.

    def mark(self):
        """For since=: all that is recorded up to now."""
        return len(self.records)

    def requests(self, match=".*", since=0):
        found = self.records[since:]
        return [r for r in found if re.fullmatch(match, r.name)]

    def wait(self, match, n=1, since=0, timeout=None):
        def enough():
            found = self.requests(match, since)
            return found if len(found) >= n else None

        return wait_for(enough, timeout, f"{n} requests {match}")

    def wait_struck(self, rule, n=1, timeout=None):
        wait_for(lambda: rule.struck >= n, timeout, lambda: f"{rule.match.pattern} struck {n} times")

    # How it works.

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self.resets:
                reset(connection)
                continue
            with self.lock:
                number = len(self.connections) + 1
                self.connections[number] = connection
            self._start(self._serve, connection, number)

    def _serve(self, connection, number):
        with contextlib.suppress(OSError, ValueError), connection:
            reader = Reader(connection)
            while not self.closed:
                head = reader.until(HEAD_END)
                found = re.search(rb"\r\nContent-Length: (\d+)", head)
                body = reader.exactly(int(found[1]) if found else 0)
                self._handle(connection, Request(head, body, number))

    def _handle(self, connection, request):
        with self.lock:
            request.rule = next(
                (r for r in self.rules if r.times > 0 and r.match.fullmatch(request.name)), None
            )
            if request.rule:
                request.rule.times -= 1
            self.records.append(request)
        try:
            if request.rule:
                request.rule.fault(Exchange(self, connection, request))
            else:
                connection.sendall(self.forward(request).encode())
        finally:
            if request.rule:
                request.rule.struck += 1

    def forward(self, request):
        service = re.search(r"/Services/(\w+)", request.path)
        sandbox = self.others.get(service and service[1], self.sandbox)
        upstream = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=TIMEOUT)
        try:
            headers = dict(request.headers)
            upstream.request(request.method, request.target, request.body or None, headers)
            response = upstream.getresponse()
            dropped = ("content-length", "connection", "transfer-encoding")
            headers = [h for h in response.getheaders() if h[0].lower() not in dropped]
            return Reply(response.status, headers, response.read())
        finally:
            upstream.close()


# Faults.


class Fault:
    """act(exchange) is what it does. genuine: it spoils the reply of a request that was handled."""

    reads = True  # the request reaches the server

    def __init__(self, act, *, genuine=False):
        self.act = act
        self.genuine = genuine

    def begin(self, server, match, times):
        return server.strike(match, self.act, times)

    def applied(self):
        """The same after the request was handled, its own reply being lost."""

        def act(exchange):
            exchange.forward()
            self.act(exchange)

        return self if self.genuine else Fault(act)


class Mode:
    """A fault of the whole server, whatever is asked: begin is a method of Hostile."""

    genuine = False
    reads = False

    def __init__(self, begin):
        self.switch = begin

    def begin(self, server, match, times):
        self.switch(server)
        rule = Rule(match, None, times)
        rule.struck = times  # nobody can count them
        return rule


def answers(status, body="", headers=()):
    return Fault(lambda exchange: exchange.reply(status, body, headers))


def changes(change):
    """change(reply) works on the genuine reply, or returns bytes to send instead, ending the
    connection."""

    def act(exchange):
        reply = exchange.forward()
        changed = change(reply)
        exchange.send(reply.encode() if changed is None else changed)
        if changed is not None:
            exchange.cut()

    return Fault(act, genuine=True)


def says(data):
    """Bytes in place of a reply, and the end of the connection."""

    def act(exchange):
        exchange.send(data)
        exchange.cut()

    return Fault(act)


def floods(start, more):
    """Sends start, and then more, again and again, for as long as somebody reads it."""

    def act(exchange):
        exchange.send(start)
        while not exchange.gone():
            exchange.send(more)
        exchange.cut()

    return Fault(act)


def trickles(start, byte, pause=0.05):
    """As above, a little at a time."""

    def act(exchange):
        exchange.send(start)
        while not exchange.gone(pause):
            exchange.send(byte)
        exchange.cut()

    return Fault(act)
