# SPDX-License-Identifier: Apache-2.0
"""factord-sandbox: the program, credentials, paths, entities and lists."""

import base64
import http.client
import json
import signal
import ssl
import subprocess
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox_peer import (
    BINARY,
    CUT,
    Device,
    FORM,
    IDENTITY,
    box,
    date_of,
    running,
    sandbox_proc,
    sign_compact,
    run,
)

# The program.


@pytest.mark.parametrize("args", [
    (), ("--port",), ("--port", "x"), ("--port", "65536"), ("--port", "-1"), ("--bogus",),
    ("--port", "0", "--account", "AC1"), ("--port", "0", "--service", "VA1"),
    ("--port", "0", "--token", ""), ("--port", "0", "--token", "a b"), ("--port", "0", "stray"),
    ("--port", "0", "--tls-cert", "x"), ("--port", "0", "--token", "a", "--token-file", "b"),
])
def test_usage_errors_are_one_line_and_exit_2(args):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("factord-sandbox: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("args", [
    ("--listen", "nowhere.example"), ("--token-file", "/nonexistent"),
    ("--data", "/nonexistent/state"), ("--tls-cert", "/dev/null", "--tls-key", "/dev/null"),
])
def test_failures_are_one_line_and_exit_1(args):
    done = run("--port", "0", *args)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("factord-sandbox: ") and done.stderr.count("\n") == 1


def test_help_and_version():
    assert "--port" in run("--help").stdout
    assert run("--version").stdout.startswith("factord-sandbox ")
    assert run("--help").returncode == run("--version").returncode == 0


def test_given_credentials_and_signals(tmp_path):
    account, service = "AC" + "a" * 32, "VA" + "b" * 32
    with running("--account", account, "--token", "t:0ken", "--service", service) as box:
        assert box.ready["url"] == f"http://127.0.0.1:{box.port}"
        assert (box.account, box.service, box.main[1]) == (account, service, "t:0ken")
        box.get("/Entities").expect(200)
        assert box.stop(signal.SIGINT) == 0
    (tmp_path / "token").write_text("from-file\n")
    with running("--token-file", tmp_path / "token") as box:
        assert box.main[1] == "from-file"
        taken = run("--port", str(box.port))
        assert taken.returncode == 1 and "in use" in taken.stderr


def test_listens_on_ipv6():
    with running("--listen", "::1") as box:
        assert box.ready["url"] == f"http://[::1]:{box.port}"
        connection = http.client.HTTPConnection("::1", box.port, timeout=20)
        reply = box.raw("GET", "/sandbox/state", connection=connection)
        assert reply.status == 200
        connection.close()


def test_tls(tmp_path):
    cert, key = tmp_path / "cert", tmp_path / "key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    context = ssl.create_default_context(cafile=cert)
    with running("--tls-cert", cert, "--tls-key", key, context=context) as box:
        assert box.ready["url"].startswith("https://")
        device = box.device()
        challenge = box.challenge(device.factor).expect(201).json
        assert device.answer(challenge["sid"]).expect(200).json["status"] == "approved"
        assert challenge["url"].startswith(box.ready["url"])
        box.simulate("faults", {"match": "GET .*", "delay_ms": 50, "cut": "after"})
        with pytest.raises(CUT):
            box.get("/Entities")


# Credentials.


def test_account_and_api_key(box):
    box.get("/Entities", auth=box.main).expect(200)
    box.get("/Entities", auth=(box.ready["api_key_sid"], box.ready["api_key_secret"])).expect(200)
    wrong = [
        (box.account, "wrong"), ("AC" + "0" * 32, box.main[1]), ("", ""), ("token", ""),
        (box.ready["api_key_sid"], box.main[1]), ("SK" + "0" * 32, box.ready["api_key_secret"]),
        (box.account, box.main[1] + "x"), ("token", "a.b.c"), ("token", "a.b.c.d.e"),
        (box.account, box.main[1][:-1]),
    ]
    for pair in wrong:
        reply = box.get("/Entities", auth=pair).expect(401, 20003)
        assert reply.json["message"] == "Authenticate"
    for value in ("", "Bearer x", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"x").decode(),
                  "Basic " + base64.b64encode(b"a:b\0c").decode()):
        box.raw("GET", box.base + "/Entities", headers={"Authorization": value}).expect(401, 20003)
    box.raw("GET", box.base + "/Entities").expect(401, 20003)
    box.raw("GET", "/v2/nothing").expect(401, 20003)
    kinds = [(r["auth"], r["credential"]) for r in box.state["requests"]]
    assert ("account", box.account) in kinds and ("api-key", box.ready["api_key_sid"]) in kinds
    assert ("none", None) in kinds and ("access-token", None) in kinds


def test_access_token_shape_and_use(box):
    reply = box.post("/AccessTokens", {"Identity": IDENTITY, "FactorType": "push",
                                       "FactorFriendlyName": "desk-1", "Ttl": "300"}).expect(201)
    token = reply.json
    assert set(token) == {"sid", "account_sid", "service_sid", "entity_identity", "factor_type",
                          "factor_friendly_name", "token", "ttl", "date_created", "url"}
    assert token["ttl"] == 300 and token["sid"].startswith("YK")
    parts = token["token"].split(".")
    assert len(parts) == 5 and parts[1] == "" and len(token["token"]) > 600
    assert box.get(f"/AccessTokens/{token['sid']}").expect(200).json == token
    box.get("/AccessTokens/YK" + "0" * 32).expect(404, 20404)

    auth = ("token", token["token"])
    box.get("/Entities", auth=auth).expect(401, 20003)
    box.get(box.entity() + "/Factors", auth=auth).expect(401, 20003)
    form = Device(box, identity="someone-else").form()
    box.post(box.entity("other-user") + "/Factors", form, auth=auth).expect(403, 60313)
    box.post(box.entity() + "/Factors", {"FactorType": "totp", "FriendlyName": "x"},
             auth=auth).expect(403, 60313)
    box.simulate("clock", {"offset": 299})
    box.post(box.entity("USER-0001") + "/Factors", form, auth=auth).expect(201)
    box.simulate("clock", {"offset": 301})
    box.post(box.entity() + "/Factors", form, auth=auth).expect(401, 20003)


@pytest.mark.parametrize("form,code", [
    ({"FactorType": "push"}, 60305), ({"Identity": IDENTITY}, 60305),
    ({"Identity": IDENTITY, "FactorType": "totp"}, 60305),
    ({"Identity": "short", "FactorType": "push"}, 60305),
    ({"Identity": IDENTITY, "FactorType": "push", "Ttl": "59"}, 60300),
    ({"Identity": IDENTITY, "FactorType": "push", "Ttl": "301"}, 60300),
    ({"Identity": IDENTITY, "FactorType": "push", "Ttl": "x"}, 60300),
    ({"Identity": IDENTITY, "FactorType": "push", "FactorFriendlyName": "x" * 65}, 60300),
])
def test_access_token_limits(box, form, code):
    box.post("/AccessTokens", form).expect(400, code)


def test_device_jwt(box):
    device = box.device()
    now = box.now()
    good = [{}, {"nbf": now + 4}, {"exp": now - 1}, {"extra": "claim"},
            {"headers": {"typ": None}}]
    for change in good:
        box.get(device.challenges, auth=device.auth(**change)).expect(200)
    bad = [
        {"nbf": now + 60}, {"exp": now - 60}, {"nbf": None}, {"exp": None}, {"sub": None},
        {"sub": "AC" + "0" * 32}, {"key": ec.generate_private_key(ec.SECP256R1())},
        {"headers": {"kid": "CR" + "0" * 32}}, {"headers": {"cty": "twilio-fpa;v=1"}},
        {"headers": {"cty": None}}, {"nbf": "x"},
    ]
    for change in bad:
        reply = box.get(device.challenges, auth=device.auth(**change)).expect(401, 20003)
        assert abs(date_of(reply) - now) < 30
    for alg in ("none", "HS256", "ES384", "es256", None):
        header = {"cty": "twilio-pba;v=1", "kid": device.factor["config"]["credential_sid"],
                  "alg": alg}
        claims = {"sub": box.account, "nbf": now, "exp": now + 600}
        forged = sign_compact(device.key, header, claims)
        box.get(device.challenges, auth=("token", forged)).expect(401, 20003)
    # Another algorithm, with the public key as the shared secret: the classic confusion.
    header = {"cty": "twilio-pba;v=1", "kid": device.factor["config"]["credential_sid"]}
    claims = {"sub": box.account, "nbf": now, "exp": now + 600}
    forged = jwt.encode(claims, device.public_key(), algorithm="HS256", headers=header)
    box.get(device.challenges, auth=("token", forged)).expect(401, 20003)
    unsigned = jwt.encode(claims, None, algorithm="none", headers=header)
    box.get(device.challenges, auth=("token", unsigned)).expect(401, 20003)
    # DER instead of the raw signature.
    head = device.token().rsplit(".", 1)[0]
    der = device.key.sign(head.encode(), ec.ECDSA(hashes.SHA256()))
    mixed = head + "." + base64.urlsafe_b64encode(der).decode().rstrip("=")
    box.get(device.challenges, auth=("token", mixed)).expect(401, 20003)


def test_device_touches_only_its_own(box):
    mine, other = box.device(), box.device()
    stranger = box.device(identity="stranger-1")
    theirs = box.challenge(other.factor).expect(201).json
    own = box.challenge(mine.factor).expect(201).json
    auth = mine.auth()

    box.get(mine.path, auth=auth).expect(200)
    for path in (other.path, stranger.path, f"{mine.challenges}/{theirs['sid']}",
                 stranger.challenges, box.entity(), "/Entities",
                 f"{mine.challenges}?FactorSid={other.factor['sid']}"):
        box.get(path, auth=auth).expect(404, 20404)
    box.post(other.path, {"FriendlyName": "x"}, auth=auth).expect(404, 20404)
    box.delete(other.path, auth=auth).expect(404, 20404)
    box.delete(box.entity(), auth=auth).expect(404, 20404)
    box.post(mine.challenges, {"FactorSid": mine.factor["sid"], "Details.Message": "x"},
             auth=auth).expect(404, 20404)
    box.post(box.entity() + "/Factors", other.form(), auth=auth).expect(403, 60313)
    signed = jwt.encode(other.payload(theirs["sid"], "approved"), other.key, algorithm="ES256")
    box.post(f"{mine.challenges}/{theirs['sid']}", {"AuthPayload": signed},
             auth=auth).expect(404, 20404)
    listed = box.get(mine.challenges, auth=auth).expect(200).json["challenges"]
    assert [c["sid"] for c in listed] == [own["sid"]]
    factors = box.get(box.entity() + "/Factors", auth=auth).expect(200).json["factors"]
    assert [f["sid"] for f in factors] == [mine.factor["sid"]]
    box.delete(mine.path, auth=auth).expect(204)
    box.get(mine.challenges, auth=auth).expect(401, 20003)


# Paths and requests.


def test_paths(box):
    service = "VA" + "0" * 32
    device = box.device()
    for path, status, code in [
        ("/v2/nothing", 404, 20404), (box.base, 404, 20404), (box.base + "/", 404, 20404),
        (box.base + "/entities", 404, 20404), (box.base + "/Entities/", 404, 20404),
        (box.base + f"/Entities/{IDENTITY}/", 404, 20404),
        (f"/v2/Services/{service}/Entities", 404, 20404),
        ("/v2/Services/VA1/Entities", 400, 60306), (box.base + "/Entities/x", 400, 60306),
        (box.base + "/Entities/no-such-user", 404, 20404),
        (box.base + "/Entities/no-such-user/Factors", 404, 20404),
        (box.base + "/Entities/no-such-user/Challenges", 404, 20404),
        (box.base + "/Entities/bad%20identity", 400, 60306),
        (box.base + "/Entities/bad%zzidentity", 400, 60306),
        (box.base + f"/Entities/{IDENTITY}/Factors/YF1", 400, 60306),
        (box.base + f"/Entities/{IDENTITY}/Factors/YF" + "0" * 32, 404, 20404),
        (box.base + f"/Entities/{IDENTITY}/Challenges/YC" + "0" * 32, 404, 20404),
        (box.base + f"/Entities/stranger-1/Factors/{device.factor['sid']}", 404, 20404),
    ]:
        box.raw("GET", path, box.main).expect(status, code)
    box.raw("PUT", box.base + "/Entities", box.main).expect(405, 20004)
    box.raw("GET", "/elsewhere", box.main).expect(404, 20404)
    box.get(box.entity("USER-0001")).expect(200)
    message = box.get("/Entities/no-such-user").expect(404).json["message"]
    assert message == f"The requested resource {box.base}/Entities/no-such-user was not found"


def test_bodies(box):
    path = box.base + "/Entities"
    form = {"Content-Type": FORM + "; charset=UTF-8"}
    box.raw("POST", path, box.main, "Identity=percent%2Dencoded", form).expect(201)
    box.raw("POST", path, box.main, "{}", {"Content-Type": "application/json"}).expect(400, 60300)
    box.raw("POST", path, box.main, "Identity=x", {"Content-Type": FORM + "x"}).expect(400, 60300)
    for body in ("Identity=%zz", "Identity=%00", "Identity=%ff", "Identity=abc%4", b"I=\xff"):
        box.raw("POST", path, box.main, body, form).expect(400, 60300)
    box.raw("POST", path, box.main).expect(400, 60300)
    fits = "Identity=fits-0001&x=" + "y" * (64 * 1024 - 21)
    assert len(fits) == 64 * 1024
    box.raw("POST", path, box.main, fits, form).expect(201)
    box.raw("POST", path, box.main, fits + "y", form).expect(413, 60300)
    box.raw("GET", path, box.main, headers={"Accept": FORM}).expect(200)
    box.raw("GET", path + "?PageSize=%zz", box.main).expect(400, 60300)


def test_headers_of_replies(box):
    for reply in (box.get("/Entities").expect(200), box.get("/Entities/x").expect(400, 60306),
                  box.post("/Entities", {"Identity": IDENTITY}).expect(201),
                  box.delete(box.entity()).expect(204), box.raw("GET", "/sandbox/state")):
        assert len(reply.headers.get_all("Date")) == 1 and abs(date_of(reply) - time.time()) < 30
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Twilio-Request-Id"].startswith("RQ")
        if reply.status != 204:
            assert reply.headers["Content-Type"] == "application/json"


def test_request_log(box):
    pairs = [("Identity", "log-user"), ("X", "1"), ("Y", "a b+c&d=ü"), ("X", "2"), ("Z", "")]
    connection = box.connect()
    box.call("POST", "/Entities", pairs, headers={"User-Agent": "me/1", "Accept": "text/plain"},
             connection=connection).expect(201)
    box.get("/Entities?PageSize=7&Q=%41", connection=connection).expect(200)
    box.get("/Entities").expect(200)
    connection.close()
    first, second, third = box.state["requests"]
    assert first["params"] == [list(p) for p in pairs]
    assert (first["method"], first["path"], first["query"]) == ("POST", box.base + "/Entities", None)
    assert (first["user_agent"], first["accept"]) == ("me/1", "text/plain")
    assert first["content_type"] == FORM and first["status"] == 201
    assert base64.b64decode(first["authorization"].split()[1]).decode() == ":".join(box.main)
    assert second["query"] == "PageSize=7&Q=%41" and second["error_code"] is None
    assert first["connection"] == second["connection"] != third["connection"]
    assert [r["seq"] for r in (first, second, third)] == [1, 2, 3]
    box.simulate("requests", {"clear": True})
    assert box.state["requests"] == []
    connection = box.connect()
    for _ in range(1005):
        box.get("/Entities/x", connection=connection).expect(400)
    connection.close()
    entries = box.state["requests"]
    assert [r["seq"] for r in entries] == list(range(9, 1009))
    assert entries[0]["error_code"] == 60306


# Entities.


def test_entities(box):
    created = box.post("/Entities", {"Identity": "User-0001", "Unknown": "is tolerated"})
    entity = created.expect(201).json
    assert set(entity) == {"sid", "identity", "account_sid", "service_sid", "date_created",
                           "date_updated", "url", "links"}
    assert set(entity["links"]) == {"factors", "new_factors", "challenges"}
    assert entity["url"].startswith(box.ready["url"] + "/v2/")
    assert box.get(box.entity("user-0001")).expect(200).json == entity
    box.post("/Entities", {"Identity": "user-0001"}).expect(409, 60301)
    for identity in ("short-1", "x" * 65, "under_score", "-leading-dash", "double--dash", ""):
        box.post("/Entities", {"Identity": identity}).expect(400)
    box.post("/Entities", {"Identity": "x" * 64}).expect(201)
    factor = box.totp(identity="user-0001")
    assert factor["entity_sid"] == entity["sid"]
    challenge = box.challenge(factor, identity="user-0001").expect(201).json
    box.delete(box.entity("user-0001")).expect(204)
    box.get(box.entity("user-0001")).expect(404, 20404)
    box.delete(box.entity("user-0001")).expect(404, 20404)
    again = box.post("/Entities", {"Identity": "user-0001"}).expect(201).json
    assert again["sid"] != entity["sid"]
    box.get(f"{box.entity('user-0001')}/Challenges/{challenge['sid']}").expect(404, 20404)


# Lists.


def pages(box, path, token_only=False, auth=None, name="PageToken"):
    """Follows next_page_url to the end, and previous_page_url back."""
    url, seen, visited = path, [], []
    while url:
        page = box.get(url, auth=auth).expect(200).json
        meta = page["meta"]
        assert set(meta) == {"page", "page_size", "first_page_url", "previous_page_url", "url",
                             "next_page_url", "key"}
        items = [i["sid"] for i in page[meta["key"]]]
        assert len(items) <= meta["page_size"] and meta["page"] == len(seen)
        seen.append(items)
        visited.append(meta)
        if not meta["next_page_url"]:
            break
        assert meta["next_page_url"].startswith(box.ready["url"] + "/v2/")
        url = meta["next_page_url"][len(box.ready["url"]):]
        if token_only:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
            separator = "&" if "?" in path else "?"
            url = f"{path}{separator}{name}={query['PageToken'][0]}&Page={len(seen)}"
    for i in range(len(visited) - 1, 0, -1):
        before = visited[i]["previous_page_url"][len(box.ready["url"]):]
        back = box.get(before, auth=auth).expect(200).json
        assert [x["sid"] for x in back[back["meta"]["key"]]] == seen[i - 1]
    assert visited[0]["previous_page_url"] is None
    return seen


def test_paging(box):
    device, other = box.device(), box.device()
    connection = box.connect()
    sids = []
    for i in range(25):
        owner = other if i % 5 == 4 else device
        sids.append(box.challenge(owner.factor).expect(201).json["sid"])
    own = [s for i, s in enumerate(sids) if i % 5 != 4]
    path = device.challenges
    assert pages(box, path) == [sids]
    assert pages(box, path + "?PageSize=25") == [sids]
    assert pages(box, path + "?PageSize=10") == [sids[:10], sids[10:20], sids[20:]]
    assert pages(box, path + "?PageSize=1") == [[s] for s in sids]
    assert pages(box, path + "?PageSize=10&Order=desc") == [
        sids[:14:-1], sids[14:4:-1], sids[4::-1]]
    assert pages(box, path + "?PageSize=10", token_only=True) == [sids[:10], sids[10:20], sids[20:]]
    assert box.state["quirks"]["lower_case_page_token"] == 0
    assert pages(box, path + "?PageSize=10", token_only=True, name="pageToken") == [
        sids[:10], sids[10:20], sids[20:]]
    assert box.state["quirks"]["lower_case_page_token"] == 2
    mine = f"{path}?FactorSid={device.factor['sid']}&PageSize=7&Status=pending"
    assert pages(box, mine, auth=device.auth()) == [own[:7], own[7:14], own[14:]]
    page = box.get(path + "?PageSize=10&Page=2").expect(200).json
    assert [c["sid"] for c in page["challenges"]] == sids[20:]
    assert page["meta"]["first_page_url"].endswith("?PageSize=10&Page=0")
    # What is answered between two pages is not missed, nor shown twice.
    first = box.get(mine).json
    for challenge in first["challenges"][-2:]:
        device.answer(challenge["sid"]).expect(200)
    second = box.get(first["meta"]["next_page_url"][len(box.ready["url"]):]).expect(200).json
    assert [c["sid"] for c in second["challenges"]] == own[7:14]
    assert box.get(path + "?Status=approved").json["challenges"][0]["sid"] == own[5]
    for query in ("PageSize=0", "PageSize=1001", "PageSize=x", "Page=-1", "PageToken=x",
                  "PageToken=DNYC" + "0" * 32, "Status=x", "Order=up", "FactorSid=x"):
        box.get(f"{path}?{query}").expect(400, 60306)
    connection.close()


def test_page_urls_use_the_host_that_was_asked(box):
    reply = box.raw("GET", box.base + "/Entities", box.main, headers={"Host": "verify.test:81"})
    assert reply.json["meta"]["url"].startswith("http://verify.test:81/v2/")
    reply = box.raw("GET", box.base + "/Entities", box.main, headers={"Host": "bad/host"})
    assert reply.json["meta"]["url"].startswith(box.ready["url"] + "/v2/")


def test_lists_of_factors_and_entities(box):
    factors = [box.totp()["sid"] for _ in range(3)] + [box.device().factor["sid"]]
    assert pages(box, box.entity() + "/Factors?PageSize=3") == [factors[:3], factors[3:]]
    listed = box.get(box.entity() + "/Factors").json["factors"]
    assert all("binding" not in f for f in listed)
    other = box.post("/Entities", {"Identity": "other-0001"}).expect(201).json
    (page,) = pages(box, "/Entities")
    assert len(page) == 2 and page[1] == other["sid"]
    assert pages(box, "/Entities/other-0001/Factors") == [[]]
