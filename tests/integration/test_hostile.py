# SPDX-License-Identifier: Apache-2.0
"""Faults of the connection and of the reply, each at the list, the fetch, the answer and the enrolment.
docs/faults.md has a row for each."""

import functools
import gzip
import json
import re
import time
import urllib.parse

import pytest

from hostile import Fault, Hostile, Mode, Reply, answers, changes, floods, says, trickles
from scene import (  # noqa: F401
    CANARY,
    LIST,
    Vitals,
    check_create,
    check_fetch,
    check_list,
    check_update,
    check_verify,
    fetch_of,
    get_scene,
    own_scene,
    scene,
    scenes,
    update_of,
)
from harness import TIME_SCALE, WRAPPER, jws_bytes, wait_for
from steps import (
    Asked,
    approve,
    call,
    call_error,
    challenge,
    clock_offset,
    enroll_push,
    shown,
    wait_state,
)


def error(code, status):
    return json.dumps({"code": code, "message": CANARY, "status": status})


HTML = f"<html><body>{CANARY}</body></html>"
AS_HTML = [("Content-Type", "text/html")]
TOO_MANY = error(20429, 429)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = 1 << 20


def member(reply, name, value):
    """Sets a member of what the reply is about: the object, or the first item of the list. value: a JSON
    text, or None to leave the member out."""
    document = json.loads(reply.body)
    about = document
    if "challenges" in document:
        if not document["challenges"]:
            return
        about = document["challenges"][0]
    if value is None:
        del about[name]
    else:
        about[name] = "@@"
    reply.body = json.dumps(document).replace('"@@"', value or "").encode()


def members(name, value):
    return changes(lambda reply: member(reply, name, value))


def body(change):
    """change(bytes) makes another body."""

    def spoil(reply):
        reply.body = change(reply.body)

    return changes(spoil)


def header(name, value):
    return changes(lambda reply: reply.headers.append((name, value)))


def half(reply):
    encoded = reply.encode()
    return encoded[: len(encoded) - len(reply.body) // 2]


def half_a_chunk(reply):
    size = f"{len(reply.body):x}\r\n".encode()
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + size + reply.body[: len(reply.body) // 2]


def length(value):
    def change(reply):
        return OK + f"Content-Length: {value(len(reply.body))}\r\n\r\n".encode() + reply.body

    return changes(change)


def two_lengths(reply):
    n = len(reply.body)
    return OK + f"Content-Length: {n}\r\nContent-Length: {n - 9}\r\n\r\n".encode() + reply.body


@functools.cache
def bomb():
    return gzip.compress(b" " * 50 * MEGABYTE + b"{}")


def explode(reply):
    reply.headers.append(("Content-Encoding", "gzip"))
    reply.body = bomb()


# The connection.

CONNECTION = {
    "refused": Mode(Hostile.down),
    "reset at once": Mode(Hostile.reset_all),
    "reset": Fault(lambda exchange: exchange.reset()),
    "cut": Fault(lambda exchange: exchange.cut()),
    "cut in the status line": says(b"HTTP/1.1 20"),
    "cut in the headers": says(OK[:-9]),
    "cut in the body": changes(half),
    "cut in a chunk": changes(half_a_chunk),
    "reset in the body": Fault(
        lambda exchange: (exchange.send(half(exchange.forward())), exchange.reset()), genuine=True
    ),
}

# What takes as long as the daemon lets it.
SLOW = {
    "101": answers(101, "", [("Upgrade", "h2c"), ("Connection", "Upgrade")]),
    "silence": Fault(lambda exchange: exchange.hold()),
    "trickle of headers": trickles(OK + b"X: ", b"x"),
    "trickle of a body": trickles(OK + b"Content-Length: 5000\r\n\r\n{", b" "),
    "too long a Content-Length": Fault(
        lambda exchange: (
            exchange.send(OK + b"Content-Length: 9999\r\n\r\n" + exchange.forward().body),
            exchange.hold(),
        ),
        genuine=True,
    ),
}

# Replies that say: later. None of them is about the challenge.
STATUS = {
    "301": answers(301, HTML, [("Location", "{bait}/v2/Services")]),
    "302": answers(302, "", [("Location", "{bait}/")]),
    "307": answers(307, "", [("Location", "{bait}/")]),
    "304": answers(304),
    "401 without JSON": answers(401, HTML, AS_HTML),
    "403 without JSON": answers(403, HTML, AS_HTML),
    "404 without JSON": answers(404, HTML, AS_HTML),
    "404 of a gateway": answers(404, '{"message":"no Route matched with those values"}'),
    "401 of a gateway": answers(401, '{"message":"Unauthorized"}'),
    "407": answers(407, HTML, AS_HTML),
    "408": answers(408, error(20408, 408)),
    "418": answers(418),
    "429": answers(429, TOO_MANY),
    "429 in HTML": answers(429, HTML, AS_HTML),
    "500": answers(500, error(20500, 500)),
    "502 in HTML": answers(502, HTML, AS_HTML),
    "503": answers(503, error(20503, 503)),
    "504": answers(504),
    "599": answers(599, error(60322, 599)),
}

# A Retry-After that says nothing: our own pauses count.
RETRY_AFTER = {
    "429, Retry-After in words": answers(429, TOO_MANY, [("Retry-After", "soon")]),
    "429, Retry-After below zero": answers(429, TOO_MANY, [("Retry-After", "-5")]),
    "429, Retry-After with a fraction": answers(429, TOO_MANY, [("Retry-After", "0.5")]),
    "429, Retry-After is empty": answers(429, TOO_MANY, [("Retry-After", "")]),
    "429, Retry-After zero": answers(429, TOO_MANY, [("Retry-After", "0")]),
    "429, Retry-After in the past": answers(
        429, TOO_MANY, [("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]
    ),
    "429, Retry-After twice": answers(
        429, TOO_MANY, [("Retry-After", "300"), ("Retry-After", "500")]
    ),
}

# To a list: the API's own refusal, of which the factor is asked about itself.
REFUSED = {
    "400": answers(400, error(20001, 400)),
    "403": answers(403, error(20003, 403)),
    "404": answers(404, error(20404, 404)),
    "409": answers(409, error(20409, 409)),
}

# What is no HTTP, or too much of it.
HTTP = {
    "HTTP/0.9": says(b'{"sid":"YC"}'),
    "garbage": says(b"\x16\x03\x01\x00\xa5\x01\x00" * 20),
    "HTTP/9.9": says(b"HTTP/9.9 200 OK\r\n\r\n{}"),
    "status of one digit": says(b"HTTP/1.1 2 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "status 999": says(b"HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "header of a megabyte": Fault(
        lambda exchange: exchange.reply(200, "{}", [("X", "x" * MEGABYTE)])
    ),
    "flood of headers": floods(OK, b"X-More: more\r\n" * 100),
    "flood of 100 Continue": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "flood of a body": floods(OK + b"Content-Length: 99999999\r\n\r\n{", b" " * 65536),
    "flood of chunks": floods(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"
    ),
    "chunk of a size without end": says(
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + b"{" * 100
    ),
    "Content-Length below zero": length(lambda n: -1),
    "Content-Length too short": length(lambda n: n - 9),
    "Content-Length twice": changes(two_lengths),
    "Content-Length in words": length(lambda n: "many"),
}

# 200, but not what was asked for.
BODY = {
    "empty": answers(200),
    "204": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not JSON": answers(200, CANARY),
    "a page": answers(200, HTML, AS_HTML),
    "null": answers(200, "null"),
    "an array": answers(200, "[]"),
    "a number": answers(200, "5"),
    "an empty object": answers(200, "{}"),
    "an error's document": answers(200, error(20404, 404)),
    "UTF-16": body(lambda b: b.decode().encode("utf-16")),
    "a byte order mark": body(lambda b: b"\xef\xbb\xbf" + b),
    "Latin-1": body(lambda b: b.replace(b"Sign in?", b"Sign \xfcn?")),
    "nested 10,000 deep": body(lambda b: b.replace(b"{", b'{"x":' + b"[" * 10_000, 1)),
    "5 MiB": answers(200, b'{"x":"' + b"x" * 5 * MEGABYTE + b'"}'),
    "gzip": body(gzip.compress),
    "gzip bomb": changes(explode),
}

# 200 and what was asked for, with a member that is not as it should be: only that one is lost.
MEMBER = {
    "SID is a number": members("sid", "5"),
    "SID with dots": members("sid", '"../../../Services"'),
    "SID of 10 kB": members("sid", '"YC' + "0" * 10_000 + '"'),
    "SID with U+0000": members("sid", '"YC' + "0" * 31 + '\\u0000"'),
    "SID in capitals": members("sid", '"yc' + "0" * 32 + '"'),
    "status is an object": members("status", "{}"),
    "status is null": members("status", "null"),
    "no status": members("status", None),
    "no factor": members("factor_sid", None),
    "no identity": members("identity", None),
    "no expiry": members("expiration_date", None),
    "details are a number": members("details", "5"),
    "details are an array": members("details", "[]"),
    "message is a number": members("details", '{"message":5}'),
    "message of 257 characters": members("details", json.dumps({"message": "m" * 257})),
    "21 fields": members(
        "details", json.dumps({"message": "m", "fields": [{"label": "l", "value": "v"}] * 21})
    ),
    "field without a value": members("details", '{"message":"m","fields":[{"label":"l"}]}'),
    "hidden details are an array": members("hidden_details", "[]"),
    "year 10000": members("expiration_date", '"10000-01-01T00:00:00Z"'),
    "February 30": members("expiration_date", '"2030-02-30T00:00:00Z"'),
    "25 o'clock": members("expiration_date", '"2030-02-03T25:00:00Z"'),
    "offset of 99 hours": members("expiration_date", '"2030-02-03T00:00:00+99:00"'),
    "date without a zone": members("expiration_date", '"2030-02-03T00:00:00"'),
    "date is a number": members("expiration_date", "1900000000"),
}

EVERYWHERE = {**CONNECTION, **STATUS, **HTTP, **BODY}
ALL = {**EVERYWHERE, **RETRY_AFTER, **REFUSED, **MEMBER, **SLOW}
# To a create these say that it was not taken: it is not looked for.
REFUSING = ("301", "403 without JSON", "408", "429")
CREATE_FAULTS = [
    *("refused", "reset", "cut", "cut in the body", *REFUSING, "500", "502 in HTML", "503", "504"),
    *("garbage", "flood of headers", "flood of a body", "empty", "not JSON", "an empty object"),
    *("UTF-16", "nested 10,000 deep", "gzip bomb"),
]
VERIFY_FAULTS = [
    *("refused", "reset", "cut", "cut in the body", "403 without JSON", "429", "500"),
    *("flood of a body", "not JSON"),
]


@pytest.fixture
def impatient(get_scene):
    return get_scene({"Api": {"RequestTimeout": f"{int(400 * TIME_SCALE)}ms"}})


@pytest.mark.parametrize("fault", [*EVERYWHERE, *RETRY_AFTER, *REFUSED, *MEMBER])
def test_list(scene, fault):
    check_list(scene, ALL[fault])


@pytest.mark.parametrize("fault", [*EVERYWHERE, *MEMBER])
def test_fetch(scene, fault):
    check_fetch(scene, ALL[fault])


@pytest.mark.parametrize("fault", EVERYWHERE)
def test_update(scene, fault):
    check_update(scene, ALL[fault])


@pytest.mark.parametrize("fault", SLOW)
def test_slow_list(impatient, fault):
    check_list(impatient, ALL[fault])


@pytest.mark.parametrize("fault", SLOW)
def test_slow_fetch(impatient, fault):
    check_fetch(impatient, ALL[fault])


@pytest.mark.parametrize("fault", SLOW)
def test_slow_update(impatient, fault):
    check_update(impatient, ALL[fault])


@pytest.mark.parametrize("fault", CREATE_FAULTS)
def test_create(scene, fault):
    check_create(scene, ALL[fault], refusing=fault in REFUSING)


@pytest.mark.parametrize("fault", VERIFY_FAULTS)
def test_verify(scene, fault):
    check_verify(scene, ALL[fault])


# What a reply says of a challenge.


def listed(change):
    """change(items, document) works on a page of the list."""

    def spoil(reply):
        document = json.loads(reply.body)
        change(document["challenges"], document)
        reply.body = json.dumps(document).encode()

    return changes(spoil)


def replace(pairs):
    """Changes members' values, raw, wherever they stand."""

    def change(text):
        for name, value in pairs:
            text = re.sub(rb'("%s": ?)("[^"]*"|null)' % name.encode(), rb"\1" + value.encode(), text)
        return text

    return body(change)


def everywhere(scene, fault):
    """In lists, fetches and updates alike."""
    return scene.strike(".*/Challenges(/YC.*)?", fault)


def signed(scene, asked):
    """The payload of the one answer that was sent."""
    (sent,) = scene.posts(asked["sid"])
    token = dict(urllib.parse.parse_qsl(sent.body.decode()))["AuthPayload"]
    return json.loads(jws_bytes(token)[1])


def test_unknown_status(scene):
    """A word that is not known here: nothing is signed, it is asked again."""
    check_fetch(scene, members("status", '"escalated"'))


def test_unknown_status_in_a_list(scene):
    """Not pending, so nobody is asked."""
    with scene.unharmed():
        scene.strike(LIST, members("status", '"escalated"'))
        made = scene.create()
        call(scene.daemon, "Poll")
        scene.server.wait(LIST, 2, since=scene.server.mark())
        assert challenge(scene.daemon, made["sid"]) is None
        scene.clear()
        asked = wait_state(scene.daemon, made["sid"], "asking")
        assert approve(scene.daemon, asked)["state"] == "approved"


NOT_FOUND = answers(404, error(20404, 404))


def test_deleted_while_asking(scene):
    """The list lacks it and the fetch says 404: nobody is asked any longer."""
    with scene.unharmed():
        asked = scene.ask()
        scene.strike(fetch_of(asked["sid"]), NOT_FOUND)
        scene.strike(LIST, listed(lambda items, _: items.clear()))
        wait_state(scene.daemon, asked["sid"], "superseded")
        assert call_error(scene.daemon, "Approve", **shown(asked)).name == "AlreadyAnswered"
        assert scene.posts(asked["sid"]) == []
        scene.sandbox.change_challenge(asked["sid"], status="expired")


@pytest.mark.parametrize("place", ["fetch", "update"])
def test_deleted_while_answering(scene, place):
    """A definite no: it has failed, and is not tried again."""
    with scene.unharmed():
        asked = scene.ask()
        match = fetch_of(asked["sid"]) if place == "fetch" else update_of(asked["sid"])
        scene.strike(match, NOT_FOUND)
        failed = call_error(scene.daemon, "Approve", **shown(asked))
        assert failed.name == "ApiError" and failed.parameters["http_status"] == 404
        assert challenge(scene.daemon, asked["sid"])["state"] == "failed"
        assert len(scene.posts(asked["sid"])) == (0 if place == "fetch" else 1)
        scene.sandbox.change_challenge(asked["sid"], status="expired")


def test_details_are_null(scene):
    """A push challenge without a message is asked about as it is, and signed as it is."""
    with scene.unharmed():
        details = rb'"details": ?\{.*?"fields": ?\[\].*?\}'
        everywhere(scene, body(lambda b: re.sub(details, b'"details":null', b, flags=re.DOTALL)))
        asked = scene.ask()
        assert not asked["message"] and asked["fields"] == []
        # The server has details after all, so the signature is refused there.
        refused = call_error(scene.daemon, "Approve", **shown(asked))
        assert refused.name == "ApiError" and refused.parameters["code"] == 60324
        assert signed(scene, asked)["details"] is None
        scene.sandbox.change_challenge(asked["sid"], status="expired")


def test_details_are_null_in_the_list_alone(scene):
    """Another question than the one that was decided: it is stale, and asked anew."""
    with scene.unharmed():
        scene.strike(LIST, members("details", "null"))
        asked = scene.ask()
        assert call_error(scene.daemon, "Approve", **shown(asked)).name == "Stale"
        again = wait_state(scene.daemon, asked["sid"], "asking")
        assert again["message"] == "Sign in?" and scene.posts(asked["sid"]) == []
        assert approve(scene.daemon, again)["state"] == "approved"
        scene.check_end(asked["sid"], "approved")


# As received, and as it is understood.
DATES = {
    "offset": ("2030-02-03T06:05:06+02:00", "2030-02-03T04:05:06Z"),
    "offset to the west": ("2030-02-02T18:35:06-09:30", "2030-02-03T04:05:06Z"),
    "fraction": ("2030-02-03T04:05:06.123456789Z", "2030-02-03T04:05:06Z"),
    "lower case": ("2030-02-03t04:05:06z", "2030-02-03T04:05:06Z"),
    "leap second": ("2030-06-30T23:59:60Z", "2030-06-30T23:59:59Z"),
    "last year": ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
}


@pytest.mark.parametrize("date", DATES)
def test_date(scene, date):
    """Unusual but right: understood, and signed as it was received."""
    received, understood = DATES[date]
    with scene.unharmed():
        everywhere(scene, replace([("expiration_date", f'"{received}"')]))
        asked = scene.ask()
        assert asked["expires"] == understood
        # The server knows another date, and refuses.
        refused = call_error(scene.daemon, "Approve", **shown(asked))
        assert refused.parameters["code"] == 60324
        assert signed(scene, asked)["expiration_date"] == received
        scene.sandbox.change_challenge(asked["sid"], status="expired")


def test_payload_too_long(scene):
    """The signed payload would not fit: it has failed before anybody is asked."""
    with scene.unharmed():
        smiles = [("\N{GRINNING FACE}" * 35 + f"{i:x}"[-1:], "\N{GRINNING FACE}" * 128) for i in range(20)]
        made = scene.create(message="\N{GRINNING FACE}" * 256, fields=smiles)
        ended = wait_state(scene.daemon, made["sid"], "failed")
        assert "5456" in ended["reason"] or "long" in ended["reason"]
        assert scene.server.requests(fetch_of(made["sid"])) == [] == scene.posts(made["sid"])
        scene.sandbox.change_challenge(made["sid"], status="expired")


# The list.


@pytest.mark.parametrize("pages", ["one page", "two pages"])
def test_named_twice(scene, pages):
    """It is asked about once."""

    def act(exchange):
        last = "PageToken" in exchange.request.target
        reply = first_page(exchange)
        document = json.loads(reply.body)
        if pages == "one page":
            document["challenges"] *= 2
        elif not last:
            document["meta"]["next_page_url"] = scene.server.url + "/x?PageToken=again&Page=1"
        reply.body = json.dumps(document).encode()
        exchange.send(reply.encode())

    with scene.unharmed(), scene.daemon.monitor() as monitor:
        scene.strike(LIST, Fault(act))
        asked = scene.ask()
        scene.server.wait(LIST, 3, since=scene.server.mark())
        assert approve(scene.daemon, asked)["state"] == "approved"
        monitor.wait_challenge(asked["sid"], "approved")
        states = [e["challenge"]["state"] for e in monitor.events if e["type"] == "challenge"]
        assert states.count("asking") == 1
        scene.check_end(asked["sid"], "approved")


def next_page(reply, url):
    document = json.loads(reply.body)
    document["meta"]["next_page_url"] = url
    reply.body = json.dumps(document).encode()


def first_page(exchange):
    """The reply as if the first page had been asked for."""
    exchange.request.target = re.sub("&Page(Token)?=[^&]*", "", exchange.request.target)
    return exchange.forward()


def test_next_page_elsewhere(scene):
    """next_page_url names another host, which is not contacted: its token is taken to our own server."""
    pages = []

    def act(exchange):
        target = exchange.request.target
        reply = first_page(exchange)
        if "PageToken" in target:
            pages.append(target)
        else:
            next_page(reply, f"{scene.server.bait}/v2/x?PageToken=over+there%2F&Page=7")
        exchange.send(reply.encode())

    with scene.unharmed():
        scene.strike(LIST, Fault(act))
        asked = scene.ask()
        wait_for(lambda: pages, what="the second page")
        path, _, query = pages[0].partition("?")
        assert path.endswith(f"/Entities/{scene.push['identity']}/Challenges")
        query = urllib.parse.parse_qs(query)
        assert query["PageToken"] == ["over+there/"] and query["Page"] == ["7"]
        assert approve(scene.daemon, asked)["state"] == "approved"


NEXT_PAGES = {
    "no token": "/v2/Services?Page=1",
    "two tokens": "/v2/Services?PageToken=a&PageToken=b",
    "token of 10 kB": "/v2/Services?PageToken=" + "t" * 10_000,
    "token with U+0000": "/v2/Services?PageToken=a%00b",
    "page in words": "/v2/Services?PageToken=a&Page=one",
    "nothing but a query": "?",
}


@pytest.mark.parametrize("url", NEXT_PAGES)
def test_next_page_malformed(scene, url):
    """The list can't be read: nothing of it counts."""
    check_list(scene, changes(lambda reply: next_page(reply, NEXT_PAGES[url])))


# The answer's reply.


def test_answered_otherwise(scene):
    """200, but denied after we approved, with our own decision in the record: a fetch tells what the
    provider really holds, and nothing is sent again."""
    with scene.unharmed():
        asked = scene.ask()
        scene.strike(update_of(asked["sid"]), members("status", '"denied"'), times=1)
        assert approve(scene.daemon, asked)["state"] == "approved"
        assert len(scene.posts(asked["sid"])) == 1
        scene.check_end(asked["sid"], "approved")


def test_still_pending(scene):
    """201 and still pending: a fetch tells, and nothing is sent twice."""
    with scene.unharmed():
        asked = scene.ask()

        def act(exchange):
            pending = exchange.forward()
            member(pending, "status", '"pending"')
            pending.status = 201
            exchange.send(pending.encode())

        scene.strike(update_of(asked["sid"]), Fault(act), times=1)
        assert approve(scene.daemon, asked)["state"] == "approved"
        scene.check_end(asked["sid"], "approved")


# Headers.


def test_two_dates(scene):
    """Which of them is right can't be known: the clock stays as it is."""
    with scene.unharmed():
        late = "Sun, 06 Nov 2044 08:49:37 GMT"
        everywhere(scene, header("Date", late))
        scene.server.wait(LIST, 3, since=scene.server.mark())
        assert approve(scene.daemon, scene.ask())["state"] == "approved"
        assert abs(clock_offset(scene.daemon)) < 60


def test_two_lists_of_fields(scene):
    """Twilio-Verify-Signature-Fields twice: nothing is signed."""
    with scene.unharmed():
        asked = scene.ask()
        scene.strike(fetch_of(asked["sid"]), header("Twilio-Verify-Signature-Fields", "sid,details"))
        assert call_error(scene.daemon, "Approve", **shown(asked)).name == "ApiError"
        assert challenge(scene.daemon, asked["sid"])["state"] == "failed"
        assert scene.posts(asked["sid"]) == []
        scene.sandbox.change_challenge(asked["sid"], status="expired")


def test_reply_without_request(scene):
    """A second reply behind each of the list's, on a connection that is kept. Where it is taken for the
    fetch's it names another challenge: the end, unsigned; else nothing comes of it."""
    with scene.unharmed():
        other = scene.ask()
        record = scene.sandbox.fetch_challenge(scene.push["identity"], other["sid"])
        forged = json.dumps({**record, "status": "approved"}).encode()

        def act(exchange):
            genuine = exchange.forward()
            exchange.send(genuine.encode())
            exchange.send(Reply(200, genuine.headers, forged).encode())

        scene.strike(LIST, Fault(act))
        asked = scene.ask()
        with Asked(scene.daemon, "Approve", **shown(asked)) as waiting:
            waiting.answer()
        scene.clear()
        scene.server.drop()
        ended = challenge(scene.daemon, asked["sid"])["state"]
        assert ended in ("approved", "failed")
        assert len(scene.posts(asked["sid"])) == (ended == "approved")
        assert challenge(scene.daemon, other["sid"])["state"] == "asking"
        assert approve(scene.daemon, other)["state"] == "approved"
        if ended == "failed":
            scene.sandbox.change_challenge(asked["sid"], status="expired")


# Many.


def test_ten_thousand(own_scene):
    """A list of 10,000 challenges over 100 pages: those of another factor are asked about meanwhile."""
    scene = own_scene()
    quiet = enroll_push(scene.daemon, "quiet", "dora-001")
    made = scene.create()
    item = json.dumps(scene.sandbox.fetch_challenge(scene.push["identity"], made["sid"]))

    def act(exchange):
        page = int(re.search("[?&]Page=(\\d+)|$", exchange.request.target)[1] or 0)
        items = [
            item.replace(made["sid"], f"YC{100 * page + i:032x}") for i in range(100)
        ]
        last = page == 99
        meta = {"next_page_url": None if last else f"{scene.server.bait}/?PageToken=t&Page={page + 1}"}
        text = '{"challenges":[' + ",".join(items) + '],"meta":' + json.dumps(meta) + "}"
        exchange.reply(200, text)

    before = Vitals(scene.daemon.pid)
    scene.strike(f"GET .*/{scene.push['identity']}/Challenges", Fault(act))
    since = time.monotonic()
    wait_for(lambda: call(scene.daemon, "GetStatus")["status"]["pending"] >= 1000, what="the first pages")
    asked_at = time.monotonic()
    asked = scene.ask(quiet)
    assert approve(scene.daemon, asked)["state"] == "approved"
    waited = time.monotonic() - asked_at
    many = 4000
    wait_for(lambda: call(scene.daemon, "GetStatus")["status"]["pending"] >= many, 60 * TIME_SCALE)
    asked = scene.ask(quiet)
    assert approve(scene.daemon, asked)["state"] == "approved"
    grown = Vitals(scene.daemon.pid).memory - before.memory
    seconds, cpu = time.monotonic() - since, Vitals(scene.daemon.pid).cpu - before.cpu
    print(
        f"\n10,000 pending: {grown / MEGABYTE:.1f} MiB more, {cpu:.1f} s of CPU in {seconds:.1f} s, "
        f"another's answer in {waited:.2f} s"
    )
    assert waited < 5 * TIME_SCALE
    if not WRAPPER:
        assert grown < 200 * MEGABYTE * TIME_SCALE
    assert not scene.server.trapped()
