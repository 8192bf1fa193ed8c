# SPDX-License-Identifier: Apache-2.0
"""The way to the provider: HTTP/2 and kept connections, whom the daemon trusts, where credentials go,
proxies, and servers that are slow."""

import re
import subprocess

import pytest

from harness import TIME_SCALE, Daemon, wait_for
from steps import (
    Asked,
    approve,
    ask_push,
    ask_totp,
    call,
    challenge,
    enroll_push,
    enroll_totp,
    factor,
    next_step,
    shown,
    wait_state,
)
from transport_peer import Authority, Front, Line, Nginx, Proxy

CONFIGURATION, NETWORK = 78, 7
PROXY_PASSWORD = "open-sesame-4711"


@pytest.fixture
def started():
    """Servers to be stopped when the test is over, after its daemons."""
    servers = []
    yield servers
    for server in reversed(servers):
        server.stop()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


@pytest.fixture
def certificate(authority):
    return authority.issue("server")


@pytest.fixture
def make_nginx(started, tmp_path, sandbox, certificate):
    def make(**options):
        nginx = Nginx(tmp_path / "nginx", sandbox.port, certificate, **options)
        started.append(nginx)
        return nginx

    return make


@pytest.fixture
def front(started, sandbox, certificate):
    """TLS in front of the sandbox."""
    started.append(Front(sandbox.port, certificate))
    return started[-1]


@pytest.fixture
def plain_front(started, sandbox):
    started.append(Front(sandbox.port))
    return started[-1]


@pytest.fixture
def make_proxy(started):
    def make(password=None):
        started.append(Proxy(password))
        return started[-1]

    return make


@pytest.fixture
def make_daemon_at(make_daemon, sandbox, authority):
    """A function that starts a daemon whose provider is at that URL."""

    def make(url, api=None, **options):
        keys = {"BaseUrl": url, "CertificateAuthority": authority.path, **(api or {})}
        return make_daemon(sandbox, {"Api": keys}, **options)

    return make


def refused(daemon, *parts, name="late"):
    """An enrolment that does not get through says why."""
    result = daemon.ctl(
        *("enroll", "push", "--name", name, "--identity", "nobody-001", "--account", "main"),
        *("--service", daemon.sandbox.service_sid),
        check=NETWORK,
    )
    for part in parts:
        assert part in result.err, result
    return result.err


def wait_error(daemon, name, pattern):
    def failing():
        return re.search(pattern, factor(daemon, name)["error"] or "")

    wait_for(failing, what=lambda: f"/{pattern}/: {factor(daemon, name)}")


def wait_error_gone(daemon, name):
    call(daemon, "Poll")
    wait_for(lambda: not factor(daemon, name)["error"], what=lambda: factor(daemon, name))


# Connections.


def enrol_and_answer(daemon):
    """The daily work of four factors, some of it at the same time."""
    held = [enroll_push(daemon, f"push-{i}", f"alice-00{i}") for i in range(3)]
    asked = [ask_push(daemon, one) for one in held for _ in range(2)]
    answers = [Asked(daemon, "Approve", **shown(one)) for one in asked]
    for answer in answers:
        with answer:
            assert answer.answer()["challenge"]["state"] == "approved"
    totp = enroll_totp(daemon)
    next_step(daemon, 30)
    asked.append(ask_totp(daemon, totp))
    assert approve(daemon, asked[-1])["state"] == "approved"
    assert [len(daemon.sandbox.updates(one["sid"])) for one in asked] == [1] * len(asked)


def check_http2(served):
    assert len(served) > 30
    assert {r.protocol for r in served} == {"HTTP/2.0"}
    assert {r.tls for r in served} <= {"TLSv1.2", "TLSv1.3"}
    assert all(r.status < 300 for r in served), [vars(r) for r in served if r.status >= 300]


def test_http2_on_one_connection(make_daemon_at, make_nginx):
    nginx = make_nginx()
    daemon = make_daemon_at(nginx.url)
    enrol_and_answer(daemon)
    daemon.terminate()
    served = nginx.requests()
    check_http2(served)
    assert {r.connection for r in served} == {served[0].connection}
    assert max(r.of_connection for r in served) == len(served)

    # Those that start together wait for the first one's connection.
    daemon.start()
    wait_for(lambda: len(nginx.requests()) > len(served) + 8)
    assert len({r.connection for r in nginx.requests()}) == 2


@pytest.mark.parametrize("http2", [True, False], ids=["2", "1.1"])
def test_connection_that_died_unseen(started, make_daemon_at, make_nginx, http2):
    """After a suspend or a change of network nothing comes over it: a request that times out on it is the
    last one to use it. libcurl by itself would keep an HTTP/2 connection for all that follows."""
    nginx = make_nginx(http2=http2)
    line = Line(int(nginx.url.rsplit(":", 1)[1]))
    started.append(line)
    url = f"https://localhost:{line.port}"
    daemon = make_daemon_at(url, api={"RequestTimeout": "1s"})
    held = enroll_push(daemon)
    line.go_silent()
    since = len(nginx.requests())
    asked = ask_push(daemon, held)
    assert approve(daemon, asked)["state"] == "approved"
    assert len(nginx.requests()) > since
    assert len(daemon.sandbox.updates(asked["sid"])) == 1


def test_http2_server_that_says_goodbye(make_daemon_at, make_nginx):
    """A connection that the server ends (GOAWAY) while others wait for it costs nobody anything."""
    nginx = make_nginx(per_connection=3)
    enrol_and_answer(make_daemon_at(nginx.url))
    served = nginx.requests()
    check_http2(served)
    assert len({r.connection for r in served}) >= len(served) / 3


def test_http1_keeps_connections(make_daemon_at, make_nginx):
    nginx = make_nginx(http2=False, tls="TLSv1.2")
    enrol_and_answer(make_daemon_at(nginx.url))
    served = nginx.requests()
    assert {(r.protocol, r.tls) for r in served} == {("HTTP/1.1", "TLSv1.2")}
    # Six answers at a time open that many; what comes after them opens none.
    connections = {r.connection for r in served}
    assert len(connections) <= 10 and len(served) > 3 * len(connections)


def test_server_that_restarts(make_daemon_at, front, sandbox):
    """Connections that are cut between two requests, again and again, cost nobody anything."""
    daemon = make_daemon_at(front.url)
    held = enroll_push(daemon)
    for _ in range(5):
        asked = ask_push(daemon, held)
        front.cut_all()
        assert approve(daemon, asked)["state"] == "approved"
        assert len(sandbox.updates(asked["sid"])) == 1
    assert len(front.connections) > 5


# Whom it trusts.

UNTRUSTED = {
    "another host": (
        dict(hosts=["verify.example.com", "127.0.0.2"]),
        "target host name 'localhost'",
        "the host that BaseUrl names",
    ),
    "self-signed": (
        dict(self_signed=True),
        "self-signed certificate",
        "[Api] CertificateAuthority",
    ),
    "expired": (dict(begin=-3, end=-2), "certificate has expired", "clock"),
    "not yet valid": (dict(begin=2, end=3), "certificate is not yet valid", "clock"),
    "another authority": (dict(), "unable to get local issuer", "[Api] CertificateAuthority"),
}


@pytest.mark.parametrize("kind", UNTRUSTED)
def test_certificate_is_not_trusted(make_daemon_at, front, authority, certificate, tmp_path, kind):
    """Said what and where, nothing is sent, nothing is held against the factor, and it recovers."""
    options, what, advice = UNTRUSTED[kind]
    issuer = Authority(tmp_path, "other") if kind == "another authority" else authority
    daemon = make_daemon_at(front.url)
    held = enroll_push(daemon)

    front.use(issuer.issue("bad", **options))
    front.cut_all()
    wait_error(daemon, held["name"], re.escape(what))
    received = len(front.received)
    said = refused(daemon, f"no trusted connection to {front.url}", what, advice)
    assert len(said.splitlines()) == 1
    sid = daemon.sandbox.create_push_challenge(held["identity"], held["sid"])["sid"]
    call(daemon, "Poll")
    assert len(front.received) == received
    assert challenge(daemon, sid) is None
    assert factor(daemon, held["name"])["status"] == "verified"

    front.use(certificate)
    wait_error_gone(daemon, held["name"])
    assert approve(daemon, wait_state(daemon, sid, "asking"))["state"] == "approved"


def test_tls_is_too_old(make_daemon_at, make_nginx):
    nginx = make_nginx(tls="TLSv1.1")
    refused(make_daemon_at(nginx.url), f"no trusted connection to {nginx.url}", "TLS 1.2 or later")
    assert nginx.requests() == []


def test_server_has_no_tls(make_daemon_at, plain_front):
    url = plain_front.url.replace("http:", "https:")
    refused(make_daemon_at(url), f"no trusted connection to {url}", "TLS 1.2 or later")
    assert b"HTTP/1.1" not in plain_front.received


def test_authority_is_not_the_system_s(make_daemon_at, front):
    """Without the key the system's authorities count, and ours is none of them."""
    daemon = make_daemon_at(front.url, {"CertificateAuthority": None})
    refused(daemon, "no trusted connection", "[Api] CertificateAuthority")
    assert front.received == b""


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "garbage", "key", "broken"])
def test_authority_cannot_be_read(make_daemon_at, authority, certificate, tmp_path, kind):
    path = tmp_path / "given"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        pem = authority.path.read_text()
        path.write_text(
            {
                "empty": "",
                "garbage": "these are no certificates\n",
                "key": certificate.key_path.read_text(),
                "broken": pem.replace("M", "", 3),
            }[kind]
        )
    daemon = make_daemon_at("https://localhost:1", {"CertificateAuthority": path}, start=False)
    result = daemon.run()
    assert result.rc == CONFIGURATION, result
    (line,) = result.err.splitlines()
    assert "CertificateAuthority" in line and str(path) in line


# Where credentials go.


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://localhost",
        "gopher://localhost",
        "ws://localhost",
        "unix:///run/x",
        "http://192.0.2.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://localhost.example.com",
        "//localhost",
        "localhost",
    ],
)
def test_other_protocols_and_places(make_daemon_at, url):
    daemon = make_daemon_at(url, start=False)
    for arguments in ((), ("--check",)):
        result = daemon.run(*arguments)
        assert result.rc == CONFIGURATION and "BaseUrl" in result.err, result


class DaemonWithHosts(Daemon):
    """A daemon that sees another /etc/hosts, for which it takes root."""

    hosts = ""

    def command(self, *arguments):
        path = self.directory / "hosts"
        path.write_text(self.hosts)
        script = f'mount --bind {path} /etc/hosts && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *super().command(*arguments)]


def can_mount():
    command = ["unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_name_of_the_loopback_resolves_elsewhere(build_dir, sandbox, plain_front):
    """Nothing goes out in the clear to what somebody has written over localhost."""
    if not can_mount():
        pytest.skip("it takes root, or a container that may mount")
    url = plain_front.url.replace("127.0.0.1", "localhost")
    DaemonWithHosts.hosts = "192.0.2.1 localhost\n2001:db8::1 localhost\n"
    daemon = DaemonWithHosts(build_dir, sandbox, {"Api": {"BaseUrl": url, "ConnectTimeout": "5s"}})
    try:
        enroll_push(daemon)
        assert plain_front.received
    finally:
        daemon.stop()


# Proxies.


def proxied(proxy, user=""):
    return {"Proxy": f"http://{user}127.0.0.1:{proxy.port}"}


def test_proxy(make_daemon_at, front, make_proxy):
    proxy = make_proxy()
    daemon = make_daemon_at(front.url, proxied(proxy))
    assert approve(daemon, ask_push(daemon, enroll_push(daemon)))["state"] == "approved"
    host = front.url.removeprefix("https://")
    assert {line for line, _ in proxy.requests} == {f"CONNECT {host} HTTP/1.1"}
    # What the proxy is told is the way, and no more: the rest is inside TLS.
    told = {name for _, headers in proxy.requests for name in headers}
    assert told <= {"host", "user-agent", "proxy-connection"}
    assert len(proxy.requests) == len(front.connections)


def test_proxy_with_a_password(make_daemon_at, front, make_proxy):
    proxy = make_proxy(f"bob:{PROXY_PASSWORD}")
    daemon = make_daemon_at(front.url, proxied(proxy, f"bob:{PROXY_PASSWORD}@"))
    daemon.canaries.append(PROXY_PASSWORD)
    assert approve(daemon, ask_push(daemon, enroll_push(daemon)))["state"] == "approved"
    # Nor does it get to the provider.
    assert b"proxy-authorization" not in front.received.lower()


@pytest.mark.parametrize("user", ["", f"bob:not-{PROXY_PASSWORD}@"])
def test_proxy_refuses(make_daemon_at, front, make_proxy, user):
    proxy = make_proxy(f"bob:{PROXY_PASSWORD}")
    daemon = make_daemon_at(front.url, proxied(proxy, user))
    daemon.canaries.append(PROXY_PASSWORD)
    said = refused(daemon, front.url, f"http://127.0.0.1:{proxy.port}: ", "407", "[Api] Proxy=")
    assert PROXY_PASSWORD not in said and "bob" not in said
    assert front.connections == []


def test_proxy_is_down(make_daemon_at, front, make_proxy):
    proxy = make_proxy()
    daemon = make_daemon_at(front.url, proxied(proxy, f"bob:{PROXY_PASSWORD}@"))
    daemon.canaries.append(PROXY_PASSWORD)
    held = enroll_push(daemon)
    proxy.close_listener()
    proxy.cut_all()
    said = f"through the proxy http://127.0.0.1:{proxy.port}: Connection refused"
    wait_error(daemon, held["name"], re.escape(said))
    error = factor(daemon, held["name"])["error"] + refused(daemon, said, front.url)
    assert PROXY_PASSWORD not in error and "bob" not in error


def test_environment_names_no_proxy(make_daemon_at, front, make_proxy):
    proxy = make_proxy()
    url = f"http://127.0.0.1:{proxy.port}"
    names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    enroll_push(make_daemon_at(front.url, env={name: url for name in names}))
    assert proxy.requests == [] and front.received


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_environment_cannot_go_round_the_proxy(make_daemon_at, front, make_proxy, name):
    proxy = make_proxy()
    env = {name: "*"}
    enroll_push(make_daemon_at(front.url, proxied(proxy), env=env))
    assert len(proxy.requests) == len(front.connections) > 0


def test_loopback_in_the_clear_needs_no_proxy(make_daemon_at, plain_front, make_proxy):
    proxy = make_proxy()
    enroll_push(make_daemon_at(plain_front.url, proxied(proxy)))
    assert proxy.requests == [] and plain_front.received


# Slow servers.


@pytest.mark.parametrize("pause", [None, 0.2], ids=["silent", "trickling"])
def test_server_is_slow(make_daemon_at, plain_front, pause):
    """A request ends in time, whatever still trickles in, and others are served meanwhile."""
    limit = max(1, int(TIME_SCALE))
    daemon = make_daemon_at(plain_front.url, {"RequestTimeout": f"{limit}s"})
    slow = enroll_push(daemon, "slow", "alice-001")
    quick = enroll_push(daemon, "quick", "bobby-001")

    plain_front.pause = pause
    plain_front.slow = b"/Entities/alice-001/"
    held = wait_for(lambda: [c for c in plain_front.connections if c.slow])[0]
    for _ in range(2):
        assert approve(daemon, ask_push(daemon, quick))["state"] == "approved"
    wait_error(daemon, "slow", f"no reply in time from {plain_front.url}")
    wait_for(lambda: held.ended)
    # All of the reply would take a minute at least, or for ever.
    assert 0.9 * limit < held.ended - held.begin < 10 * limit
    assert approve(daemon, ask_push(daemon, quick))["state"] == "approved"
    assert not factor(daemon, "quick")["error"]
    assert factor(daemon, "slow")["status"] == "verified"

    plain_front.slow = None
    wait_error_gone(daemon, "slow")
    assert approve(daemon, ask_push(daemon, slow))["state"] == "approved"
