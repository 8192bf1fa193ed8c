# SPDX-License-Identifier: Apache-2.0
"""A running factord-sandbox, and requests to it as a customer's backend would make them."""

import base64
import http.client
import json
import select
import subprocess
import time
import urllib.parse

from process import TIMEOUT, Process, wait_for

FORM = "application/x-www-form-urlencoded"
USER_AGENT = "factord-tests"


class Sandbox:
    """Attributes: url, port, account_sid, auth_token, service_sid, api_key_sid, api_key_secret."""

    def __init__(self, build_dir, directory, *arguments):
        self.process = Process(
            [build_dir / "sandbox/factord-sandbox", "--port", "0", *arguments],
            directory / "sandbox.log",
            stdout=subprocess.PIPE,
        )
        try:
            self._read_ready_line()
        except BaseException:
            self.close()
            raise

    def _read_ready_line(self):
        stdout = self.process.popen.stdout
        readable, _, _ = select.select([stdout], [], [], TIMEOUT)
        line = stdout.readline() if readable else b""
        assert line, f"the sandbox is not ready:\n{self.process.stderr}"
        ready = json.loads(line)
        assert ready["ready"] is True
        self.ready = ready
        self.port = ready["port"]
        self.url = ready["url"]
        self.account_sid = ready["account_sid"]
        self.auth_token = ready["auth_token"]
        self.service_sid = ready["service_sid"]
        self.api_key_sid = ready["api_key_sid"]
        self.api_key_secret = ready["api_key_secret"]

    def stop(self):
        """Ends it and checks that it ends well."""
        if self.process.running:
            assert self.process.terminate() == 0, f"sandbox:\n{self.process.stderr}"
        self.close()
        self.process.check_reports()

    def close(self):
        self.process.kill()
        self.process.popen.stdout.close()

    # The simulator.

    def request(self, method, path, body=None, headers=None):
        """A bare HTTP request: status, headers (names in lower case), body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return response.status, names, response.read()
        finally:
            connection.close()

    def simulator(self, method, path, document=None):
        body = None if document is None else json.dumps(document)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        status, _, text = self.request(method, f"/sandbox/{path}", body, headers)
        assert 200 <= status < 300, f"{method} /sandbox/{path}: {status} {text[:200]}"
        return json.loads(text) if text else None

    def state(self):
        return self.simulator("GET", "state")

    def clock(self, offset):
        """Sets the server's clock, in seconds against the machine's."""
        return self.simulator("POST", "clock", {"offset": offset})

    def fault(self, match, **fault):
        """match is "METHOD path-regex"; times, status, headers, body, delay_ms, cut as documented."""
        return self.simulator("POST", "faults", {"match": match, **fault})

    def clear_faults(self):
        return self.simulator("POST", "faults", {"clear": True})

    def change_challenge(self, sid, **change):
        """status, details, hidden_details or metadata, behind everyone's back."""
        return self.simulator("POST", f"challenges/{sid}", change)

    def factor(self, sid):
        return next(f for f in self.state()["factors"] if f["sid"] == sid)

    def challenge(self, sid):
        return next(c for c in self.state()["challenges"] if c["sid"] == sid)

    def requests(self, method=None, contains="", since=0):
        """Recorded requests that were not made here, oldest first: by method, a part of the path, and
        sequence number."""
        return [
            r
            for r in self.state()["requests"]
            if r["user_agent"] != USER_AGENT
            and r["seq"] > since
            and method in (None, r["method"])
            and contains in r["path"]
        ]

    def last_seq(self):
        return max((r["seq"] for r in self.state()["requests"]), default=0)

    def updates(self, sid):
        """The POSTs to that challenge: answers that reached the server."""
        return [r for r in self.requests("POST") if r["path"].endswith(f"/Challenges/{sid}")]

    def answers(self, sid):
        """The AuthPayloads of those POSTs: JWS texts, or TOTP codes."""
        return [dict(r["params"])["AuthPayload"] for r in self.updates(sid)]

    def wait_requests(self, method, contains, n=1, since=0, timeout=None):
        def enough():
            found = self.requests(method, contains, since)
            return found if len(found) >= n else None

        return wait_for(enough, timeout, f"{n} {method} requests to …{contains}…")

    def wait_challenge(self, sid, status, timeout=None):
        """Waits until the server has that status for the challenge, and returns it."""

        def reached():
            challenge = self.challenge(sid)
            return challenge if challenge["status"] == status else None

        return wait_for(reached, timeout, f"{sid} to be {status} at the server")

    # The API.

    def api(self, method, path, params=None, auth="account"):
        """path is below the service unless it begins with a slash. params: a dict or pairs; they go
        into the query for GET and DELETE. auth: "account", "key", (user, password) or None.
        Returns status, headers, document."""
        if not path.startswith("/"):
            path = f"/v2/Services/{self.service_sid}/{path}"
        encoded = urllib.parse.urlencode(params or {})
        headers, body = {"Accept": "application/json", "User-Agent": USER_AGENT}, None
        if method == "POST":
            headers["Content-Type"], body = FORM, encoded
        elif encoded:
            path = f"{path}?{encoded}"
        credentials = {
            "account": (self.account_sid, self.auth_token),
            "key": (self.api_key_sid, self.api_key_secret),
        }.get(auth, auth)
        if credentials:
            pair = ":".join(credentials).encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        status, headers, text = self.request(method, path, body, headers)
        try:
            document = json.loads(text) if text else None
        except ValueError:
            document = None
        return status, headers, document

    def api_ok(self, method, path, params=None, auth="account"):
        status, _, document = self.api(method, path, params, auth)
        assert 200 <= status < 300, f"{method} {path}: {status} {document}"
        return document

    def entity(self, identity, rest=""):
        return f"Entities/{urllib.parse.quote(identity, safe='')}{rest}"

    def access_token(self, identity, **params):
        """An access token for one push factor, as a backend hands it to a device."""
        fields = {"Identity": identity, "FactorType": "push", **params}
        return self.api_ok("POST", "AccessTokens", fields)["token"]

    def create_totp_factor(self, identity, friendly_name="totp", **params):
        """A verified-or-not TOTP factor made by the backend; its secret is in binding."""
        fields = {"FriendlyName": friendly_name, "FactorType": "totp", **params}
        return self.api_ok("POST", self.entity(identity, "/Factors"), fields)

    def create_challenge(self, identity, factor_sid, params=()):
        pairs = [("FactorSid", factor_sid), *dict(params).items()]
        return self.api_ok("POST", self.entity(identity, "/Challenges"), pairs)

    def create_push_challenge(
        self, identity, factor_sid, message="Sign in?", fields=(), hidden=None, expires_in=None
    ):
        """fields: (label, value) pairs. expires_in: seconds from now, by the machine's clock."""
        pairs = [("FactorSid", factor_sid), ("Details.Message", message)]
        for label, value in dict(fields).items() if isinstance(fields, dict) else fields:
            pairs.append(("Details.Fields", json.dumps({"label": label, "value": value})))
        if hidden is not None:
            pairs.append(("HiddenDetails", json.dumps(hidden)))
        if expires_in is not None:
            pairs.append(("ExpirationDate", rfc3339(time.time() + expires_in)))
        return self.api_ok("POST", self.entity(identity, "/Challenges"), pairs)

    def create_totp_challenge(self, identity, factor_sid, code=None, expires_in=None):
        params = {}
        if code is not None:
            params["AuthPayload"] = code
        if expires_in is not None:
            params["ExpirationDate"] = rfc3339(time.time() + expires_in)
        return self.create_challenge(identity, factor_sid, params)

    def fetch_challenge(self, identity, sid):
        return self.api_ok("GET", self.entity(identity, f"/Challenges/{sid}"))


def rfc3339(unix):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))
