# SPDX-License-Identifier: Apache-2.0
"""An independent client of factord-sandbox: what its tests share."""

import base64
import calendar
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


def run(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=20)
