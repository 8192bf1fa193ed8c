# SPDX-License-Identifier: Apache-2.0
"""factorctl's verbs: what each sends to the daemon, and what it prints."""

import json
import re
import time

from fake_cli import (  # noqa: F401
    DIGEST,
    OTHER,
    SID,
    VA,
    YF,
    assert_complains,
    challenge,
    ctl,
    daemon,
    factor,
    on_terminal,
    socket_path,
)


def test_status(ctl, daemon):
    status = {
        "version": "1.2.3",
        "mode": "user",
        "started": "2026-01-02T03:04:05Z",
        "base_url": "https://verify.twilio.com",
        "default": "ask",
        "factors": 2,
        "pending": 1,
        "sequence": 7,
        "accounts": [
            {"name": "main", "account_sid": "AC0", "user": "AC0", "state": "ok", "error": None}
        ],
        "clock": {"offset_ms": -12, "source": "server"},
        "poll_interval_ms": 3000,
        "idle_interval_ms": 15000,
        "last_poll": None,
        "problems": ["account main: the password file is not there"],
        "prompt": {
            "arm_delay_ms": 500,
            "while_locked": "hold",
            "budget": 5,
            "budget_span_ms": 600_000,
        },
        "locked": True,
    }
    fake = daemon(GetStatus={"status": status})
    assert ctl("status", "--json").json == {"schema": 1, **status}
    text = ctl("status").stdout
    for piece in ("1.2.3", "factors: 2", "pending: 1", "15s", "-12 ms", "password file", "main"):
        assert piece in text
    for line in (
        "        budget: 5 prompts of a factor in 10min",
        "     arm delay: 500ms",
        "  while locked: hold",
        "        locked: yes: you can approve nothing until you unlock your screen",
    ):
        assert line in text.splitlines()
    fake.answers["GetStatus"] = {"status": {**status, "locked": False}}
    assert "unlock" not in ctl("status").stdout


def test_list(ctl, daemon):
    factors = [factor("a"), factor("long-name", sid=None, type="totp", error="x\ny")]
    fake = daemon(ListFactors=[{"factors": [f]} for f in factors] + [{"factors": []}])
    assert ctl("list", "--json").json == {"schema": 1, "factors": factors}
    assert fake.calls[0] == ("ListFactors", {}, True)
    lines = ctl("list").stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:4] == ["NAME", "TYPE", "STATUS", "OWNER"]
    column = lines[0].index("TYPE")
    assert [line[column:].split()[0] for line in lines] == ["TYPE", "push", "totp"]
    assert "x\\ny" in lines[2]


def test_list_of_many(ctl, daemon):
    factors = [factor(f"f{i}", label="x" * 400) for i in range(5000)]
    daemon(ListFactors=[{"factors": [f]} for f in factors] + [{"factors": []}])
    assert ctl("list", "--json").json["factors"] == factors


def test_empty_lists(ctl, daemon):
    daemon(ListFactors={"factors": []}, ListChallenges={"challenges": []})
    assert ctl("list", "--json").json == {"schema": 1, "factors": []}
    assert ctl("pending", "--json").json == {"schema": 1, "challenges": []}
    for verb in ("list", "pending"):
        assert (ctl(verb).status, ctl(verb).stdout) == (0, "")


def test_show(ctl, daemon):
    fake = daemon(
        ListFactors={"factors": [factor()]}, GetChallenge={"challenge": challenge(state="denied")}
    )
    assert ctl("show", "laptop", "--json").json == {"schema": 1, "factor": factor()}
    assert "identity: alice-12" in ctl("show", YF).stdout
    assert ctl("show", SID[:10], "--json").json["challenge"]["sid"] == SID
    text = ctl("show", SID).stdout
    for piece in (SID, DIGEST, "Log in?", "Where: Berlin", "denied"):
        assert piece in text
    assert [c[:2] for c in fake.calls] == [
        ("ListFactors", {"name": "laptop"}),
        ("ListFactors", {"name": YF}),
        ("GetChallenge", {"sid": SID[:10]}),
        ("GetChallenge", {"sid": SID}),
        ("GetStatus", {}),
    ]
    fake.answers["ListFactors"] = {"factors": []}
    assert_complains(ctl("show", "nobody", "--json"), 3)


def test_remove_chown_poll(ctl, daemon):
    fake = daemon(Remove={}, SetOwner={"factor": factor(owner=12)}, Poll={})
    assert ctl("remove", "x", "--json").json == {"schema": 1}
    assert ctl("remove", "--local", "x").status == 0
    assert ctl("chown", "x", "12", "--json").json["factor"]["owner"] == 12
    assert ctl("chown", "x", "root").status == 0
    assert ctl("poll", "--json").json == {"schema": 1}
    assert ctl("poll").stdout == ""
    assert [c[:2] for c in fake.calls] == [
        ("Remove", {"name": "x"}),
        ("Remove", {"name": "x", "local": True}),
        ("SetOwner", {"name": "x", "owner": 12}),
        ("SetOwner", {"name": "x", "owner": 0}),
        ("Poll", {}),
        ("Poll", {}),
    ]


def test_enroll(ctl, daemon, tmp_path):
    fake = daemon(EnrollPush={"factor": factor()}, EnrollTotp={"factor": factor()})
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    common = ["--name", "laptop", "--service", VA, "--identity", "alice-12"]
    sent = {"name": "laptop", "service_sid": VA, "identity": "alice-12"}
    result = ctl("enroll", "push", *common, "--access-token-file", str(token), "--json")
    assert result.json == {"schema": 1, "factor": factor()}
    assert fake.calls.pop()[1] == {**sent, "access_token": "secret-token"}
    ctl("enroll", "push", *common, "--access-token-file", "-", stdin=b"from-stdin\n")
    assert fake.calls.pop()[1] == {**sent, "access_token": "from-stdin"}
    ctl("enroll", "push", *common, "--account", "main", "--owner", "7", "--friendly-name", "é")
    assert fake.calls.pop()[1] == {**sent, "account": "main", "owner": 7, "friendly_name": "é"}
    ctl("enroll", "totp", *common, "--account=main", "--digits=8", "--period=60")
    assert fake.calls.pop()[1] == {**sent, "account": "main", "digits": 8, "period": 60}
    ctl("enroll", "totp", *common, "--account=main", "--algorithm=sha256", "--owner=root")
    assert fake.calls.pop()[1] == {**sent, "account": "main", "algorithm": "sha256", "owner": 0}
    for content in (b"", b"a\0b", b"\xff"):
        token.write_bytes(content)
        assert_complains(ctl("enroll", "push", *common, "--access-token-file", str(token)), 2)
    assert fake.calls == []


def test_import(ctl, daemon):
    fake = daemon(Import={"factors": [factor()]})
    uri = "otpauth://totp/a?secret=MFRGG\n"
    assert ctl("import", "-", "--json", stdin=uri.encode()).json["factors"] == [factor()]
    assert fake.calls.pop()[1] == {"data": uri}
    options = ["--name", "n", "--link", YF, "--service", VA, "--identity", "i", "--account", "a"]
    ctl("import", *options, "--owner", "3", "-", stdin=uri.encode())
    assert fake.calls.pop()[1] == {
        "data": uri,
        "name": "n",
        "link": YF,
        "service_sid": VA,
        "identity": "i",
        "account": "a",
        "owner": 3,
    }
    assert_complains(ctl("import", "-", stdin=b"x" * (1024 * 1024)), 2)


def test_code(ctl, daemon):
    reply = {"code": "012345", "valid_for": 20, "next": "543210"}
    fake = daemon(GetCode=reply)
    result = ctl("code", "x")
    assert (result.stdout, result.stderr) == ("012345\n", "")
    assert ctl("code", "x", "--json").json == {"schema": 1, **reply}
    fake.answers["GetCode"] = {**reply, "warning": "the clock is off"}
    result = ctl("code", "x")
    assert (result.stdout, result.stderr) == ("012345\n", "factorctl: the clock is off\n")


def test_code_wait(ctl, daemon):
    replies = [{"code": "111111", "valid_for": 1}, {"code": "222222", "valid_for": 30}]
    fake = daemon(GetCode=lambda _: replies[min(len(fake.calls), 2) - 1])
    started = time.monotonic()
    assert ctl("code", "x", "--wait").stdout == "222222\n"
    assert time.monotonic() - started >= 1
    assert ctl("code", "x", "--wait").stdout == "222222\n"
    assert len(fake.calls) == 3
    fake.answers["GetCode"] = {"code": "111111", "valid_for": 9}
    assert_complains(ctl("code", "x", "--wait", "--timeout", "50ms"), 124)
    fake.answers["GetCode"] = {"code": "111111", "valid_for": None, "next": None}
    assert ctl("code", "x", "--wait").stdout == "111111\n"


def test_pending(ctl, daemon):
    pending = [challenge(), challenge(OTHER, message=None, factor_type="totp", fields=[])]
    daemon(ListChallenges=[{"challenges": [c]} for c in pending] + [{"challenges": []}])
    assert ctl("pending", "--json").json == {"schema": 1, "challenges": pending}
    lines = ctl("pending").stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[0] == SID
    assert re.search(r"3min 5\ds +Log in\?$", lines[1])


# Watching.


def test_watch(ctl, daemon):
    events = [
        {
            "sequence": 1,
            "time": "2026-01-02T03:04:05Z",
            "type": "challenge",
            "challenge": challenge(),
            "factor": None,
        },
        {
            "sequence": 2,
            "time": "2026-01-02T03:04:06Z",
            "type": "removed",
            "challenge": None,
            "factor": factor(),
        },
    ]
    fake = daemon(Monitor=[{"event": e} for e in events])
    result = ctl("watch", "--json", "--since", "0")
    assert result.status == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"schema": 1, **e} for e in events
    ]
    assert fake.calls == [("Monitor", {"since": 0}, True)]
    lines = ctl("watch").stdout.splitlines()
    assert lines[0] == f"1 2026-01-02T03:04:05Z challenge {SID} asking laptop Log in?"
    assert lines[1] == f"2 2026-01-02T03:04:06Z removed laptop verified {YF}"


# The provider's own challenges.


def test_challenge_create(ctl, daemon, tmp_path):
    provider = {"sid": SID, "status": "pending", "details": {"message": "m"}, "links": None}
    fake = daemon(ChallengeCreate={"challenge": provider})
    payload = tmp_path / "payload"
    payload.write_text("123456\n")
    result = ctl("challenge", "create", "laptop", "--message", "m", "--json")
    assert result.json == {"schema": 1, "challenge": provider}
    assert fake.calls.pop()[1] == {"target": {"factor": "laptop"}, "message": "m"}
    text = ctl(
        *["challenge", "create", "--account", "a", "--service", VA, "--identity", "i"],
        *["--factor-sid", YF, "--field", "A=b=c", "--field", "=", "--hidden-details", "{}"],
        *["--expires", "2026-01-02T05:04:05+02:00", "--auth-payload-file", str(payload)],
    ).stdout
    assert f"sid: {SID}" in text and '{"message":"m"}' in text
    assert fake.calls.pop()[1] == {
        "target": {"account": "a", "service_sid": VA, "identity": "i"},
        "factor_sid": YF,
        "fields": [{"label": "A", "value": "b=c"}, {"label": "", "value": ""}],
        "hidden_details": "{}",
        "expiration_date": "2026-01-02T03:04:05Z",
        "auth_payload": "123456",
    }
    ctl("challenge", "create", "--factor", "laptop", "--expires", "10min")
    assert fake.calls.pop()[1] == {"target": {"factor": "laptop"}, "expires_in_ms": 600_000}


def test_challenge_fetch_and_update(ctl, daemon):
    fake = daemon(
        ChallengeFetch={"challenge": {"sid": SID}}, ChallengeUpdate={"challenge": {"sid": SID}}
    )
    assert ctl("challenge", "fetch", SID, "--factor", "x", "--json").json["challenge"] == {
        "sid": SID
    }
    assert fake.calls.pop()[1] == {"sid": SID, "target": {"factor": "x"}}
    arguments = ["challenge", "update", SID, "--factor", "x", "--metadata", '{"a":"b"}']
    ctl(*arguments, "--auth-payload-file", "-", stdin=b"1.2.3")
    assert fake.calls.pop()[1] == {
        "sid": SID,
        "target": {"factor": "x"},
        "metadata": '{"a":"b"}',
        "auth_payload": "1.2.3",
    }


def test_challenge_list(ctl, daemon):
    fake = daemon(
        ChallengeList={
            "challenges": [{"sid": SID, "status": "pending"}],
            "next_page": 2,
            "next_page_token": "PT",
        }
    )
    arguments = ["challenge", "list", "--factor", "x", "--status", "pending", "--order", "desc"]
    result = ctl(*arguments, "--page-size", "5", "--page", "1", "--page-token", "T", "--json")
    assert result.json == {
        "schema": 1,
        "challenges": [{"sid": SID, "status": "pending"}],
        "next_page": 2,
        "next_page_token": "PT",
    }
    assert fake.calls.pop()[1] == {
        "target": {"factor": "x"},
        "status": "pending",
        "order": "desc",
        "page_size": 5,
        "page": 1,
        "page_token": "T",
    }
    result = ctl("challenge", "list", "x")
    assert result.stdout.splitlines()[1].split()[0] == SID
    assert "--page 2 --page-token PT" in result.stderr
    fake.answers["ChallengeList"] = {"challenges": [], "next_page": None, "next_page_token": None}
    assert ctl("challenge", "list", "x", "--json").json == {
        "schema": 1,
        **fake.answers["ChallengeList"],
    }


def test_access_token(ctl, daemon):
    reply = {"sid": "YK1", "token": "eyJ.x.y", "ttl": 60}
    fake = daemon(AccessTokenCreate=reply)
    arguments = ["access-token", "create", "--account", "a", "--service", VA, "--identity", "i"]
    sent = {"account": "a", "service_sid": VA, "identity": "i"}
    assert ctl(*arguments).stdout == "eyJ.x.y\n"
    assert fake.calls.pop()[1] == sent
    assert ctl(*arguments, "--ttl", "60", "--json").json == {"schema": 1, **reply}
    assert fake.calls.pop()[1] == {**sent, "ttl": 60}
    ctl(*arguments, "--ttl", "2min", "--friendly-name", "f")
    assert fake.calls.pop()[1] == {**sent, "ttl": 120, "friendly_name": "f"}


# Text from elsewhere.

HOSTILE = "a\x1b[2J\x1b]0;x\x07\u202eevil\u2066\x9b31m\r\nfactorctl: ok\t\u200b\U000e0041\u2028é日"
HARMLESS = re.compile(r"[\x20-\x7eé日…]*")


def test_hostile_text(ctl, daemon, socket_path):
    hostile = challenge(
        message=HOSTILE,
        factor=HOSTILE,
        reason=HOSTILE,
        fields=[{"label": HOSTILE, "value": HOSTILE}],
    )
    daemon(
        ListChallenges={"challenges": [hostile]},
        GetChallenge={"challenge": hostile},
        ListFactors={"factors": [factor(error=HOSTILE, label=HOSTILE)]},
        Approve={"challenge": hostile},
        Monitor={"event": {"sequence": 1, "type": "challenge", "challenge": hostile}},
        ChallengeFetch={"challenge": {HOSTILE: HOSTILE, "n": {HOSTILE: [HOSTILE]}}},
    )
    verbs = {
        ("pending",): 2,
        ("show", SID): 13,
        ("show", "x"): 9,
        ("list",): 2,
        ("approve", SID): 1,
        ("watch",): 1,
        ("challenge", "fetch", SID, "--factor", "x"): 2,
    }
    for arguments, lines in verbs.items():
        plain = ctl(*arguments)
        assert plain.status == 0
        assert len(plain.stdout.splitlines()) == lines, plain.stdout
        for line in plain.stdout.split("\n"):
            assert HARMLESS.fullmatch(line), line
        # JSON is exact, and as harmless to look at.
        as_json = ctl(*arguments, "--json")
        assert HARMLESS.fullmatch(as_json.stdout.rstrip("\n"))
        assert HOSTILE in set(strings(as_json.json))
    _, _, err = on_terminal(socket_path, "approve", answer=b"\n")
    for line in err.split("\n"):
        assert HARMLESS.fullmatch(line), line


def strings(value):
    """All strings in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for k, v in value.items():
            yield k
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)


def test_columns_of_wide_text(ctl, daemon):
    daemon(ListFactors={"factors": [factor(identity="日本語"), factor(identity="abc")]})
    lines = ctl("list").stdout.splitlines()
    # Each of the three characters takes two columns.
    assert lines[1].index(YF) + 3 == lines[2].index(YF)
