# SPDX-License-Identifier: Apache-2.0
"""factord-sandbox, driven by a client that shares no code with it: http.client, cryptography,
PyJWT and oathtool."""

import base64
import calendar
import concurrent.futures
import contextlib
import email.utils
import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from harness import wait_for

BINARY = pathlib.Path(os.environ.get("FACTORD_BUILD_DIR", "build")) / "sandbox" / "factord-sandbox"
IDENTITY = "user-0001"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
FORM = "application/x-www-form-urlencoded"
CUT = (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)


class Reply:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, status, code=None):
        assert self.status == status, (self.status, self.body)
        if code is not None:
            error = self.json
            assert error["code"] == code and error["status"] == status, error
            assert error["message"] and str(code) in error["more_info"]
        return self


class Sandbox:
    """A running server and the credentials of its ready line."""

    def __init__(self, *args, context=None):
        self.context = context
        self.process = subprocess.Popen(
            [BINARY, *(() if "--port" in args else ("--port", "0")), *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read())
        self.ready = json.loads(line)
        assert self.ready["ready"] is True
        self.port = self.ready["port"]
        self.account = self.ready["account_sid"]
        self.service = self.ready["service_sid"]
        self.main = (self.account, self.ready["auth_token"])
        self.base = f"/v2/Services/{self.service}"

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=20)
        assert out == "" and "ERROR" not in err, err
        return self.process.returncode

    def connect(self, timeout=20):
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                               context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def raw(self, method, path, auth=None, body=None, headers=None, connection=None):
        headers = dict(headers or {})
        if auth:
            headers["Authorization"] = "Basic " + base64.b64encode(
                f"{auth[0]}:{auth[1]}".encode()).decode()
        with contextlib.closing(self.connect()) if not connection else contextlib.nullcontext(
                connection) as c:
            c.request(method, path, body=body, headers=headers)
            response = c.getresponse()
            return Reply(response, response.read())

    def call(self, method, path, form=None, auth=None, **kwargs):
        body, headers = None, kwargs.pop("headers", {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers = {"Content-Type": FORM, **headers}
        path = path if path.startswith("/v2/") else self.base + path
        return self.raw(method, path, auth or self.main, body, headers, **kwargs)

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, form, **kwargs):
        return self.call("POST", path, form, **kwargs)

    def delete(self, path, **kwargs):
        return self.call("DELETE", path, **kwargs)

    def simulate(self, name, value, status=200):
        return self.raw("POST", "/sandbox/" + name, body=json.dumps(value)).expect(status).json

    @property
    def state(self):
        return self.raw("GET", "/sandbox/state").expect(200).json

    def now(self):
        stamp = self.state["clock"]["now"]
        return calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))

    def entity(self, identity=IDENTITY):
        return f"/Entities/{identity}"

    # Shortcuts to a scene.

    def device(self, **kwargs):
        return Device(self, **kwargs)

    def totp(self, identity=IDENTITY, verified=True, **config):
        form = {"FactorType": "totp", "FriendlyName": "Account Name",
                **{"Config." + k: v for k, v in config.items()}}
        factor = self.post(self.entity(identity) + "/Factors", form).expect(201).json
        factor["path"] = f"{self.entity(identity)}/Factors/{factor['sid']}"
        if verified:
            # An old step, so that the current one is still good for a challenge.
            answer = self.post(factor["path"], {"AuthPayload": self.code(factor, -1)})
            assert answer.expect(200).json["status"] == "verified"
        return factor

    def code(self, factor, steps=0):
        config = factor["config"]
        # Not at the end of a step: it would be over when the code arrives.
        wait_for(lambda: self.now() % config["time_step"] < config["time_step"] - 3,
                 what="the next step")
        when = self.now() + steps * config["time_step"]
        digits = config["code_length"]
        # oathtool makes 6, 7 or 8 digits; fewer are the tail of six.
        text = subprocess.run(
            ["oathtool", f"--totp={config['alg']}", "-b", "-d", str(max(digits, 6)),
             "-s", f"{config['time_step']}s", "-N", f"@{when}", "-"],
            input=factor["binding"]["secret"], capture_output=True, text=True, check=True).stdout
        return text.strip()[-digits:]

    def wrong_code(self, factor):
        good = {self.code(factor, i) for i in range(-3, 4)}
        return next(c for c in (f"{i:06d}"[-factor["config"]["code_length"]:] for i in range(99))
                    if c not in good)

    def challenge(self, factor, identity=IDENTITY, **form):
        if factor["factor_type"] == "push" and "Details.Message" not in form:
            form["Details.Message"] = "Sign in?"
        return self.post(self.entity(identity) + "/Challenges",
                         {"FactorSid": factor["sid"], **form})


class Device:
    """A push factor's holder."""

    def __init__(self, sandbox, identity=IDENTITY, verified=True, **form):
        self.sandbox = sandbox
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.identity = identity
        token = sandbox.post("/AccessTokens", {"Identity": identity, "FactorType": "push"})
        self.create_reply = sandbox.post(
            f"/Entities/{identity}/Factors", {**self.form(), **form},
            auth=("token", token.expect(201).json["token"]))
        self.factor = self.create_reply.expect(201).json
        self.path = f"/Entities/{identity}/Factors/{self.factor['sid']}"
        self.challenges = f"/Entities/{identity}/Challenges"
        if verified:
            reply = self.verify().expect(200)
            assert reply.json["status"] == "verified"

    def public_key(self):
        return base64.b64encode(self.key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)).decode()

    def form(self):
        return {"FactorType": "push", "FriendlyName": "desk-1", "Binding.Alg": "ES256",
                "Binding.PublicKey": self.public_key(), "Config.AppId": "org.example.desk",
                "Config.NotificationPlatform": "none", "Config.SdkVersion": "1.0"}

    def token(self, key=None, headers=None, **claims):
        now = self.sandbox.now()
        payload = {"sub": self.sandbox.account, "nbf": now, "exp": now + 600, **claims}
        return jwt.encode({k: v for k, v in payload.items() if v is not None}, key or self.key,
                          algorithm="ES256",
                          headers={"cty": "twilio-pba;v=1",
                                   "kid": self.factor["config"]["credential_sid"],
                                   **(headers or {})})

    def auth(self, **kwargs):
        return "token", self.token(**kwargs)

    def verify(self, message=None, key=None):
        signature = (key or self.key).sign((message or self.factor["sid"]).encode(),
                                           ec.ECDSA(hashes.SHA256()))
        return self.sandbox.post(self.path,
                                 {"AuthPayload": base64.b64encode(signature).decode()},
                                 auth=self.auth())

    def fetch(self, sid):
        return self.sandbox.get(f"{self.challenges}/{sid}", auth=self.auth())

    def payload(self, sid, status, /, **changes):
        reply = self.fetch(sid).expect(200)
        names = reply.headers["Twilio-Verify-Signature-Fields"].split(",")
        payload = {name: reply.json[name] for name in names}
        payload.update(status=status, **changes)
        return {k: v for k, v in payload.items() if v is not ...}

    def answer(self, sid, status="approved", /, key=None, alg="ES256", metadata=None, auth=None,
               **changes):
        signed = jwt.encode(self.payload(sid, status, **changes),
                            key if key is not None else self.key, algorithm=alg)
        form = {"AuthPayload": signed}
        if metadata is not None:
            form["Metadata"] = json.dumps(metadata)
        return self.sandbox.post(f"{self.challenges}/{sid}", form, auth=auth or self.auth())


@contextlib.contextmanager
def running(*args, **kwargs):
    sandbox = Sandbox(*args, **kwargs)
    try:
        yield sandbox
    finally:
        code = sandbox.stop()
    assert code == 0


@pytest.fixture
def sandbox_proc():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def box(sandbox_proc):
    return sandbox_proc


def sign_compact(key, header, payload):
    """A compact JWS that is signed by ES256 whatever its header says. Text is taken as it is."""
    def part(value):
        data = value if isinstance(value, bytes) else (
            value if isinstance(value, str) else json.dumps(value)).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    signed = f"{part(header)}.{part(payload)}"
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def date_of(reply):
    return email.utils.parsedate_to_datetime(reply.headers["Date"]).timestamp()


def seconds(stamp):
    return calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))


# The program.


def run(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=20)


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


# Push factors.


def test_push_enrolment(box):
    device = Device(box, verified=False, Metadata='{"os":"Linux"}')
    factor = device.factor
    assert set(factor) == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "binding", "options",
        "date_created", "date_updated", "friendly_name", "status", "factor_type", "config",
        "metadata", "url"}
    assert factor["binding"] == {"alg": "ES256", "public_key": device.public_key()}
    assert factor["options"] is None and factor["status"] == "unverified"
    assert factor["metadata"] == {"os": "Linux"} and factor["identity"] == IDENTITY
    credential = factor["config"].pop("credential_sid")
    assert credential.startswith("CR") and len(credential) == 34
    assert factor["config"] == {"sdk_version": "1.0", "app_id": "org.example.desk",
                                "notification_platform": "none", "notification_token": None}
    factor["config"]["credential_sid"] = credential
    later = box.get(device.path).expect(200).json
    assert "binding" not in later and "options" not in later
    box.challenge(factor).expect(403, 60318)
    reply = device.verify().expect(200)
    assert reply.headers["Twilio-Verify-Factor-Signature"]
    assert reply.json["status"] == "verified" and "binding" not in reply.json
    (dump,) = box.state["factors"]
    key = serialization.load_pem_public_key(dump["public_key_pem"].encode())
    (received,) = dump["auth_payloads"]
    key.verify(base64.b64decode(received["auth_payload"]), factor["sid"].encode(),
               ec.ECDSA(hashes.SHA256()))
    assert received["verdict"] == "accepted"


def test_push_wrong_proofs(box):
    device = Device(box, verified=False)
    device.verify(key=ec.generate_private_key(ec.SECP256R1())).expect(403, 60311)
    device.verify(message="YF" + "0" * 32).expect(403, 60311)
    for payload in ("!", "AAAA", "x" * 2000):
        box.post(device.path, {"AuthPayload": payload}, auth=device.auth()).expect(403, 60311)
    assert box.get(device.path).json["status"] == "unverified"
    device.verify().expect(200)
    verdicts = [p["verdict"] for p in box.state["factors"][0]["auth_payloads"]]
    assert verdicts == ["wrong"] * 5 + ["accepted"]


def test_push_factor_parameters(box):
    device = box.device()
    path = box.entity() + "/Factors"
    fresh = Device.form

    def form(**changes):
        device.key = ec.generate_private_key(ec.SECP256R1())
        new = {**fresh(device), **{k.replace("_", "."): v for k, v in changes.items()}}
        return {k: v for k, v in new.items() if v is not None}

    p384 = base64.b64encode(ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
    for changes, code in [
        ({"FriendlyName": None}, 60300), ({"FriendlyName": "x" * 65}, 60300),
        ({"FactorType": None}, 60300), ({"FactorType": "sms"}, 60306),
        ({"Binding_PublicKey": None}, 60300), ({"Binding_PublicKey": "AAAA"}, 60314),
        ({"Binding_PublicKey": p384}, 60314), ({"Binding_Alg": "RS256"}, 60314),
        ({"Binding_PublicKey": device.public_key().rstrip("=")}, 60314),
        ({"Config_AppId": None}, 60300), ({"Config_AppId": "x" * 101}, 60300),
        ({"Config_SdkVersion": None}, 60300),
        ({"Config_NotificationPlatform": None}, 60300),
        ({"Config_NotificationPlatform": "sms"}, 60306),
        ({"Config_NotificationPlatform": "fcm"}, 60300),
        ({"Config_NotificationPlatform": "fcm", "Config_NotificationToken": "x" * 31}, 60306),
        ({"Config_NotificationPlatform": "fcm", "Config_NotificationToken": "x" * 256}, 60306),
        ({"Metadata": "x"}, 60306), ({"Metadata": "[]"}, 60306), ({"Metadata": '{"a":1}'}, 60306),
        ({"Metadata": '{"a":"%s"}' % ("x" * 1020)}, 60300),
    ]:
        box.post(path, form(**changes)).expect(400, code)
    accepted = form(FriendlyName="ü" * 64, Metadata='{"a":"%s"}' % ("x" * 1016),
                    Config_NotificationPlatform="fcm", Config_NotificationToken="x" * 32)
    factor = box.post(path, accepted).expect(201).json
    assert factor["friendly_name"] == "ü" * 64
    box.post(path, accepted).expect(409, 60317)
    box.post(box.entity("another-user") + "/Factors", accepted).expect(201)


def test_push_factor_update(box):
    device = box.device()
    reply = box.post(device.path, {
        "FriendlyName": "desk-2", "Config.SdkVersion": "2.0", "Config.AppId": "org.example.other",
        "Config.NotificationPlatform": "fcm", "Config.NotificationToken": "t" * 40},
        auth=device.auth()).expect(200)
    assert reply.json["friendly_name"] == "desk-2" and reply.json["status"] == "verified"
    assert reply.json["config"]["notification_token"] == "t" * 40
    # All or nothing.
    box.post(device.path, {"FriendlyName": "desk-3", "Config.NotificationPlatform": "x"},
             auth=device.auth()).expect(400, 60306)
    assert box.get(device.path).json["friendly_name"] == "desk-2"
    back = box.post(device.path, {"Config.NotificationPlatform": "none"}, auth=device.auth())
    assert back.expect(200).json["config"]["notification_token"] is None


def test_push_factors_are_at_most_20(box):
    devices = [box.device(verified=False) for _ in range(20)]
    device = box.device(identity="someone-else")
    box.post(box.entity() + "/Factors", device.form()).expect(400, 60315)
    box.totp(verified=False)
    box.delete(devices[3].path).expect(204)
    box.post(box.entity() + "/Factors", device.form()).expect(201)


# Challenges of push factors.


def test_push_challenge_shape_and_approval(box):
    device = box.device()
    fields = [{"label": "IP", "value": "192.0.2.7"}, {"label": "Ü", "value": "a/b \"c\""},
              {"label": "IP", "value": "again"}]
    form = [("FactorSid", device.factor["sid"]), ("Details.Message", "Sign in? ✓")]
    form += [("Details.Fields", json.dumps(f)) for f in fields]
    form += [("HiddenDetails", '{"ip":"192.0.2.7"}')]
    created = box.call("POST", device.challenges, form).expect(201).json
    assert set(created) == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "factor_sid",
        "date_created", "date_updated", "date_responded", "expiration_date", "status",
        "responded_reason", "details", "hidden_details", "metadata", "factor_type", "url", "links"}
    assert created["details"] == {"message": "Sign in? ✓", "fields": fields}
    assert created["hidden_details"] == {"ip": "192.0.2.7"} and created["metadata"] is None
    assert created["links"]["notifications"] == created["url"] + "/Notifications"
    assert created["responded_reason"] == "none" and created["date_responded"] is None
    assert seconds(created["expiration_date"]) - seconds(created["date_created"]) == 300

    fetched = device.fetch(created["sid"]).expect(200)
    assert fetched.json == created
    assert fetched.headers["Twilio-Verify-Signature-Fields"] == (
        "account_sid,service_sid,identity,factor_sid,sid,date_created,expiration_date,details,"
        "hidden_details")
    answered = device.answer(created["sid"], metadata={"decision": "1"}).expect(200)
    assert answered.headers["Twilio-Verify-Challenge-Signature"]
    assert answered.json["status"] == "approved" and answered.json["metadata"] == {"decision": "1"}
    assert answered.json["date_responded"] is not None
    assert device.fetch(created["sid"]).json == answered.json
    device.answer(created["sid"], "denied").expect(403, 60322)

    (dump,) = box.state["challenges"]
    assert dump["updates"] == 1
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["approved", "approved"]
    pem = box.state["factors"][0]["public_key_pem"]
    signed = jwt.decode(dump["auth_payloads"][0]["auth_payload"], pem, algorithms=["ES256"])
    assert signed == {**{n: created[n] for n in fetched.headers[
        "Twilio-Verify-Signature-Fields"].split(",")}, "status": "approved"}
    # A device's JWT can be taken from the log and checked again.
    logged = [r for r in box.state["requests"] if r["auth"] == "device"][-1]
    user, token = base64.b64decode(logged["authorization"].split()[1]).decode().split(":")
    assert user == "token" and logged["credential"] == device.factor["config"]["credential_sid"]
    assert jwt.decode(token, pem, algorithms=["ES256"],
                      options={"verify_exp": False})["sub"] == box.account


def test_push_challenge_denial(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    answered = device.answer(sid, "denied").expect(200).json
    assert answered["status"] == "denied" and answered["metadata"] is None


def test_push_challenge_wrong_answers(box):
    device, other = box.device(), box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    twin = box.challenge(device.factor).expect(201).json["sid"]
    for wrong in (
        {"key": other.key}, {"status": "pending"}, {"status": ...}, {"status": 1},
        {"details": {"message": "Another", "fields": []}}, {"details": ...},
        {"details": {"message": "Sign in?"}}, {"details": None}, {"hidden_details": ...},
        {"hidden_details": {}}, {"sid": twin}, {"factor_sid": other.factor["sid"]},
        {"identity": IDENTITY.upper()}, {"date_created": "2026-01-02T03:04:05Z"},
        {"expiration_date": ...}, {"account_sid": ...}, {"service_sid": None},
        {"key": device.public_key(), "alg": "HS256"},
        {"key": "", "alg": "none"},
    ):
        status = wrong.pop("status", "approved")
        device.answer(sid, status, **wrong).expect(403, 60324)
    for payload in ("x", "a.b.c", "x" * 5456):
        box.post(f"{device.challenges}/{sid}", {"AuthPayload": payload},
                 auth=device.auth()).expect(403, 60324)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": "x" * 5457},
             auth=device.auth()).expect(400, 60300)
    box.post(f"{device.challenges}/{sid}", {}, auth=device.auth()).expect(400, 60300)
    device.answer(sid, metadata=["x"]).expect(400, 60306)
    assert device.fetch(sid).json["status"] == "pending"
    assert box.state["challenges"][0]["updates"] == 0
    # Order, white space and more members are of no matter.
    payload = dict(reversed(device.payload(sid, "approved", more="tolerated").items()))
    text = json.dumps(payload, indent=3).replace("/", "\\/").replace("S", "\\u0053")
    for alg in ("none", "HS256", None):
        signed = sign_compact(device.key, {"alg": alg}, text)
        box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
                 auth=device.auth()).expect(403, 60324)
    signed = sign_compact(device.key, '{ "alg":"ES256" }', text)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(200)


def test_challenge_parameters(box):
    device = box.device()
    now = box.now()

    def stamp(offset):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + offset))

    field = json.dumps({"label": "l", "value": "v"})
    for form, code in [
        ([("FactorSid", "YF1")], 60306), ([], 60300),
        ([("Details.Message", "")], 60300), ([("Details.Message", "x" * 257)], 60300),
        ([("Details.Fields", "x")], 60306), ([("Details.Fields", '{"label":"x"}')], 60306),
        ([("Details.Fields", '{"label":1,"value":"x"}')], 60306),
        ([("Details.Fields", json.dumps({"label": "x" * 37, "value": ""}))], 60300),
        ([("Details.Fields", json.dumps({"label": "", "value": "x" * 129}))], 60300),
        ([("Details.Fields", field)] * 21, 60300),
        ([("HiddenDetails", '{"a":{}}')], 60306),
        ([("HiddenDetails", '{"a":"%s"}' % ("x" * 1017))], 60300),
        ([("ExpirationDate", "soon")], 60306), ([("ExpirationDate", stamp(-10))], 60306),
        ([("ExpirationDate", stamp(3700))], 60306),
    ]:
        names = {name for name, _ in form}
        if form and "FactorSid" not in names:
            form = [("FactorSid", device.factor["sid"])] + form
            if "Details.Message" not in names:
                form.append(("Details.Message", "x"))
        box.call("POST", device.challenges, form).expect(400, code)
    box.challenge(device.factor, **{"FactorSid": "YF" + "0" * 32}).expect(404, 20404)
    box.call("POST", device.challenges, [
        ("FactorSid", device.factor["sid"]), ("Details.Message", "ü" * 256),
        *[("Details.Fields", json.dumps({"label": "ü" * 36, "value": "ü" * 128}))] * 20,
        ("HiddenDetails", '{"a":"%s"}' % ("x" * 1016)),
        ("ExpirationDate", stamp(3500))]).expect(201)
    offset = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(now + 7200 + 60))
    made = box.challenge(device.factor, ExpirationDate=offset).expect(201).json
    assert seconds(made["expiration_date"]) == now + 60


def test_expiry(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    box.simulate("clock", {"offset": 299 - 10})
    assert device.fetch(sid).json["status"] == "pending"
    box.simulate("clock", {"offset": 301})
    pending = box.get(device.challenges + "?Status=pending").expect(200).json["challenges"]
    assert pending == []
    (expired,) = box.get(device.challenges + "?Status=expired").expect(200).json["challenges"]
    assert expired["sid"] == sid and expired["date_responded"] is None
    device.answer(sid).expect(403, 60323)
    assert device.fetch(sid).json["status"] == "expired"
    # Between the fetch and the answer.
    sid = box.challenge(device.factor).expect(201).json["sid"]
    signed = jwt.encode(device.payload(sid, "approved"), device.key, algorithm="ES256")
    box.simulate("clock", {"offset": 700})
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(403, 60323)


def test_challenge_of_a_deleted_factor(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    box.delete(device.path).expect(204)
    box.get(f"{device.challenges}/{sid}").expect(200)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": "x"}).expect(404, 20404)
    device.fetch(sid).expect(401, 20003)


def test_notifications(box):
    quiet = box.device()
    loud = box.device(**{"Config.NotificationPlatform": "fcm",
                         "Config.NotificationToken": "t" * 40})
    sid = box.challenge(quiet.factor).expect(201).json["sid"]
    box.post(f"{quiet.challenges}/{sid}/Notifications", {}).expect(400, 60307)
    sid = box.challenge(loud.factor).expect(201).json["sid"]
    path = f"{loud.challenges}/{sid}/Notifications"
    sent = box.post(path, {"Ttl": "0"}).expect(201).json
    assert set(sent) == {"sid", "account_sid", "service_sid", "entity_sid", "identity",
                         "challenge_sid", "priority", "ttl", "date_created"}
    assert sent["priority"] == "high" and sent["ttl"] == 0 and sent["sid"].startswith("NT")
    assert box.post(path, {}).expect(201).json["ttl"] == 300
    box.post(path, {"Ttl": "301"}).expect(400, 60306)
    loud.answer(sid).expect(200)
    box.post(path, {}).expect(403, 60322)


# TOTP.


def test_totp_enrolment(box):
    factor = box.totp(verified=False)
    assert set(factor) - {"path"} == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "binding", "options",
        "date_created", "date_updated", "friendly_name", "status", "factor_type", "config",
        "metadata", "url"}
    assert len(factor["binding"]["secret"]) == 32 and factor["metadata"] is None
    assert factor["binding"]["uri"] == (
        "otpauth://totp/Sandbox:Account%20Name?secret=" + factor["binding"]["secret"] +
        "&issuer=Sandbox&algorithm=SHA1&digits=6&period=30")
    assert factor["config"] == {"alg": "sha1", "skew": 1, "code_length": 6, "time_step": 30}
    wrong = box.post(factor["path"], {"AuthPayload": box.wrong_code(factor)}).expect(200)
    assert wrong.json["status"] == "unverified"
    right = box.post(factor["path"], {"AuthPayload": box.code(factor)}).expect(200)
    assert right.json["status"] == "verified"
    (dump,) = box.state["factors"]
    assert dump["secret"] == factor["binding"]["secret"]
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["wrong", "accepted"]


@pytest.mark.parametrize("alg", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("digits,step,skew", [(3, 20, 0), (6, 30, 1), (8, 60, 2)])
def test_totp_configurations(box, alg, digits, step, skew):
    # In the middle of a step, so that no step ends while the test runs.
    now = box.now()
    box.simulate("clock", {"offset": step // 4 - now % step})
    factor = box.totp(verified=False, Alg=alg, CodeLength=digits, TimeStep=step, Skew=skew)
    assert factor["config"] == {"alg": alg, "code_length": digits, "time_step": step, "skew": skew}
    for steps in (-skew - 1, skew + 1):
        reply = box.post(factor["path"], {"AuthPayload": box.code(factor, steps)}).expect(200)
        assert reply.json["status"] == "unverified"
    reply = box.post(factor["path"], {"AuthPayload": box.code(factor, -skew)}).expect(200)
    assert reply.json["status"] == "verified"
    for steps in range(1 - skew, skew + 1):
        reply = box.challenge(factor, AuthPayload=box.code(factor, steps)).expect(201)
        assert reply.json["status"] == "approved"


def test_totp_given_secret_and_known_codes(box):
    box.simulate("clock", {"offset": 2000000000 - int(time.time())})
    form = {"FactorType": "totp", "FriendlyName": "x", "Binding.Secret": SECRET,
            "Config.CodeLength": "8"}
    factor = box.post(box.entity() + "/Factors", form).expect(201).json
    assert factor["binding"]["secret"] == SECRET
    path = f"{box.entity()}/Factors/{factor['sid']}"
    # RFC 6238, appendix B.
    assert box.post(path, {"AuthPayload": "69279037"}).expect(200).json["status"] == "verified"
    box.post(box.entity() + "/Factors", form).expect(409, 60317)


def test_totp_parameters(box):
    base = {"FactorType": "totp", "FriendlyName": "x"}
    for name, value, code in [
        ("Binding.Secret", "not base32", 60314), ("Binding.Secret", SECRET.lower(), 60314),
        ("Binding.Secret", "", 60314), ("Config.TimeStep", "19", 60306),
        ("Config.TimeStep", "61", 60306), ("Config.Skew", "3", 60306),
        ("Config.CodeLength", "2", 60306), ("Config.CodeLength", "9", 60306),
        ("Config.Alg", "md5", 60306), ("Config.Alg", "SHA1", 60306),
        ("FriendlyName", "", 60300), ("Metadata", "{", 60306),
    ]:
        box.post(box.entity() + "/Factors", {**base, name: value}).expect(400, code)
    factor = box.totp()
    for code in ("12", "123456789"):
        box.post(factor["path"], {"AuthPayload": code}).expect(400, 60306)
        box.challenge(factor, AuthPayload=code).expect(400, 60306)
    updated = box.post(factor["path"], {"Config.Skew": "2", "Config.TimeStep": "60"}).expect(200)
    assert updated.json["config"] == {"alg": "sha1", "skew": 2, "code_length": 6, "time_step": 60}


def test_totp_verification_attempts(box):
    factor = box.totp(verified=False)
    wrong = box.wrong_code(factor)
    for _ in range(5):
        reply = box.post(factor["path"], {"AuthPayload": wrong}).expect(200)
        assert reply.json["status"] == "unverified"
    for code in (wrong, box.code(factor)):
        box.post(factor["path"], {"AuthPayload": code}).expect(429, 60310)
    (dump,) = box.state["factors"]
    assert dump["status"] == "unverified" and dump["attempts"] == 5
    assert len(dump["auth_payloads"]) == 7


def test_totp_challenge(box):
    factor = box.totp()
    made = box.challenge(factor).expect(201).json
    assert made["status"] == "pending" and made["details"] is None
    assert made["factor_type"] == "totp"
    path = f"{box.entity()}/Challenges/{made['sid']}"
    wrong = box.post(path, {"AuthPayload": box.wrong_code(factor)}).expect(200).json
    assert wrong["status"] == "pending"
    code = box.code(factor)
    right = box.post(path, {"AuthPayload": code, "Metadata": '{"a":"b"}'}).expect(200).json
    assert right["status"] == "approved" and right["metadata"] == {"a": "b"}
    box.post(path, {"AuthPayload": code}).expect(403, 60322)
    (dump,) = box.state["challenges"]
    assert dump["attempts"] == 1 and dump["updates"] == 1
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["wrong", "approved", "approved"]


def test_totp_challenge_attempts(box):
    factor = box.totp()
    wrong = box.wrong_code(factor)
    made = box.challenge(factor, AuthPayload=wrong).expect(201).json
    assert made["status"] == "pending"
    path = f"{box.entity()}/Challenges/{made['sid']}"
    for _ in range(4):
        assert box.post(path, {"AuthPayload": wrong}).expect(200).json["status"] == "pending"
    box.post(path, {"AuthPayload": box.code(factor)}).expect(429, 60308)
    assert box.get(path).json["status"] == "pending"
    other = box.challenge(factor, AuthPayload=box.code(factor)).expect(201).json
    assert other["status"] == "approved"


def test_totp_codes_are_good_once(box):
    factor = box.totp(verified=False)
    code = box.code(factor)
    box.post(factor["path"], {"AuthPayload": code}).expect(200)
    again = box.challenge(factor, AuthPayload=code).expect(201).json
    assert again["status"] == "pending"
    earlier = box.challenge(factor, AuthPayload=box.code(factor, -1)).expect(201).json
    assert earlier["status"] == "pending"
    later = box.challenge(factor, AuthPayload=box.code(factor, 1)).expect(201).json
    assert later["status"] == "approved"
    with running("--allow-code-reuse") as lax:
        factor = lax.totp(verified=False)
        code = lax.code(factor)
        lax.post(factor["path"], {"AuthPayload": code}).expect(200)
        assert lax.challenge(factor, AuthPayload=code).expect(201).json["status"] == "approved"


def test_clock_set_back_blocks_nothing(box):
    box.simulate("clock", {"offset": 7200})
    factor = box.totp()
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 0})
    made = box.challenge(factor, AuthPayload=box.code(factor)).expect(201).json
    assert made["status"] == "approved"


def test_totp_factors_are_at_most_100(box):
    for _ in range(100):
        last = box.totp(verified=False)
    form = {"FactorType": "totp", "FriendlyName": "x"}
    box.post(box.entity() + "/Factors", form).expect(400, 60315)
    box.delete(last["path"]).expect(204)
    box.post(box.entity() + "/Factors", form).expect(429, 60326)
    box.simulate("clock", {"offset": 86401})
    box.post(box.entity() + "/Factors", form).expect(201)


def test_totp_challenge_rate(box):
    factor = box.totp()
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 3605})
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.simulate("clock", {"offset": 7210})
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 86405})
    box.challenge(factor).expect(201)
    short = box.totp(CodeLength=4)
    for _ in range(10):
        box.challenge(short).expect(201)
    box.challenge(short).expect(429, 60312)
    device = box.device()
    for _ in range(60):
        box.challenge(device.factor).expect(201)
    with running("--no-rate-limits") as fast:
        factor = fast.totp(CodeLength=3)
        for _ in range(60):
            fast.challenge(factor).expect(201)


def test_entity_rate(box):
    connection = box.connect()
    replies = [box.call("POST", "/Entities", {"Identity": f"fast-{i:06d}"}, connection=connection)
               for i in range(41)]
    connection.close()
    assert all(r.status == 201 for r in replies[:40])
    # On a machine that takes a second for this, there is nothing to refuse.
    if date_of(replies[40]) == date_of(replies[0]):
        replies[40].expect(429, 60328)
    with running("--no-rate-limits") as fast:
        connection = fast.connect()
        for i in range(60):
            fast.call("POST", "/Entities", {"Identity": f"fast-{i:06d}"},
                      connection=connection).expect(201)
        connection.close()


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


# The simulator.


def test_clock(box):
    device = box.device()
    for offset in (-3600, 86400 * 400):
        answer = box.simulate("clock", {"offset": offset})
        assert answer["offset"] == offset
        reply = box.get("/Entities").expect(200)
        assert abs(date_of(reply) - time.time() - offset) < 30
        stale = {"nbf": int(time.time()), "exp": int(time.time()) + 600}
        refused = box.get(device.challenges, auth=device.auth(**stale)).expect(401, 20003)
        assert abs(date_of(refused) - time.time() - offset) < 30
        server = int(date_of(refused))
        box.get(device.challenges,
                auth=device.auth(nbf=server - 5, exp=server + 595)).expect(200)
    box.simulate("clock", {"offset": 0})
    for wrong in ({}, {"offset": "1"}, {"offset": 1.5}, {"offset": 10 ** 11}, {"offset": None}):
        assert "error" in box.simulate("clock", wrong, 400)


def test_set_challenge(box):
    device = box.device()
    for status in ("approved", "denied", "expired"):
        sid = box.challenge(device.factor).expect(201).json["sid"]
        assert box.simulate(f"challenges/{sid}", {"status": status})["status"] == status
        shown = device.fetch(sid).json
        assert shown["status"] == status
        assert (shown["date_responded"] is None) == (status == "expired")
        device.answer(sid).expect(403, 60323 if status == "expired" else 60322)
    sid = box.challenge(device.factor).expect(201).json["sid"]
    signed = jwt.encode(device.payload(sid, "approved"), device.key, algorithm="ES256")
    details = {"message": "Another", "date": "2026-01-02T03:04:05Z", "more": [1, None, 2.5]}
    box.simulate(f"challenges/{sid}", {"details": details, "hidden_details": {"a": "b"},
                                       "metadata": {"c": "d"}})
    shown = device.fetch(sid).json
    assert (shown["details"], shown["hidden_details"], shown["metadata"]) == (
        details, {"a": "b"}, {"c": "d"})
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(403, 60324)
    device.answer(sid).expect(200)
    box.simulate(f"challenges/{sid}", {"details": None})
    assert device.fetch(sid).json["details"] is None
    box.simulate("challenges/YC" + "0" * 32, {"status": "denied"}, 404)
    box.simulate(f"challenges/{sid}", {"status": "x"}, 400)
    box.simulate(f"challenges/{sid}", {"details": "x"}, 400)
    box.simulate(f"challenges/{sid}", {"bogus": 1}, 400)


def test_simulator_refusals(box):
    box.raw("POST", "/sandbox/clock", body="{").expect(400)
    box.raw("POST", "/sandbox/clock", body='{"offset":1,"offset":2}').expect(400)
    box.raw("POST", "/sandbox/nothing", body="{}").expect(404)
    box.raw("GET", "/sandbox/nothing").expect(404)
    box.raw("PUT", "/sandbox/clock", body="{}").expect(405)
    box.simulate("requests", {}, 400)
    assert box.state["requests"] == []


def fault(box, **kwargs):
    return box.simulate("faults", kwargs)["faults"]


def test_fault_canned_reply(box):
    active = fault(box, match="POST .*/Entities", times=2, status=429,
                   headers={"Retry-After": "7", "Content-Type": "text/plain", "Date": None},
                   body="slow down")
    assert active == [{"id": 1, "match": "POST .*/Entities", "times": 2, "status": 429,
                       "headers": {"Retry-After": "7", "Content-Type": "text/plain",
                                   "Date": None}, "body": "slow down"}]
    box.get("/Entities").expect(200)
    for left in (1, 0):
        reply = box.post("/Entities", {"Identity": IDENTITY}).expect(429)
        assert reply.body == b"slow down" and reply.headers["Retry-After"] == "7"
        assert reply.headers["Content-Type"] == "text/plain" and "Date" not in reply.headers
        faults = box.raw("GET", "/sandbox/faults").json["faults"]
        assert [f["times"] for f in faults] == [left] * left
    box.get(box.entity()).expect(404)
    box.post("/Entities", {"Identity": IDENTITY}).expect(201)
    struck = [r for r in box.state["requests"] if r["fault"]]
    assert [(r["fault"], r["status"], r["params"]) for r in struck] == [
        (1, 429, [["Identity", IDENTITY]])] * 2


def test_fault_on_a_handled_request(box):
    fault(box, match="POST .*", body="", headers={"X-More": "1"})
    reply = box.post("/Entities", {"Identity": IDENTITY}).expect(201)
    assert reply.body == b"" and reply.headers["X-More"] == "1"
    box.get(box.entity()).expect(200)
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    fault(box, match="GET .*/Challenges/YC.*", headers={"twilio-verify-signature-fields": None})
    assert "Twilio-Verify-Signature-Fields" not in device.fetch(sid).expect(200).headers
    assert "Twilio-Verify-Signature-Fields" in device.fetch(sid).expect(200).headers


def test_fault_cuts(box):
    fault(box, match="POST .*", cut="before")
    with pytest.raises(CUT):
        box.post("/Entities", {"Identity": IDENTITY})
    box.get(box.entity()).expect(404)
    fault(box, match="POST .*", cut="after")
    with pytest.raises(CUT):
        box.post("/Entities", {"Identity": IDENTITY})
    box.get(box.entity()).expect(200)
    cuts = [(r["cut"], r["status"]) for r in box.state["requests"] if r["cut"]]
    assert cuts == [("before", None), ("after", 201)]
    # On a connection that served before.
    connection = box.connect()
    box.get("/Entities", connection=connection).expect(200)
    fault(box, match="GET .*", cut="after", delay_ms=20)
    with pytest.raises(CUT):
        box.get("/Entities", connection=connection)
    connection.close()


def test_fault_delay_holds_nobody_else(box):
    fault(box, match="GET .*/slow-user.*", delay_ms=2500, times=5)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        begin = time.monotonic()
        slow = [pool.submit(box.get, "/Entities/slow-user1") for _ in range(5)]
        wait_for(lambda: sum(bool(r["fault"]) for r in box.state["requests"]) >= 5,
                 what="five held requests")
        for _ in range(20):
            box.get("/Entities").expect(200)
        assert not any(s.done() for s in slow)
        for s in slow:
            s.result().expect(404, 20404)
        assert time.monotonic() - begin >= 2.5


def test_stops_while_a_reply_is_held(box):
    fault(box, match="GET .*", delay_ms=60000)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(box.get, "/Entities")
        wait_for(lambda: box.state["requests"], what="the held request")
        assert box.stop() == 0
        with pytest.raises(CUT):
            held.result()


def test_client_goes_away_while_its_reply_is_held(box):
    fault(box, match="GET .*", delay_ms=200)
    connection = box.connect(timeout=0.05)
    with pytest.raises(TimeoutError):
        box.get("/Entities", connection=connection)
    connection.close()
    fault(box, match="GET .*", delay_ms=400)
    box.get("/Entities").expect(200)


def test_fault_order_and_match(box):
    fault(box, match="GET .*/Entities", status=500)
    fault(box, match="* /v2/.*", status=503)
    active = fault(box, match="GET /v2/Services/VA[0-9a-f]{32}/(Entities|AccessTokens)",
                   status=502, times=1)
    assert [f["id"] for f in active] == [1, 2, 3]
    assert [box.get("/Entities?PageSize=1").status for _ in range(4)] == [500, 503, 502, 200]
    fault(box, match="GET /Entities", status=500)
    fault(box, match="get .*", status=500)
    box.get("/Entities").expect(200)
    assert box.simulate("faults", {"clear": True})["faults"] == []
    for wrong in ({}, {"match": "GET"}, {"match": "GET ("}, {"match": "GET .*", "status": 99},
                  {"match": "GET .*", "times": 0}, {"match": "GET .*", "delay_ms": -1},
                  {"match": "GET .*", "cut": "x"}, {"match": "GET .*", "headers": []},
                  {"match": "GET .*", "headers": {"a": 1}}, {"match": "GET .*", "bogus": 1},
                  {"match": 1}, {"clear": False}):
        assert "error" in box.simulate("faults", wrong, 400)
    fault(box, match="GET .*", status=401)
    assert abs(date_of(box.get("/Entities").expect(401)) - time.time()) < 30


def test_large_fault_body(box):
    fault(box, match="GET .*", status=200, body="x" * (5 * 1024 * 1024))
    assert len(box.get("/Entities").expect(200).body) == 5 * 1024 * 1024


def test_many_connections(box):
    connections = [box.connect() for _ in range(300)]
    for c in connections:
        c.request("GET", box.base + "/Entities", headers={
            "Authorization": "Basic " + base64.b64encode(":".join(box.main).encode()).decode()})
    for c in connections:
        response = c.getresponse()
        response.read()
        assert response.status == 200
        c.close()


# The state file.


def stable(state):
    keep = {k: v for k, v in state.items() if k not in ("clock", "requests", "faults", "quirks")}
    text = json.dumps(keep, sort_keys=True)
    return text


def test_state_survives_a_restart(tmp_path):
    data = tmp_path / "state.json"
    with running("--data", data) as box:
        device, url = box.device(Metadata='{"os":"Linux"}'), box.ready["url"]
        totp = box.totp(Alg="sha256", CodeLength=8, TimeStep=60, Skew=2)
        answered = box.challenge(device.factor, HiddenDetails='{"a":"b"}').expect(201).json
        device.answer(answered["sid"], metadata={"x": "y"}).expect(200)
        pending = box.challenge(device.factor).expect(201).json
        box.challenge(totp, AuthPayload=box.wrong_code(totp)).expect(201)
        token = box.post("/AccessTokens", {"Identity": IDENTITY, "FactorType": "push",
                                           "FactorFriendlyName": "x"}).expect(201).json
        deleted = box.device()
        box.delete(deleted.path).expect(204)
        box.simulate("clock", {"offset": 40})
        before, ready = box.state, box.ready
        box.process.kill()
        box.process.wait()
        box.process.stdout.close()
        box.stop = lambda: 0
    assert data.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
    with running("--data", data) as box:
        assert {k: v for k, v in box.ready.items() if k not in ("port", "url")} == {
            k: v for k, v in ready.items() if k not in ("port", "url")}
        assert stable(box.state).replace(box.ready["url"], url) == stable(before)
        assert box.state["clock"]["offset"] == 40
        device.sandbox = box
        assert device.answer(pending["sid"]).expect(200).json["status"] == "approved"
        deleted.sandbox = box
        box.get(deleted.challenges, auth=deleted.auth()).expect(401, 20003)
        fresh = Device(box, identity="someone-else", verified=False).form()
        box.post(box.entity() + "/Factors", fresh, auth=("token", token["token"])).expect(201)
        again = box.challenge(totp, AuthPayload=box.code(totp, 2)).expect(201).json
        assert again["status"] == "approved"
        order = [c["sid"] for c in box.get(device.challenges).json["challenges"]]
        assert order[0] == answered["sid"] and order[-1] == again["sid"]
    service = "VA" + "c" * 32
    with running("--data", data, "--service", service, "--token", "another") as box:
        assert box.service == service and box.main[1] == "another"
        assert len(box.state["services"]) == 2
        box.get("/Entities").expect(200)
        assert box.get("/Entities").json["entities"] == []


@pytest.mark.parametrize("damage", [
    lambda t: "", lambda t: "{}", lambda t: t[:-2], lambda t: t.replace('"YF0', '"YX0'),
    lambda t: t.replace('"push"', '"sms"'), lambda t: t.replace('"services"', '"survices"'),
    lambda t: t.replace('"public_key":"M', '"public_key":"N'),
    lambda t: t.replace('"entities":[', '"entities":[1,'),
])
def test_broken_state_file_is_refused(tmp_path, damage):
    data = tmp_path / "state.json"
    with running("--data", data) as box:
        box.challenge(box.device().factor).expect(201)
    text = data.read_text()
    assert damage(text) != text
    data.write_text(damage(text))
    done = run("--port", "0", "--data", data)
    assert done.returncode == 1 and str(data) in done.stderr and done.stderr.count("\n") == 1


def test_changes_that_cannot_be_kept_are_not_confirmed(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    with running("--data", folder / "state.json") as box:
        folder.rename(tmp_path / "moved")
        box.post("/Entities", {"Identity": IDENTITY}).expect(500)
        (tmp_path / "moved").rename(folder)
        box.get("/Entities").expect(200)
        box.process.stderr.readline()
    with running("--data", folder / "state.json") as box:
        box.get(box.entity()).expect(200)
