# SPDX-License-Identifier: Apache-2.0
"""The provider's Challenge API as factord hands it on: every parameter within its limit stands on the
wire to the letter, and past it nothing is sent."""

import base64
import json
import re
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import VarlinkError, check_request, oath_code, rfc3339, verify_device_jwt
from steps import call, call_error, enroll_with_token, wait_state

# Nothing may be asked of the server but what a test asks for.
QUIET = {"Poll": {"Interval": "1h", "IdleInterval": "1h"}}
IDENTITY = "backend-0001"
NOBODY = "YC" + "0" * 32


class PushFactor:
    """A push factor of the backend's own: its key is here, so the daemon knows nothing of it."""

    def __init__(self, sandbox, identity=IDENTITY):
        self.sandbox = sandbox
        self.identity = identity
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        made = sandbox.api_ok(
            "POST",
            sandbox.entity(identity, "/Factors"),
            {
                "FriendlyName": "phone",
                "FactorType": "push",
                "Binding.Alg": "ES256",
                "Binding.PublicKey": base64.b64encode(public).decode(),
                "Config.AppId": "tests",
                "Config.NotificationPlatform": "none",
                "Config.SdkVersion": "1",
            },
        )
        self.sid = made["sid"]
        proof = base64.b64encode(self.key.sign(self.sid.encode(), ec.ECDSA(hashes.SHA256())))
        path = sandbox.entity(identity, f"/Factors/{self.sid}")
        sandbox.api_ok("POST", path, {"AuthPayload": proof.decode()})

    def challenge(self, **more):
        return self.sandbox.create_push_challenge(self.identity, self.sid, **more)["sid"]

    def sign(self, sid, status="approved"):
        path = self.sandbox.entity(self.identity, f"/Challenges/{sid}")
        _, headers, body = self.sandbox.api("GET", path)
        names = headers["twilio-verify-signature-fields"].split(",")
        payload = {**{name: body[name] for name in names}, "status": status}
        return jwt.encode(payload, self.key, algorithm="ES256")


class TotpFactor:
    def __init__(self, sandbox, identity=IDENTITY, digits=6):
        self.digits = digits
        made = sandbox.create_totp_factor(identity, **{"Config.CodeLength": str(digits)})
        self.sid = made["sid"]
        self.secret = made["binding"]["secret"]
        path = sandbox.entity(identity, f"/Factors/{self.sid}")
        # A step back, so that the present code is good for a challenge.
        sandbox.api_ok("POST", path, {"AuthPayload": self.code(-30)})

    def code(self, offset=0):
        # oathtool has no codes of less than 6 digits, but the longer ones end in them.
        when = time.time() + offset
        return oath_code(self.secret, when=when, digits=max(self.digits, 6))[-self.digits :]

    def wrong_code(self):
        near = {self.code(30 * step) for step in range(-3, 4)}
        return next(c for c in (f"{n:0{self.digits}}" for n in range(10)) if c not in near)


@pytest.fixture(params=["account", "api-key"])
def backend(request, make_daemon, sandbox):
    """A daemon that has the account's credentials, of either kind, and a target to use them on."""
    config = {**QUIET}
    daemon = make_daemon(sandbox, start=False)
    if request.param == "api-key":
        secret = daemon.write_secret("key-secret", sandbox.api_key_secret + "\n")
        config["Account main"] = {"User": sandbox.api_key_sid, "PasswordFile": secret}
        daemon.canaries.append(sandbox.api_key_secret)
    daemon.configure(config)
    daemon.start()
    daemon.auth = request.param
    return daemon


def target(daemon, identity=IDENTITY, service_sid=None, account="main"):
    service_sid = service_sid or daemon.sandbox.service_sid
    return {"account": account, "service_sid": service_sid, "identity": identity}


def query(request):
    return urllib.parse.parse_qsl(request["query"] or "", True, True)


def sent(daemon, method, auth=None, ok=True, **parameters):
    """Makes a call that must send exactly one request, and returns the reply and that request."""
    since = daemon.sandbox.last_seq()
    try:
        reply = call(daemon, method, **parameters)
    except VarlinkError as e:
        assert not ok, e
        reply = e
    # What was created for a factor held here is looked for at once: that poll is not meant.
    kind = "POST" if method == "ChallengeCreate" else None
    (request,) = daemon.sandbox.requests(kind, since=since)
    check_request(request)
    assert request["auth"] == (auth or daemon.auth), request
    return reply, request


def posted(daemon, method, **parameters):
    """The reply, and the pairs of the form that was sent."""
    reply, request = sent(daemon, method, **parameters)
    assert request["method"] == "POST" and not request["query"]
    return reply, [tuple(pair) for pair in request["params"]]


def refused(daemon, method, parameter, limit="", **parameters):
    """Nothing is sent, and the error says which parameter and what its limit is."""
    since = daemon.sandbox.last_seq()
    error = call_error(daemon, method, **parameters)
    message = error.parameters["message"]
    assert error.name == "InvalidParameter", error
    assert message.startswith(parameter), message
    assert re.search(limit, message), message
    assert daemon.sandbox.requests(since=since) == [], "a request was sent all the same"
    return message


def create(daemon, factor, ok=True, **parameters):
    parameters = {"target": target(daemon), "factor_sid": factor.sid, **parameters}
    reply, pairs = posted(daemon, "ChallengeCreate", ok=ok, **parameters)
    assert pairs[0] == ("FactorSid", factor.sid)
    return (reply["challenge"] if ok else reply), pairs[1:]


def refuse_create(daemon, factor, parameter, limit="", **parameters):
    parameters = {"target": target(daemon), "factor_sid": factor.sid, **parameters}
    return refused(daemon, "ChallengeCreate", parameter, limit, **parameters)


# Create.


def test_create_everything(backend, sandbox):
    """All parameters at once, in the specification's order, and the provider's own object back."""
    push = PushFactor(sandbox)
    expires = rfc3339(time.time() + 1800)
    fields = [{"label": "Ort, ä", "value": 'a "b" \\ & = + 100% / \u2028'}, {"label": "", "value": ""}]
    hidden = '{"ip": "203.0.113.7", "x": "ü"}'
    made, pairs = create(
        backend,
        push,
        expiration_date=expires,
        message="Sign in? Über & Co + 1 %",
        fields=fields,
        hidden_details=hidden,
    )
    assert [name for name, _ in pairs] == [
        "ExpirationDate",
        "Details.Message",
        "Details.Fields",
        "Details.Fields",
        "HiddenDetails",
    ]
    values = [value for _, value in pairs]
    assert values[:2] == [expires, "Sign in? Über & Co + 1 %"]
    assert [json.loads(v, object_pairs_hook=list) for v in values[2:4]] == [
        [(k, f[k]) for k in ("label", "value")] for f in fields
    ]
    assert values[4] == hidden
    assert made == sandbox.fetch_challenge(IDENTITY, made["sid"])
    assert made["details"]["fields"] == fields
    assert made["hidden_details"] == json.loads(hidden)
    assert made["expiration_date"] == expires


def test_create_least(backend, sandbox):
    """What is not given is not sent; null is not given."""
    push = PushFactor(sandbox)
    made, pairs = create(backend, push, message="m", fields=None, hidden_details=None)
    assert pairs == [("Details.Message", "m")]
    assert made["status"] == "pending" and made["details"]["fields"] == []
    made, pairs = create(backend, push, message="m", fields=[])
    assert pairs == [("Details.Message", "m")]


@pytest.mark.parametrize("character", ["a", "ä", "€", "𝄞"], ids=["1", "2", "3", "4"])
def test_create_lengths(backend, sandbox, character):
    """Limits count characters, however many bytes they have."""
    push = PushFactor(sandbox)
    c = character
    field = [{"label": c * 36, "value": c * 128}]
    hidden = json.dumps({"k": c * (1024 - 8)}, ensure_ascii=False, separators=(",", ":"))
    assert len(hidden) == 1024
    made, pairs = create(backend, push, message=c * 256, fields=field, hidden_details=hidden)
    form = dict(pairs)
    assert form["Details.Message"] == c * 256
    assert json.loads(form["Details.Fields"]) == field[0]
    assert form["HiddenDetails"] == hidden
    assert made["details"] == {**made["details"], "message": c * 256, "fields": field}

    refuse_create(backend, push, "Details.Message", "257.*256", message=c * 257)
    for label, value, name, limit in ((37, 1, "label", "37.*36"), (1, 129, "value", "129.*128")):
        field = [{"label": "a", "value": "b"}, {"label": c * label, "value": c * value}]
        name = f"Details.Fields[1].{name}"
        refuse_create(backend, push, name, limit, message="m", fields=field)
    refuse_create(
        *(backend, push, "HiddenDetails", "1025.*1024"),
        message="m",
        hidden_details=hidden.replace("k", "kk"),
    )


def test_create_number_of_fields(backend, sandbox):
    push = PushFactor(sandbox)
    fields = [{"label": f"l{i}", "value": f"v{i}"} for i in range(21)]
    made, pairs = create(backend, push, message="m", fields=fields[:20])
    assert [json.loads(v) for n, v in pairs if n == "Details.Fields"] == fields[:20]
    assert made["details"]["fields"] == fields[:20]
    refuse_create(backend, push, "Details.Fields", "21.*20", message="m", fields=fields)


def test_create_details_malformed(backend, sandbox):
    push = PushFactor(sandbox)
    refuse_create(backend, push, "Details.Message", "empty", message="")
    for hidden in ("", "{", "[]", '"a"', "1", "null", '{"a":1}', '{"a":null}', '{"a":{}}', "{}x"):
        refuse_create(backend, push, "HiddenDetails", message="m", hidden_details=hidden)
    refuse_create(
        *(backend, push, "HiddenDetails", "twice|duplicate"),
        message="m",
        hidden_details='{"a":"1","a":"2"}',
    )
    for fields in ({"label": "a", "value": "b"}, [1], [{"label": "a"}], [{"label": "a", "value": 1}]):
        refuse_create(backend, push, "", message="m", fields=fields)
    extra = [{"label": "a", "value": "b", "more": "c"}]
    refuse_create(backend, push, "", "more", message="m", fields=extra)


def test_create_expiration(backend, sandbox):
    """Up to 60 minutes ahead, in any form that RFC 3339 allows, sent as it was given."""
    push = PushFactor(sandbox)
    now = time.time()
    for ahead in (30, 3590):
        date = rfc3339(now + ahead)
        made, pairs = create(backend, push, message="m", expiration_date=date)
        assert pairs[0] == ("ExpirationDate", date) and made["expiration_date"] == date
    east = time.strftime("%Y-%m-%dT%H:%M:%S.250+02:00", time.gmtime(now + 600 + 7200))
    made, pairs = create(backend, push, message="m", expiration_date=east)
    assert pairs[0] == ("ExpirationDate", east)
    assert made["expiration_date"] == rfc3339(now + 600)

    for ahead, limit in ((3720, "60"), (86400, "60"), (-10, "future")):
        date = rfc3339(now + ahead)
        refuse_create(backend, push, "ExpirationDate", limit, message="m", expiration_date=date)
    for date in ("", "tomorrow", "2026-01-02", "2026-13-02T03:04:05Z", rfc3339(now + 60)[:-1]):
        refuse_create(backend, push, "ExpirationDate", "RFC 3339", message="m", expiration_date=date)


@pytest.mark.parametrize("digits", [3, 6, 8])
def test_create_with_code(backend, sandbox, digits):
    """A TOTP code at creation: right is approved at once, wrong is pending."""
    totp = TotpFactor(sandbox, digits=digits)
    code = totp.code()
    made, pairs = create(backend, totp, auth_payload=code)
    assert pairs == [("AuthPayload", code)]
    # The step may have turned since; then the code before is still within the server's window.
    assert made["status"] == "approved"
    wrong = totp.wrong_code()
    made, pairs = create(backend, totp, auth_payload=wrong)
    assert pairs == [("AuthPayload", wrong)] and made["status"] == "pending"


def test_create_code_limits(backend, sandbox):
    totp = TotpFactor(sandbox)
    for code in ("", "12", "123456789"):
        message = refuse_create(backend, totp, "AuthPayload", r"\b[38]\b", auth_payload=code)
        assert not code or code not in message
    made, pairs = create(backend, totp)
    assert pairs == [] and made["status"] == "pending" and made["details"] is None


def test_create_sids(backend, sandbox):
    """Malformed names of things never become a part of a URL."""
    push = PushFactor(sandbox)
    refused(backend, "ChallengeCreate", "FactorSid", "missing", target=target(backend), message="m")
    bad = ("", "YF", push.sid[:-1], push.sid + "0", "YC" + push.sid[2:], "YF" + "g" * 32, "../x")
    for sid in bad:
        refused(
            *(backend, "ChallengeCreate", "FactorSid"),
            target=target(backend),
            factor_sid=sid,
            message="m",
        )
    for sid in ("", "VA", "VA" + "0" * 31, "YF" + "0" * 32, "VA" + "0" * 30 + "/.", "VA" + "0" * 33):
        for method, more in (
            ("ChallengeCreate", {"factor_sid": push.sid, "message": "m"}),
            ("ChallengeFetch", {"sid": NOBODY}),
            ("ChallengeList", {}),
            ("ChallengeUpdate", {"sid": NOBODY, "metadata": "{}"}),
        ):
            where = {**target(backend), "service_sid": sid}
            refused(backend, method, "ServiceSid", target=where, **more)


def test_identities(backend, sandbox):
    """8 to 64 letters and digits, with single dashes between them."""
    for identity in ("a" * 8, "A1-b2-C3" * 8, "0" * 64):
        totp = TotpFactor(sandbox, identity)
        made, _ = create(backend, totp, target=target(backend, identity))
        assert made["identity"] == identity
        _, request = sent(backend, "ChallengeList", target=target(backend, identity))
        assert f"/Entities/{identity}/" in request["path"]
    for identity in ("", "a" * 7, "ä" * 7, "a" * 65):
        for method, more in (
            ("ChallengeCreate", {"factor_sid": totp.sid}),
            ("ChallengeFetch", {"sid": NOBODY}),
            ("ChallengeList", {}),
            ("ChallengeUpdate", {"sid": NOBODY, "metadata": "{}"}),
            ("AccessTokenCreate", None),
        ):
            where = target(backend, identity)
            parameters = where if more is None else {"target": where, **more}
            refused(backend, method, "Identity", "8.*64", **parameters)
    for identity in ("alice/../x", "alice 001", "alice_001", "alice--01", "-alice-01", "älice-001"):
        refused(backend, "ChallengeList", "Identity", target=target(backend, identity))


def test_whose(backend, sandbox):
    """A target is a factor held here, or an account, a service and an identity."""
    whole = target(backend)
    for missing in whole:
        where = {**whole, missing: None}
        refused(backend, "ChallengeList", "Name a factor", target=where)
    refused(backend, "ChallengeList", "", r"\[Account other\]", target={**whole, "account": "other"})
    refused(backend, "ChallengeList", "target", "colour", target={**whole, "colour": "red"})
    refused(backend, "ChallengeList", "target", "string", target={**whole, "identity": 1})
    refused(backend, "ChallengeList", "JSON", "target")
    error = call_error(backend, "ChallengeList", target={"factor": "nobody"})
    assert error.name == "NoSuchFactor"


def test_provider_refuses(backend, sandbox):
    """The provider's own no: its status and its code."""
    error, _ = sent(backend, "ChallengeFetch", ok=False, target=target(backend), sid=NOBODY)
    assert error.name == "ApiError"
    assert (error.parameters["http_status"], error.parameters["code"]) == (404, 20404)
    push = PushFactor(sandbox)
    error, _ = create(backend, push, ok=False)
    assert error.name == "ApiError" and error.parameters["http_status"] == 400


# Fetch.


def test_fetch(backend, sandbox):
    push = PushFactor(sandbox)
    sid = push.challenge(message="Sign in?", fields={"a": "b"}, hidden={"c": "d"})
    reply, request = sent(backend, "ChallengeFetch", target=target(backend), sid=sid)
    assert (request["method"], request["query"]) == ("GET", None) or not request["query"]
    expected = f"/v2/Services/{sandbox.service_sid}/Entities/{IDENTITY}/Challenges/{sid}"
    assert request["path"] == expected
    assert reply["challenge"] == sandbox.fetch_challenge(IDENTITY, sid)
    for bad in ("", sid[:20], sid + "0", "YF" + sid[2:], "YC" + "z" * 32, sid[:-3] + "/..", "?a=b"):
        refused(backend, "ChallengeFetch", "ChallengeSid", target=target(backend), sid=bad)
    refused(backend, "ChallengeFetch", "JSON", "sid", target=target(backend))


# List.


def listed(daemon, **parameters):
    """The SIDs of a list, the query that asked for it, and the next page's number and token."""
    where = parameters.pop("target", None) or target(daemon)
    reply, request = sent(daemon, "ChallengeList", target=where, **parameters)
    assert request["method"] == "GET"
    sids = [c["sid"] for c in reply["challenges"]]
    return sids, query(request), reply["next_page"], reply["next_page_token"]


def test_list_filters(backend, sandbox):
    push, totp = PushFactor(sandbox), TotpFactor(sandbox)
    first, second = push.challenge(), push.challenge()
    third = sandbox.create_totp_challenge(IDENTITY, totp.sid)["sid"]
    fourth = sandbox.create_totp_challenge(IDENTITY, totp.sid, totp.code())["sid"]
    sandbox.change_challenge(second, status="denied")
    everything = [first, second, third, fourth]

    assert listed(backend) == (everything, [], None, None)
    for parameters, sids, pairs in (
        ({"factor_sid": push.sid}, everything[:2], [("FactorSid", push.sid)]),
        ({"status": "pending"}, [first, third], [("Status", "pending")]),
        ({"status": "denied"}, [second], [("Status", "denied")]),
        ({"status": "approved"}, [fourth], [("Status", "approved")]),
        ({"status": "expired"}, [], [("Status", "expired")]),
        ({"order": "asc"}, everything, [("Order", "asc")]),
        ({"order": "desc"}, everything[::-1], [("Order", "desc")]),
        ({"page_size": 1000}, everything, [("PageSize", "1000")]),
        ({"page": 0}, everything, [("Page", "0")]),
    ):
        assert listed(backend, **parameters) == (sids, pairs, None, None)
    all_of_them = {
        "factor_sid": totp.sid,
        "status": "pending",
        "order": "desc",
        "page_size": 7,
        "page": 0,
    }
    sids, pairs, _, _ = listed(backend, **all_of_them)
    assert sids == [third]
    assert pairs == [
        ("FactorSid", totp.sid),
        ("Status", "pending"),
        ("Order", "desc"),
        ("PageSize", "7"),
        ("Page", "0"),
    ]


def test_list_limits(backend, sandbox):
    push = PushFactor(sandbox)
    sid = push.challenge()
    assert listed(backend, page_size=1)[:2] == ([sid], [("PageSize", "1")])
    for size in (0, -1, 1001, 2**40):
        where = target(backend)
        refused(backend, "ChallengeList", "PageSize", "1 to 1000", target=where, page_size=size)
    for parameters, name in (
        ({"page": -1}, "Page"),
        ({"page_token": ""}, "PageToken"),
        ({"page_token": "t" * 2049}, "PageToken"),
        ({"status": "done"}, "Status"),
        ({"status": "Pending"}, "Status"),
        ({"status": ""}, "Status"),
        ({"order": "up"}, "Order"),
        ({"factor_sid": "YF1"}, "FactorSid"),
        ({"page_size": "7"}, "JSON"),
        ({"page_size": 1.5}, "JSON"),
    ):
        refused(backend, "ChallengeList", name, target=target(backend), **parameters)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_list_pages(backend, sandbox, order):
    """Page by page to the end, with the token that each page gives."""
    push = PushFactor(sandbox)
    made = [push.challenge(message=f"{i}") for i in range(7)]
    filters = {"factor_sid": push.sid, "status": "pending", "order": order, "page_size": 3}
    pairs = [("FactorSid", push.sid), ("Status", "pending"), ("Order", order), ("PageSize", "3")]
    seen, position = [], {}
    for n in range(3):
        sids, got, page, token = listed(backend, **filters, **position)
        assert got == pairs + ([("Page", f"{n}"), ("PageToken", position["page_token"])] if n else [])
        assert len(sids) == (3, 3, 1)[n]
        seen += sids
        position = {"page": page, "page_token": token}
    assert position == {"page": None, "page_token": None}
    assert seen == (made if order == "asc" else made[::-1])


def test_list_all(backend, sandbox):
    """Without a page it goes to the end by itself, at BaseUrl, its filters repeated."""
    push = PushFactor(sandbox)
    made = [push.challenge(message=f"{i}") for i in range(103)]
    since = sandbox.last_seq()
    reply = call(backend, "ChallengeList", target=target(backend), status="pending", order="asc")
    assert [c["sid"] for c in reply["challenges"]] == made
    assert reply["next_page_token"] is None
    pages = [query(r) for r in sandbox.requests(since=since)]
    filters = [("Status", "pending"), ("Order", "asc")]
    assert [p[:2] for p in pages] == 3 * [filters]
    assert pages[0] == filters
    assert [[name for name, _ in p[2:]] for p in pages[1:]] == 2 * [["Page", "PageToken"]]
    assert reply["challenges"][100] == sandbox.fetch_challenge(IDENTITY, made[100])


def test_list_larger_than_a_message(backend, sandbox):
    """An answer over 1 MiB says so, and comes item by item to who asks with more."""
    push = PushFactor(sandbox)
    fields = [(f"{i:036}", "ü" * 128) for i in range(20)]
    made = [push.challenge(message="m" * 256, fields=fields) for _ in range(170)]
    error = call_error(backend, "ChallengeList", target=target(backend))
    assert error.name == "InvalidParameter" and "more" in error.parameters["message"]
    with backend.varlink() as varlink:
        replies = list(varlink.stream("ChallengeList", target=target(backend)))
    assert all(len(r["challenges"]) == 1 for r in replies[:-1])
    assert replies[-1]["challenges"] == []
    assert [c["sid"] for r in replies[:-1] for c in r["challenges"]] == made


# Update.


def update(daemon, sid, ok=True, **parameters):
    parameters = {"target": target(daemon), "sid": sid, **parameters}
    reply, pairs = posted(daemon, "ChallengeUpdate", ok=ok, **parameters)
    return (reply["challenge"] if ok else reply), pairs


@pytest.mark.parametrize("status", ["approved", "denied"])
def test_update_push(backend, sandbox, status):
    """A signed payload and metadata, as somebody else's authenticator made them."""
    push = PushFactor(sandbox)
    sid = push.challenge(fields={"a": "b"})
    payload, metadata = push.sign(sid, status), '{"os":"Linux","ort":"Köln & more"}'
    backend.canaries.append(payload)
    done, pairs = update(backend, sid, auth_payload=payload, metadata=metadata)
    assert pairs == [("AuthPayload", payload), ("Metadata", metadata)]
    assert done["status"] == status
    assert done == sandbox.fetch_challenge(IDENTITY, sid)
    assert done["metadata"] == json.loads(metadata)


def test_update_totp(backend, sandbox):
    totp = TotpFactor(sandbox)
    sid = sandbox.create_totp_challenge(IDENTITY, totp.sid)["sid"]
    code = totp.code()
    done, pairs = update(backend, sid, auth_payload=code)
    assert pairs == [("AuthPayload", code)] and done["status"] == "approved"
    error, _ = update(backend, sid, ok=False, auth_payload=code)
    assert (error.name, error.parameters["http_status"]) == ("ApiError", 403)
    assert error.parameters["code"] == 60322


def test_update_limits(backend, sandbox):
    push = PushFactor(sandbox)
    sid = push.challenge()
    for length in (3, 5456):
        error, pairs = update(backend, sid, ok=False, auth_payload="x" * length)
        assert pairs == [("AuthPayload", "x" * length)]
        assert error.parameters["code"] == 60324
    for metadata in ("{}", '{"k":"' + "ü" * 1016 + '"}'):
        error, pairs = update(backend, sid, ok=False, metadata=metadata)
        assert pairs == [("Metadata", metadata)]

    for parameters, name, limit in (
        ({"auth_payload": "x" * 5457}, "AuthPayload", "5457.*5456"),
        ({"auth_payload": "x" * 2}, "AuthPayload", "3 to 5456"),
        ({"auth_payload": ""}, "AuthPayload", "3 to 5456"),
        ({"metadata": '{"k":"' + "ü" * 1017 + '"}'}, "Metadata", "1025.*1024"),
        ({"metadata": '{"k":1}'}, "Metadata", "strings"),
        ({"metadata": "[]"}, "Metadata", ""),
        ({"metadata": ""}, "Metadata", ""),
        ({}, "an update needs AuthPayload or Metadata", ""),
    ):
        where = {"target": target(backend), "sid": sid}
        refused(backend, "ChallengeUpdate", name, limit, **where, **parameters)
    for bad in ("", sid[:20], "YF" + sid[2:], sid[:-3] + "/.."):
        where = {"target": target(backend), "sid": bad, "metadata": "{}"}
        refused(backend, "ChallengeUpdate", "ChallengeSid", **where)


# Access tokens.


def token(daemon, **parameters):
    """The reply and the pairs of the form; the token must not be logged."""
    where = {k: v for k, v in target(daemon).items()}
    reply, pairs = posted(daemon, "AccessTokenCreate", **where, **parameters)
    daemon.canaries.append(reply["token"])
    return reply, pairs


def test_access_token(backend, sandbox):
    least = [("Identity", IDENTITY), ("FactorType", "push")]
    reply, pairs = token(backend)
    assert pairs == least
    assert re.fullmatch(r"YK[0-9a-f]{32}", reply["sid"]) and reply["ttl"] == 60
    for ttl in (60, 61, 300):
        reply, pairs = token(backend, ttl=ttl, friendly_name="ü" * 64)
        assert pairs == [*least, ("FactorFriendlyName", "ü" * 64), ("Ttl", f"{ttl}")]
        assert reply["ttl"] == ttl
    where = target(backend)
    for ttl in (59, 301, 0, -60):
        refused(backend, "AccessTokenCreate", "Ttl", "60.*300", **where, ttl=ttl)
    for name in ("", "ü" * 65):
        refused(backend, "AccessTokenCreate", "FactorFriendlyName", "64", **where, friendly_name=name)
    refused(backend, "AccessTokenCreate", "ServiceSid", **{**where, "service_sid": "VA1"})
    refused(backend, "AccessTokenCreate", "", "other", **{**where, "account": "other"})


def test_access_token_enrols(backend, sandbox):
    """What it makes is good for one push factor."""
    reply, _ = token(backend)
    parameters = {"name": "laptop", "service_sid": sandbox.service_sid, "identity": IDENTITY}
    held = call(backend, "EnrollPush", access_token=reply["token"], **parameters)["factor"]
    assert held["status"] == "verified"


# With the credentials of a device.


@pytest.fixture
def device(make_daemon, sandbox):
    """A daemon without any account, and the push factor that it holds."""
    daemon = make_daemon(sandbox, {**QUIET, "Account main": None})
    held = enroll_with_token(daemon, "laptop", IDENTITY)
    # Its first poll is over when it has been seen.
    sandbox.wait_requests("GET", "/Challenges")
    daemon.auth = "device"
    daemon.held = held
    return daemon


def test_device(device, sandbox):
    """Fetch, list and update with the factor's own JWT."""
    held = device.held
    other = PushFactor(sandbox)
    other.challenge()
    sid = sandbox.create_push_challenge(IDENTITY, held["sid"])["sid"]
    mine = {"target": {"factor": "laptop"}}
    since = sandbox.last_seq()

    reply, _ = sent(device, "ChallengeFetch", **mine, sid=sid)
    assert reply["challenge"] == sandbox.fetch_challenge(IDENTITY, sid)
    own = ("FactorSid", held["sid"])
    assert listed(device, **mine) == ([sid], [own], None, None)
    sids, pairs, _, _ = listed(device, **mine, order="desc", page_size=5, factor_sid=held["sid"])
    assert (sids, pairs) == ([sid], [own, ("Order", "desc"), ("PageSize", "5")])

    metadata = '{"a":"b"}'
    reply, request = sent(
        device, "ChallengeUpdate", ok=False, **mine, sid=sid, auth_payload="eyJ.x.y", metadata=metadata
    )
    assert request["params"] == [["AuthPayload", "eyJ.x.y"], ["Metadata", metadata]]
    assert reply.parameters["code"] == 60324

    key = sandbox.factor(held["sid"])["public_key"]
    for request in sandbox.requests(since=since):
        verify_device_jwt(key, request["authorization"])


def test_device_limits(device, sandbox):
    """The limits hold whatever the credential; what a device may not is not tried."""
    held = device.held
    mine = {"target": {"factor": "laptop"}}
    refused(device, "ChallengeCreate", "", "account", **mine, message="m")
    refused(device, "ChallengeList", "PageSize", "1000", **mine, page_size=1001)
    refused(device, "ChallengeFetch", "ChallengeSid", **mine, sid="YC1")
    refused(device, "ChallengeUpdate", "AuthPayload", **mine, sid=NOBODY, auth_payload="x" * 5457)
    refused(device, "ChallengeUpdate", "an update needs", **mine, sid=NOBODY)
    where = {"service_sid": sandbox.service_sid, "identity": IDENTITY}
    refused(device, "AccessTokenCreate", "", "main", account="main", **where)
    refused(device, "ChallengeList", "", "main", target={"factor": held["name"], "account": "main"})


def test_account_for_a_factor_held_here(make_daemon, sandbox):
    """A factor that has an account is asked about with the account's credentials; by name or SID."""
    daemon = make_daemon(sandbox, QUIET)
    daemon.auth = "account"
    held = enroll_with_token(daemon, "laptop", IDENTITY)
    sandbox.wait_requests("GET", "/Challenges")
    for name in ("laptop", held["sid"]):
        both = {"factor": name, "account": "main"}
        made, pairs = posted(daemon, "ChallengeCreate", target=both, message="m")
        assert pairs == [("FactorSid", held["sid"]), ("Details.Message", "m")]
        wait_state(daemon, made["challenge"]["sid"], "asking")
        reply, _ = sent(daemon, "ChallengeFetch", target=both, sid=made["challenge"]["sid"])
        assert reply["challenge"] == made["challenge"]


# By factorctl.


def by_ctl(daemon, *arguments, whose=None, **options):
    """Runs a verb that must send exactly one request, and returns its document and that request."""
    since = daemon.sandbox.last_seq()
    document = daemon.ctl_json(*arguments, *(whose or words(daemon)), **options)
    (request,) = daemon.sandbox.requests(since=since)
    check_request(request)
    assert request["auth"] == daemon.auth
    return document, request


def words(daemon, identity=IDENTITY):
    service = daemon.sandbox.service_sid
    return "--account", "main", "--service", service, "--identity", identity


def ctl_refused(daemon, *arguments, parts=(), whose=None, **options):
    """A usage error: exit status 2, a line that says what is wrong, and no request."""
    since = daemon.sandbox.last_seq()
    result = daemon.ctl(*arguments, *(whose or words(daemon)), check=2, **options)
    assert result.out == "" and len(result.err.splitlines()) == 1, result
    for part in parts:
        assert part in result.err, result
    assert daemon.sandbox.requests(since=since) == []


def test_ctl_create(backend, sandbox):
    push = PushFactor(sandbox)
    verb = ("challenge", "create", "--factor-sid", push.sid)
    hidden, expires = '{"ip":"203.0.113.7"}', rfc3339(time.time() + 1800)
    document, request = by_ctl(
        *(backend, *verb, "--message", "ü" * 256, "--expires", expires),
        *("--field", "a=b=c", "--field", "Ort=Köln", "--hidden-details", hidden),
    )
    assert request["params"] == [
        ["FactorSid", push.sid],
        ["ExpirationDate", expires],
        ["Details.Message", "ü" * 256],
        ["Details.Fields", '{"label":"a","value":"b=c"}'],
        ["Details.Fields", '{"label":"Ort","value":"Köln"}'],
        ["HiddenDetails", hidden],
    ]
    made = document["challenge"]
    assert made == sandbox.fetch_challenge(IDENTITY, made["sid"])
    ctl_refused(backend, *verb, "--message", "ü" * 257, parts=["Details.Message", "256"])
    twenty_one = [word for i in range(21) for word in ("--field", f"l{i}=v")]
    ctl_refused(backend, *verb, "--message", "m", *twenty_one, parts=["Details.Fields", "20"])
    ctl_refused(backend, *verb, "--message", "m", "--field", "l" * 37 + "=v", parts=["label", "36"])
    ctl_refused(backend, *verb, "--message", "m", "--field", "l=" + "v" * 129, parts=["value", "128"])
    ctl_refused(backend, *verb, "--message", "m", "--field", "l")
    ctl_refused(backend, *verb, "--message", "m", "--hidden-details", "{", parts=["HiddenDetails"])
    ctl_refused(backend, *verb, "--message", "m", "--expires", "2h", parts=["ExpirationDate", "60"])
    ctl_refused(backend, *verb, "--message", "m", "--expires", "soon")
    short = words(backend, "a" * 7)
    ctl_refused(backend, *verb, "--message", "m", whose=short, parts=["Identity", "8"])
    ctl_refused(backend, *verb, "--message", "m", whose=("--account", "main"))


def test_ctl_codes(backend, sandbox):
    """Payloads come by stdin or a file, never as an argument."""
    totp = TotpFactor(sandbox)
    verb = ("challenge", "create", "--factor-sid", totp.sid, "--auth-payload-file")
    code = totp.code()
    document, request = by_ctl(backend, *verb, "-", input=code + "\n")
    assert request["params"] == [["FactorSid", totp.sid], ["AuthPayload", code]]
    assert document["challenge"]["status"] == "approved"
    for code in ("", "12", "123456789"):
        ctl_refused(backend, *verb, "-", input=code)
    sid = sandbox.create_totp_challenge(IDENTITY, totp.sid)["sid"]
    payload = backend.write_secret("payload", totp.wrong_code())
    update = ("challenge", "update", sid, "--auth-payload-file", payload, "--metadata", '{"a":"b"}')
    document, request = by_ctl(backend, *update)
    assert request["params"] == [["AuthPayload", payload.read_text()], ["Metadata", '{"a":"b"}']]
    assert document["challenge"]["status"] == "pending"
    payload.write_text("x" * 5457)
    ctl_refused(backend, *update, parts=["AuthPayload", "5456"])
    ctl_refused(backend, "challenge", "update", sid, "--metadata", "[]", parts=["Metadata"])
    ctl_refused(backend, "challenge", "update", sid, parts=["AuthPayload", "Metadata"])


def test_ctl_fetch_and_list(backend, sandbox):
    push = PushFactor(sandbox)
    made = [push.challenge(message=f"{i}") for i in range(5)]
    document, request = by_ctl(backend, "challenge", "fetch", made[0])
    assert document["challenge"] == sandbox.fetch_challenge(IDENTITY, made[0])
    ctl_refused(backend, "challenge", "fetch", "YC1", parts=["ChallengeSid"])
    result = backend.ctl("challenge", "fetch", NOBODY, *words(backend), check=7)
    assert "404" in result.err and "20404" in result.err

    document, request = by_ctl(backend, "challenge", "list")
    assert [c["sid"] for c in document["challenges"]] == made and query(request) == []
    seen, more = [], ()
    options = ("--status", "pending", "--order", "desc", "--page-size", "2", "--factor-sid", push.sid)
    while True:
        document, request = by_ctl(backend, "challenge", "list", *options, *more)
        seen += [c["sid"] for c in document["challenges"]]
        assert query(request)[:4] == [
            ("FactorSid", push.sid),
            ("Status", "pending"),
            ("Order", "desc"),
            ("PageSize", "2"),
        ]
        if not document["next_page_token"]:
            break
        more = ("--page", document["next_page"], "--page-token", document["next_page_token"])
    assert seen == made[::-1]
    for options, part in (
        (("--page-size", "0"), "PageSize"),
        (("--page-size", "1001"), "PageSize"),
        (("--page-size", "x"), "page-size"),
        (("--status", "done"), "Status"),
        (("--order", "up"), "Order"),
        (("--factor-sid", "YF1"), "FactorSid"),
    ):
        ctl_refused(backend, "challenge", "list", *options, parts=[part])


def test_ctl_access_token(backend, sandbox):
    document, request = by_ctl(backend, "access-token", "create", "--ttl", "300")
    backend.canaries.append(document["token"])
    assert document["ttl"] == 300
    assert request["params"] == [["Identity", IDENTITY], ["FactorType", "push"], ["Ttl", "300"]]
    for ttl in ("59", "301", "0", "6min"):
        ctl_refused(backend, "access-token", "create", "--ttl", ttl, parts=["Ttl", "60", "300"])
    enrol = ("enroll", "push", "--name", "laptop", "--service", sandbox.service_sid)
    backend.ctl(
        *(*enrol, "--identity", IDENTITY, "--access-token-file", "-"), input=document["token"] + "\n"
    )
    assert backend.factor("laptop")["status"] == "verified"


def test_ctl_device(device, sandbox):
    sid = sandbox.create_push_challenge(IDENTITY, device.held["sid"])["sid"]
    mine = ("--factor", "laptop")
    document, _ = by_ctl(device, "challenge", "fetch", sid, whose=mine)
    assert document["challenge"]["sid"] == sid
    document, request = by_ctl(device, "challenge", "list", "laptop", whose=("--order", "asc"))
    assert [c["sid"] for c in document["challenges"]] == [sid]
    assert query(request) == [("FactorSid", device.held["sid"]), ("Order", "asc")]
    ctl_refused(device, "challenge", "create", "--message", "m", whose=mine, parts=["account"])
