# SPDX-License-Identifier: Apache-2.0
"""What stands between a daemon and the sandbox in the transport's tests: certificates, an nginx, a front
that speaks TLS and can be slow, and a CONNECT proxy. All on loopback, on ports of their own."""

import asyncio
import base64
import datetime
import ipaddress
import re
import shutil
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness import Process, wait_for

DAY = datetime.timedelta(days=1)
REQUEST_LINE = re.compile(rb"[A-Z]+ /\S* HTTP/1\.1\r\n")
HEAD_END = b"\r\n\r\n"


class Certificate:
    """Paths of the certificate and of its key, in PEM."""

    def __init__(self, path, key_path):
        self.path = path
        self.key_path = key_path


class Authority:
    """A certificate authority of the test's own; path is its certificate."""

    def __init__(self, directory, name):
        self.directory = directory
        self.name = name
        self.path = directory / f"{name}.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(self._subject(name), self.key.public_key(), [], authority=True)
        self.path.write_bytes(certificate)

    @staticmethod
    def _subject(name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def _sign(self, subject, public_key, names, *, authority=False, key=None, begin=-1, end=1):
        """begin and end: days from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if key else self._subject(self.name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin * DAY)
            .not_valid_after(now + end * DAY)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = builder.sign(key or self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def issue(self, name, hosts=("localhost", "127.0.0.1"), *, self_signed=False, begin=-1, end=1):
        """A P-256 certificate for those hosts and addresses; name is that of its files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            self._subject(name),
            key.public_key(),
            [_general_name(host) for host in hosts],
            key=key if self_signed else None,
            begin=begin,
            end=end,
        )
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        made.path.write_bytes(certificate)
        made.key_path.touch(mode=0o600)
        made.key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


# nginx.

NGINX_CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ }}
http {{
    keepalive_requests {per_connection};
    log_format fields '$connection $connection_requests $server_protocol $ssl_protocol '
                      '$request_method $request_uri $status';
    access_log {directory}/access.log fields;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream sandbox {{ server 127.0.0.1:{backend}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port} ssl{h2};
        ssl_protocols {tls};
        ssl_ciphers DEFAULT:@SECLEVEL=0;
        ssl_certificate {certificate.path};
        ssl_certificate_key {certificate.key_path};
        location / {{
            proxy_pass http://sandbox;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_header Date;
        }}
    }}
}}
"""


class LoggedRequest:
    def __init__(self, line):
        fields = line.split()
        self.connection, self.of_connection = int(fields[0]), int(fields[1])
        self.protocol, self.tls = fields[2], fields[3]
        self.method, self.path, self.status = fields[4], fields[5], int(fields[6])


class Nginx:
    """A private nginx with TLS in front of the sandbox. Attribute: url.

    per_connection: after so many requests it closes a connection."""

    def __init__(
        self,
        directory,
        backend,
        certificate,
        *,
        http2=True,
        tls="TLSv1.2 TLSv1.3",
        per_connection=10_000,
    ):
        self.program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert self.program, "nginx is not installed; run scripts/bootstrap"
        self.directory = directory
        self.directory.mkdir()
        self.process = None
        options = {
            "directory": directory,
            "backend": backend,
            "certificate": certificate,
            "h2": " http2" if http2 else "",
            "tls": tls,
            "per_connection": per_connection,
        }
        # Another may take the port between its choice and its use.
        for _ in range(5):
            if self._start(options):
                return
        raise AssertionError(f"nginx did not start:\n{self.errors}")

    def _start(self, options):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"https://localhost:{port}"
        configuration = self.directory / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(port=port, **options))
        log = self.directory / "error.log"
        self.process = Process(
            [self.program, "-p", self.directory, "-e", log, "-c", configuration],
            self.directory / "nginx.stderr",
        )
        wait_for(lambda: not self.process.running or _listens(port), what="nginx to listen")
        return self.process.running

    @property
    def errors(self):
        log = self.directory / "error.log"
        return self.process.stderr + (log.read_text() if log.exists() else "")

    def requests(self):
        """What it has served, oldest first."""
        log = self.directory / "access.log"
        return [LoggedRequest(line) for line in log.read_text().splitlines()]

    def stop(self):
        if self.process:
            self.process.terminate()


def _listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# Servers of our own.


class Server:
    """An asyncio server in a thread of its own. Attributes: port, and failures, what went wrong in it."""

    def __init__(self, context=None):
        self.context = context
        self.failures = []
        self.writers = set()
        self.loop = asyncio.new_event_loop()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result(20)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        # A handshake that fails is the business of a test, not of stderr.
        self.loop.set_exception_handler(lambda loop, context: None)
        self.loop.run_forever()

    async def _open(self):
        self.server = await asyncio.start_server(self._serve, sock=self.listener, ssl=self.context)

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client or the other side left
        except Exception as e:
            self.failures.append(e)
        finally:
            self.writers.discard(writer)
            writer.close()

    async def serve(self, reader, writer):
        raise NotImplementedError

    async def pass_on(self, reader, writer, port, changed=None):
        """Joins a connection to that port until either side ends. changed: see Front."""
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        self.writers.add(other_writer)
        ways = [
            asyncio.ensure_future(_copy(reader, other_writer, changed and changed.up)),
            asyncio.ensure_future(_copy(other_reader, writer, changed and changed.down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.writers.discard(other_writer)
            other_writer.close()

    def cut_all(self):
        """Ends all connections that are open."""

        def cut():
            for writer in list(self.writers):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(cut)

    def close_listener(self):
        """Nobody gets in any more; who is in stays."""
        self.loop.call_soon_threadsafe(self.server.close)

    async def _close(self):
        self.server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        assert not self.failures, self.failures


class Line(Server):
    """Passes bytes on to a port. go_silent(): the connections of now stay open and carry nothing any
    more, as after a change of network; new ones work."""

    def __init__(self, port):
        self.to = port
        self.silent = set()
        self.count = 0
        super().__init__()

    async def serve(self, reader, writer):
        self.count += 1
        await self.pass_on(reader, writer, self.to, Wire(self, self.count))

    def go_silent(self):
        self.silent = set(range(self.count + 1))


class Wire:
    """One connection of a line."""

    def __init__(self, line, number):
        self.line = line
        self.number = number

    async def up(self, data, writer):
        if self.number not in self.line.silent:
            writer.write(data)

    down = up


async def _copy(reader, writer, change):
    while data := await reader.read(65536):
        if change:
            await change(data, writer)
        else:
            writer.write(data)
        await writer.drain()


class Connection:
    """What came in over one, in the clear. slow: whether its last request is answered slowly, since
    begin; ended: when it was over, or None."""

    def __init__(self, front):
        self.front = front
        self.received = b""
        self.slow = False
        self.begin = self.ended = None

    async def up(self, data, writer):
        self.received += data
        if REQUEST_LINE.match(data):
            self.slow = bool(self.front.slow and re.search(self.front.slow, data))
            self.begin = time.monotonic()
        writer.write(data)

    async def down(self, data, writer):
        if not self.slow:
            writer.write(data)
            return
        for i in range(len(data) if self.front.pause else 0):
            writer.write(data[i : i + 1])
            await writer.drain()
            await asyncio.sleep(self.front.pause)


class Front(Server):
    """Passes bytes on to the sandbox and records what came in. With a certificate it speaks TLS.

    slow: a pattern; the reply to a request that it matches comes a byte at a time, pause seconds
    between two, or never, with None for pause.
    """

    def __init__(self, backend, certificate=None):
        self.backend = backend
        self.connections = []
        self.slow = None
        self.pause = 0.2
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if certificate:
            context.load_cert_chain(certificate.path, certificate.key_path)
            context.set_alpn_protocols(["http/1.1"])
        super().__init__(context)
        self.url = f"https://localhost:{self.port}" if certificate else f"http://127.0.0.1:{self.port}"

    def use(self, certificate):
        """From the next connection on."""
        self.context.load_cert_chain(certificate.path, certificate.key_path)

    @property
    def received(self):
        """All that any client has sent in the clear, or within TLS."""
        return b"".join(c.received for c in self.connections)

    async def serve(self, reader, writer):
        connection = Connection(self)
        self.connections.append(connection)
        try:
            await self.pass_on(reader, writer, self.backend, connection)
        finally:
            connection.ended = time.monotonic()


class Proxy(Server):
    """A CONNECT proxy. password: what it wants, as user:password. requests: what it was asked for,
    (request line, headers with names in lower case)."""

    def __init__(self, password=None):
        self.password = password
        self.requests = []
        super().__init__()

    def _refusal(self, line, headers):
        if not line.startswith("CONNECT "):
            return "405 Method Not Allowed"
        if self.password:
            wanted = "Basic " + base64.b64encode(self.password.encode()).decode()
            if headers.get("proxy-authorization") != wanted:
                return '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"'
        return None

    async def serve(self, reader, writer):
        while True:
            head = (await reader.readuntil(HEAD_END)).decode("latin-1")
            line, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {k.lower(): v for k, v in (h.split(": ", 1) for h in rest)}
            self.requests.append((line, headers))
            refusal = self._refusal(line, headers)
            if refusal is None:
                break
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        port = int(line.split()[1].rpartition(":")[2])
        await self.pass_on(reader, writer, port)
