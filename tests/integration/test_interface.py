# SPDX-License-Identifier: Apache-2.0
"""The interface file is what the daemon does: every method, every reply and error of the declared types."""

import re
import time

import pytest

from harness import INTERFACE, VarlinkError
from steps import (
    ask_push,
    ask_totp,
    enroll_push,
    enroll_totp,
    next_step,
    shown,
    wait_state,
)

SERVICE = "org.varlink.service"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NO_CHALLENGE = "YC" + "0" * 32


class Interface:
    """A reader of Varlink's interface language. Types: a name, ("?", type), ("[]", type), ("[string]",
    type), a dict of fields, or a list of an enum's words."""

    TOKEN = re.compile(r"\s+|#[^\n]*|(->|\[\]|\[string\]|[?(),:]|[A-Za-z][A-Za-z0-9_.-]*)")

    def __init__(self, text):
        self.tokens = []
        at = 0
        while at < len(text):
            match = self.TOKEN.match(text, at)
            assert match, f"no token of the language: {text[at:at + 20]!r}"
            at = match.end()
            if match[1]:
                self.tokens.append(match[1])
        self.types, self.methods, self.errors = {}, {}, {}
        assert self.take() == "interface"
        self.name = self.take()
        while self.tokens:
            self.member()

    def take(self, expected=None):
        token = self.tokens.pop(0)
        assert expected in (None, token), f"{expected} wanted, not {token}"
        return token

    def member(self):
        kind, name = self.take(), self.take()
        known = {"type": self.types, "method": self.methods, "error": self.errors}[kind]
        assert name not in known and re.fullmatch(r"[A-Z][A-Za-z0-9]*", name), name
        known[name] = self.struct()
        if kind == "method":
            self.take("->")
            known[name] = (known[name], self.struct())

    def type(self):
        if self.tokens[0] in ("?", "[]", "[string]"):
            return (self.take(), self.type())
        return self.struct() if self.tokens[0] == "(" else self.take()

    def struct(self):
        """A struct, or an enum: words without types."""
        self.take("(")
        fields, words = {}, []
        while self.tokens[0] != ")":
            name = self.take()
            assert name not in fields and name not in words, f"{name} twice"
            if self.tokens[0] == ":":
                self.take()
                fields[name] = self.type()
            else:
                words.append(name)
            if self.tokens[0] != ")":
                self.take(",")
        self.take(")")
        assert not (fields and words), "neither a struct nor an enum"
        return words or fields

    def check(self, value, declared, where):
        """The value is of the type, exactly: no member more, none missing but a nullable one."""
        if isinstance(declared, dict):
            assert isinstance(value, dict), f"{where} is no object: {value!r}"
            unknown = value.keys() - declared.keys()
            assert not unknown, f"{where} has {unknown}, which is not declared"
            for name, kind in declared.items():
                assert name in value or kind[0] == "?", f"{where} lacks {name}"
                self.check(value.get(name), kind, f"{where}.{name}")
        elif isinstance(declared, list):
            assert value in declared, f"{where} is {value!r}, none of {declared}"
        elif isinstance(declared, tuple):
            self.check_wrapped(value, *declared, where)
        elif declared in self.types:
            self.check(value, self.types[declared], where)
        else:
            classes = {"string": str, "int": int, "bool": bool, "float": float, "object": dict}
            assert type(value) is classes[declared], f"{where} is {value!r}, not {declared}"

    def check_wrapped(self, value, wrapping, declared, where):
        if wrapping == "?":
            if value is not None:
                self.check(value, declared, where)
            return
        assert type(value) is {"[]": list, "[string]": dict}[wrapping], f"{where}: {value!r}"
        for item in value.values() if wrapping == "[string]" else value:
            self.check(item, declared, where + "[]")


class Caller:
    """Calls, checks what comes back against the declarations, and keeps what it has seen."""

    def __init__(self, daemon, interface):
        self.daemon = daemon
        self.interface = interface
        self.replied = set()
        self.errors = set()

    def __call__(self, method, **parameters):
        takes, gives = self.interface.methods[method]
        self.interface.check(parameters, takes, method + "()")
        with self.daemon.varlink() as varlink:
            reply = varlink.call(method, **parameters)
        self.interface.check(reply, gives, method)
        self.replied.add(method)
        return reply

    def stream(self, method, **parameters):
        with self.daemon.varlink() as varlink:
            replies = list(varlink.stream(method, **parameters))
        for reply in replies:
            self.interface.check(reply, self.interface.methods[method][1], method)
        return replies

    def fails(self, error, method, **parameters):
        """The call fails with that error, whose parameters are of the declared types."""
        with self.daemon.varlink() as varlink:
            varlink.send(method, parameters)
            message = varlink.receive()
        assert message.get("error") == f"{INTERFACE}.{error}", message
        self.interface.check(message["parameters"], self.interface.errors[error], error)
        assert message["parameters"]["message"]
        self.errors.add(error)
        return message["parameters"]


@pytest.fixture(scope="module")
def text(source_root):
    return (source_root / f"ipc/{INTERFACE}.varlink").read_text()


@pytest.fixture(scope="module")
def interface(text):
    return Interface(text)


@pytest.fixture
def call(daemon, interface):
    return Caller(daemon, interface)


def raw(daemon, method, parameters=None, **flags):
    with daemon.varlink() as varlink:
        varlink.send(method, parameters, **flags)
        return varlink.receive()


# About itself.


def test_description(daemon, text, source_root):
    """Byte for byte what the repository has."""
    with daemon.varlink() as varlink:
        for name in (INTERFACE, SERVICE):
            reply = varlink.call(f"{SERVICE}.GetInterfaceDescription", interface=name)
            assert reply.keys() == {"description"}
            content = (source_root / f"ipc/{name}.varlink").read_bytes()
            assert reply["description"].encode() == content


def test_info(daemon, source_root):
    service = Interface((source_root / f"ipc/{SERVICE}.varlink").read_text())
    with daemon.varlink() as varlink:
        info = varlink.call(f"{SERVICE}.GetInfo")
    service.check(info, service.methods["GetInfo"][1], "GetInfo")
    assert info["product"] == "factord" and set(info["interfaces"]) == {SERVICE, INTERFACE}
    version = re.search(r"^\s+version\s*:\s*'([^']+)'", (source_root / "meson.build").read_text(), re.M)[1]
    assert info["version"] == version


def test_names(interface):
    """The contract's operations and errors, none forgotten."""
    assert interface.name == INTERFACE
    assert interface.errors.keys() >= {
        *("NoSuchFactor", "NoSuchChallenge", "AlreadyAnswered", "Expired", "Stale"),
        *("NotAuthorized", "StoreLocked", "SessionLocked", "PolicyDenied", "RateLimited"),
        *("Unconfirmed", "ApiError", "InvalidParameter", "StoreError", "EventsLost"),
    }
    assert all("message" in parameters for parameters in interface.errors.values())


def test_unknown(daemon, interface):
    """Names that are not there get the service's own errors, and the connection goes on."""
    cases = (
        ("GetNothing", "MethodNotFound", {"method": f"{INTERFACE}.GetNothing"}),
        ("getstatus", "MethodNotFound", {"method": f"{INTERFACE}.getstatus"}),
        (f"{SERVICE}.GetNothing", "MethodNotFound", {"method": f"{SERVICE}.GetNothing"}),
        ("org.example.More.GetStatus", "InterfaceNotFound", {"interface": "org.example.More"}),
    )
    with daemon.varlink() as varlink:
        for method, error, parameters in cases:
            varlink.send(method)
            reply = varlink.receive()
            assert reply == {"error": f"{SERVICE}.{error}", "parameters": parameters}
        varlink.send(f"{SERVICE}.GetInterfaceDescription", {"interface": "org.example.More"})
        reply = varlink.receive()
        assert reply["error"] == f"{SERVICE}.InterfaceNotFound"
        assert varlink.call("GetStatus")
    assert raw(daemon, "Monitor")["error"] == f"{SERVICE}.ExpectedMore"
    for method in interface.methods:
        reply = raw(daemon, method, {"no_such_parameter": 1}, more=True)
        assert not reply.get("error", "").startswith(SERVICE), reply
        if reply.get("error"):
            assert reply["error"] == f"{INTERFACE}.InvalidParameter", reply
            assert "no_such_parameter" in reply["parameters"]["message"]
        else:
            # These take nothing, so there is nothing to read wrong.
            assert method in ("GetStatus", "Poll", "ListTickets")


def test_wrong_types(daemon, interface, sandbox):
    """Every parameter of another type than the declared one is refused, by name, and nothing done."""
    wrong = {"string": 1, "int": "1", "bool": "true", "Target": "x"}
    for method, (takes, _) in interface.methods.items():
        right = {"string": "x", "int": 1, "bool": True, "Target": {"factor": "x"}}
        for name, declared in takes.items():
            kind = declared[1] if declared[0] == "?" else declared
            if kind not in wrong:
                continue
            needed = {n: right[d] for n, d in takes.items() if isinstance(d, str)}
            reply = raw(daemon, method, {**needed, name: wrong[kind]}, more=True)
            assert reply["error"] == f"{INTERFACE}.InvalidParameter", (method, name, reply)
            assert name in reply["parameters"]["message"], (method, name, reply)
        for name in (n for n, d in takes.items() if isinstance(d, str)):
            needed = {n: right[d] for n, d in takes.items() if isinstance(d, str) and n != name}
            reply = raw(daemon, method, needed, more=True)
            assert reply["error"] == f"{INTERFACE}.InvalidParameter", (method, name, reply)
            assert name in reply["parameters"]["message"], (method, name, reply)
    assert sandbox.requests() == []


# Everything once.


def drive_factors(call, sandbox, daemon):
    whose = {"service_sid": sandbox.service_sid, "account": "main"}
    token = call("AccessTokenCreate", identity="alice-001", **whose)
    daemon.canaries.append(token["token"])
    del whose["account"]
    push = call(
        *("EnrollPush",),
        name="push",
        identity="alice-001",
        access_token=token["token"],
        friendly_name="A laptop",
        **whose,
    )["factor"]
    totp = call(
        *("EnrollTotp",),
        name="totp",
        identity="bobby-001",
        account="main",
        algorithm="sha256",
        digits=8,
        period=30,
        owner=0,
        **whose,
    )["factor"]
    daemon.canaries += [sandbox.factor(totp["sid"])["secret"], SEED]
    uris = [
        f"otpauth://totp/GitHub:alice?secret={SEED}&issuer=GitHub",
        f"otpauth://hotp/Old:bob?secret={SEED}&issuer=Old&counter=7",
    ]
    imported = call("Import", data="\n".join(uris))["factors"]
    assert [f["type"] for f in imported] == ["totp", "hotp"]
    assert {f["status"] for f in imported} == {"local"}
    for name in ("totp", *(f["name"] for f in imported)):
        code = call("GetCode", name=name)
        assert re.fullmatch(r"\d{6}|\d{8}", code["code"])
    hotp = call("GetCode", name=imported[1]["name"])
    assert hotp.get("valid_for") is None and hotp.get("next") is None
    first = call("GetCode", name="totp", next=False)
    assert call("GetCode", name="totp", next=True)["code"] in (first["next"], first["code"])
    owned = call("SetOwner", name="push", owner=4321)["factor"]
    assert owned["owner"] == 4321
    matching = call("SetMatchField", name="push", field="Number")["factor"]
    assert matching["match_field"] == "Number"
    assert call("SetMatchField", name="push", field=None)["factor"].get("match_field") is None
    assert len(call("ListFactors")["factors"]) == 4
    for name in ("push", push["sid"]):
        assert call("ListFactors", name=name)["factors"][0]["sid"] == push["sid"]
    return push, totp, [f["name"] for f in imported]


def drive_decisions(call, push, totp, daemon):
    approved, denied, ignored = (ask_push(daemon, push, fields={"a": "ä"}) for _ in range(3))
    for challenge in (approved, denied, ignored):
        call.interface.check(challenge, "Challenge", "Challenge")
    call("GetChallenge", sid=approved["sid"])
    call("GetChallenge", sid=approved["sid"][:20])
    assert len(call("ListChallenges")["challenges"]) == 3
    assert len(call("ListChallenges", factor="totp")["challenges"]) == 0
    call.fails("Stale", "Approve", sid=approved["sid"], digest="0" * 64)
    assert call("Approve", **shown(approved))["challenge"]["state"] == "approved"
    assert call("Deny", **shown(denied))["challenge"]["state"] == "denied"
    assert call("Ignore", sid=ignored["sid"])["challenge"]["state"] == "ignored"
    call.fails("AlreadyAnswered", "Deny", **shown(approved))
    next_step(daemon, 30)
    asked = ask_totp(daemon, totp)
    call.fails("InvalidParameter", "Deny", **shown(asked))
    assert call("Approve", **shown(asked))["challenge"]["state"] == "approved"
    assert len(call("ListChallenges", all=True)["challenges"]) == 4
    assert call("ListChallenges")["challenges"] == []


def drive_tickets(call):
    made = call("Expect", factor="push", message="Deploy *", fields=[{"label": "a", "value": "ä"}])["ticket"]
    assert call("ListTickets")["tickets"] == [made]
    assert [r["tickets"] for r in call.stream("ListTickets")] == [[made], []]
    call("RevokeTicket", id=made["id"])
    call.fails("InvalidParameter", "RevokeTicket", id=made["id"])


def drive_provider(call, sandbox, push):
    target = {"account": "main", "service_sid": sandbox.service_sid, "identity": "alice-001"}
    fields = [{"label": "a", "value": "b"}]
    made = call("ChallengeCreate", target=target, factor_sid=push["sid"], message="m", fields=fields)
    sid = made["challenge"]["sid"]
    assert call("ChallengeFetch", target={"factor": "push"}, sid=sid)["challenge"]["sid"] == sid
    assert len(call("ChallengeList", target=target)["challenges"]) == 4
    page = call("ChallengeList", target=target, page_size=1)
    assert page["next_page"] == 1 and page["next_page_token"]
    failed = call.fails("ApiError", "ChallengeUpdate", target=target, sid=sid, auth_payload="1234")
    assert failed["http_status"] == 403 and failed["code"] == 60324


def drive_errors(call, sandbox, push, daemon):
    for method in ("ListFactors", "GetCode", "Remove"):
        assert call.fails("NoSuchFactor", method, name="nobody")["name"] == "nobody"
    call.fails("NoSuchFactor", "SetOwner", name="nobody", owner=1)
    call.fails("NoSuchFactor", "SetMatchField", name="nobody", field="a")
    for field in ("", 37 * "ä"):
        assert call.fails("InvalidParameter", "SetMatchField", name="push", field=field)["parameter"] == "field"
    call.fails("NoSuchFactor", "ListChallenges", factor="nobody")
    for method, more in (("GetChallenge", {}), ("Ignore", {}), ("Approve", {"digest": "0" * 64})):
        assert call.fails("NoSuchChallenge", method, sid=NO_CHALLENGE, **more)["sid"] == NO_CHALLENGE
    call.fails("InvalidParameter", "GetChallenge", sid="YC1")
    call.fails("InvalidParameter", "GetCode", name="push")
    soon = ask_push(daemon, push)
    sandbox.change_challenge(soon["sid"], status="expired")
    wait_state(daemon, soon["sid"], "expired")
    call.fails("Expired", "Approve", **shown(soon))
    nothing = {"GetStatus", "Poll", "ListTickets"}
    for method in call.interface.methods.keys() - nothing - {"Monitor", "ReadAudit"}:
        call.fails("InvalidParameter", method, no_such_parameter=1)


def test_everything(call, daemon, sandbox, interface):
    """Each method answers well at least once, with exactly what is declared, and fails likewise."""
    call("GetStatus")
    push, totp, imported = drive_factors(call, sandbox, daemon)
    drive_decisions(call, push, totp, daemon)
    drive_tickets(call)
    drive_provider(call, sandbox, push)
    status = call("GetStatus")["status"]
    assert status["factors"] == 4 and status["accounts"][0]["state"] == "ok"
    assert status["sequence"] > 0 and status["clock"]["source"] == "server"
    with daemon.monitor(since=0) as monitor:
        interface.check({"event": monitor.next()}, interface.methods["Monitor"][1], "Monitor")
    records = [r["record"] for r in call.stream("ReadAudit")]
    assert records[-1] is None and {r["event"] for r in records[:-1]} >= {"enrolled", "import", "outcome"}
    assert call("VerifyAudit", witnesses=[])["length"] == len(records) - 1
    assert call("Reload") == {"problems": [], "notes": []}
    call("ExplainPolicy", sid=call("ListChallenges", all=True)["challenges"][0]["sid"])
    assert call("ReplayPolicy", since="2020-01-01T00:00:00Z")["challenges"]
    call.replied |= {"Monitor", "ReadAudit"}
    drive_errors(call, sandbox, push, daemon)
    call("Poll")
    call("Remove", name="push")
    call("Remove", name=imported[0], local=True)
    assert {f["name"] for f in call("ListFactors")["factors"]} == {"totp", imported[1]}

    # An update with a right payload wants one that was made elsewhere: tested with the limits.
    assert interface.methods.keys() - call.replied == {"ChallengeUpdate"}
    assert call.errors >= {
        *("NoSuchFactor", "NoSuchChallenge", "AlreadyAnswered", "Expired", "Stale"),
        *("ApiError", "InvalidParameter"),
    }


def test_unconfirmed(make_daemon, sandbox, interface):
    """A daemon that stops tells those who wait that it goes on."""
    daemon = make_daemon(sandbox)
    held = enroll_push(daemon)
    asked = ask_push(daemon, held)
    sandbox.fault(f"POST .*/Challenges/{asked['sid']}", delay_ms=15000)
    with daemon.varlink() as varlink:
        varlink.send("Approve", shown(asked))
        wait_state(daemon, asked["sid"], "submitted")
        daemon.terminate()
        reply = varlink.receive()
    assert reply["error"] == f"{INTERFACE}.Unconfirmed", reply
    interface.check(reply["parameters"], interface.errors["Unconfirmed"], "Unconfirmed")


# Lists and events.


def test_lists(daemon, sandbox, call):
    """With more an item a reply, then an empty list; without, all in one. The same items."""
    assert call.stream("ListFactors") == [{"factors": []}]
    assert call.stream("ListChallenges") == [{"challenges": []}]
    held = enroll_push(daemon)
    enroll_totp(daemon)
    for _ in range(3):
        ask_push(daemon, held)
    target = {"account": "main", "service_sid": sandbox.service_sid, "identity": "alice-001"}
    nothing = {**target, "identity": "bobby-001"}
    (last,) = call.stream("ChallengeList", target=nothing)
    assert last["challenges"] == []
    for method, key, n, parameters in (
        ("ListFactors", "factors", 2, {}),
        ("ListFactors", "factors", 1, {"name": "push"}),
        ("ListChallenges", "challenges", 3, {}),
        ("ListChallenges", "challenges", 3, {"factor": "push", "all": True}),
        ("ChallengeList", "challenges", 3, {"target": target}),
    ):
        whole = call(method, **parameters)[key]
        replies = call.stream(method, **parameters)
        assert [len(r[key]) for r in replies] == [1] * n + [0]
        items = [item for r in replies for item in r[key]]
        names = [i.get("sid") for i in whole]
        assert [i.get("sid") for i in items] == names and len(names) == n


def test_monitor_resumes(daemon, sandbox, interface):
    """Since a cursor: what changed after it, each thing once in its present state, then what happens."""
    held = enroll_push(daemon)
    varlink = daemon.varlink()
    start = varlink.call("GetStatus")["status"]["sequence"]
    with varlink, daemon.monitor(since=start) as monitor:
        first = ask_push(daemon, held)
        event = monitor.wait(lambda e: e["type"] == "challenge" and e["challenge"]["state"] == "asking")
        cursor = event["sequence"]
        second, third = ask_push(daemon, held), ask_push(daemon, held)
        varlink.call("Approve", **shown(first))
        monitor.wait_challenge(first["sid"], "approved")
        varlink.call("Ignore", sid=third["sid"])
        monitor.wait_challenge(third["sid"], "ignored")
        live = monitor.events
    sequences = [e["sequence"] for e in live]
    assert sequences == sorted(set(sequences))
    for event in live:
        interface.check({"event": event}, interface.methods["Monitor"][1], "Monitor")

    with daemon.monitor(since=cursor) as monitor:
        replayed = [monitor.next() for _ in range(3)]
        assert {e["challenge"]["sid"]: e["challenge"]["state"] for e in replayed} == {
            first["sid"]: "approved",
            second["sid"]: "asking",
            third["sid"]: "ignored",
        }
        sequences = [e["sequence"] for e in replayed]
        assert sequences == sorted(sequences) and sequences[0] > cursor
        ask_push(daemon, held)
        event = monitor.wait(lambda e: e["type"] == "challenge")
        assert event["sequence"] > sequences[-1]
        last = max(e["sequence"] for e in monitor.events)

    # Nothing changed since the last one: the next event is a new one.
    now = daemon.varlink()
    with now, daemon.monitor(since=now.call("GetStatus")["status"]["sequence"]) as monitor:
        with pytest.raises(TimeoutError):
            monitor.next(0.2)
        now.call("SetOwner", name="push", owner=77)
        event = monitor.next()
        assert event["type"] == "factor" and event["factor"]["owner"] == 77
        assert event["sequence"] > last
        now.call("Remove", name="push")
        removed = monitor.wait(lambda e: e["type"] == "removed")
        assert removed["factor"]["name"] == "push"


def test_monitor_shows_factors_again(daemon):
    """A factor's change after the cursor comes first too."""
    with daemon.monitor(since=0) as monitor:
        enroll_push(daemon)
        cursor = monitor.wait(lambda e: e["type"] == "factor")["sequence"]
    with daemon.varlink() as varlink:
        varlink.call("SetOwner", name="push", owner=77)
    with daemon.monitor(since=cursor) as monitor:
        event = monitor.wait(lambda e: e["type"] == "factor")
        assert event["factor"]["owner"] == 77 and event["sequence"] > cursor


def test_malformed_messages(daemon):
    """What is no call ends the connection, and only that one."""
    deep = b'{"method":"x.Y","parameters":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}"
    for data in (b"{", b"[]", b'"x"', b"{}", b"\xff", b'{"method":1}', b'{"method":"a","method":"b"}', deep):
        with daemon.varlink() as varlink:
            varlink.send_raw(data + b"\0")
            with pytest.raises((EOFError, ConnectionError)):
                varlink.receive()
    with daemon.varlink() as varlink:
        with pytest.raises((EOFError, ConnectionError)):
            varlink.send_raw(b" " * (1024 * 1024 + 2))
            varlink.receive()
    started = time.monotonic()
    with daemon.varlink() as varlink:
        varlink.send_raw(b'{"method":"org.factord.Authenticator.GetStatus"}\0' * 50)
        for _ in range(50):
            assert varlink.reply()["status"]["version"]
        varlink.send("GetStatus", oneway=True)
        varlink.send("ListFactors")
        assert varlink.reply() == {"factors": []}
    assert time.monotonic() - started < 10


def test_errors_are_the_clients(daemon):
    """The client of these tests raises what it was told."""
    with daemon.varlink() as varlink, pytest.raises(VarlinkError) as raised:
        varlink.call("GetCode", name="nobody")
    assert raised.value.name == "NoSuchFactor"
