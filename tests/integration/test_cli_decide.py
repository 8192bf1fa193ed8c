# SPDX-License-Identifier: Apache-2.0
"""factorctl approve, deny and ignore: what may decide, and what must not."""

import json
import os
import re
import threading

import pytest

from fake_cli import (  # noqa: F401
    DIGEST,
    FACTORCTL,
    OTHER,
    SID,
    assert_complains,
    challenge,
    ctl,
    daemon,
    factor,
    on_terminal,
    socket_path,
)
from terminal import Pty


def test_decide_by_sid(ctl, daemon):
    fake = daemon(
        GetChallenge={"challenge": challenge()},
        Approve={"challenge": challenge(state="approved")},
        Deny={"challenge": challenge(state="denied")},
        Ignore={"challenge": challenge(state="ignored")},
    )
    result = ctl("approve", SID, "--json")
    assert result.json["challenge"]["state"] == "approved"
    assert ctl("approve", SID).stdout == f"approved {SID} (laptop)\n"
    assert ctl("deny", SID, "--json").json["challenge"]["state"] == "denied"
    assert ctl("ignore", SID[:12], "--json").json["challenge"]["state"] == "ignored"
    decision = {"sid": SID, "digest": DIGEST}
    get = ("GetChallenge", {"sid": SID})
    assert [c[:2] for c in fake.calls] == [
        get,
        ("Approve", decision),
        get,
        ("Approve", decision),
        get,
        ("Deny", decision),
        ("GetChallenge", {"sid": SID[:12]}),
        ("Ignore", {"sid": SID}),
    ]


def test_decide_by_digest(ctl, daemon):
    """A digest that was given is never replaced by the present one."""
    fake = daemon(
        GetChallenge={"challenge": challenge(digest="cd" * 32)},
        ListChallenges={"challenges": [challenge(OTHER, digest="cd" * 32), challenge()]},
        Approve={"challenge": challenge(state="approved")},
        Deny={"challenge": challenge(state="denied")},
    )
    for arguments in (["approve", SID], ["approve", SID[:10]], ["approve"], ["deny"]):
        assert ctl(*arguments, "--digest", DIGEST).status == 0
    decisions = [c[1] for c in fake.calls if c[0] in ("Approve", "Deny")]
    assert decisions == [{"sid": SID, "digest": DIGEST}] * 4
    assert_complains(ctl("approve", "--digest", "ee" * 32), 3)


def test_no_terminal_no_decision(ctl, daemon):
    fake = daemon()
    for arguments in (["approve"], ["deny"], ["approve", SID[:10]], ["deny", SID[:33]]):
        assert_complains(ctl(*arguments, stdin=b"approve\n"), 2)
    assert fake.calls == []


@pytest.mark.parametrize("arguments", [["approve"], ["approve", SID[:10]], ["deny"]])
@pytest.mark.parametrize("word", ["approve", "deny"])
def test_asks_on_terminal(daemon, socket_path, arguments, word):
    fake = daemon(
        GetChallenge={"challenge": challenge()},
        ListChallenges={"challenges": [challenge()]},
        Approve={"challenge": challenge(state="approved")},
        Deny={"challenge": challenge(state="denied")},
    )
    status, out, err = on_terminal(
        socket_path, *arguments, "--json", answer=word.encode() + b"\n"
    )
    assert status == 0, err
    assert json.loads(out)["challenge"]["sid"] == SID
    assert "Where: Berlin" in err and "Log in?" in err
    assert fake.calls[-1][:2] == (word.capitalize(), {"sid": SID, "digest": DIGEST})


@pytest.mark.parametrize(
    "answer", [b"\n", b"y\n", b"APPROVE\n", b"approve it\n", b"\x04", b"approve" * 30 + b"\n"]
)
def test_anything_else_decides_nothing(daemon, socket_path, answer):
    fake = daemon(ListChallenges={"challenges": [challenge()]})
    status, out, err = on_terminal(socket_path, "approve", answer=answer)
    assert (status, out) == (1, "")
    assert err.endswith("factorctl: nothing was decided\n")
    assert [c[0] for c in fake.calls] == ["ListChallenges", "GetStatus"]


def test_terminal_limits(daemon, socket_path):
    fake = daemon(ListChallenges={"challenges": [challenge()]})
    status, out, _ = on_terminal(socket_path, "approve", "--timeout", "300ms", answer=None)
    assert (status, out) == (124, "")
    fake.answers["ListChallenges"] = {"challenges": [challenge(), challenge(OTHER)]}
    status, out, err = on_terminal(socket_path, "approve", answer=None)
    assert (status, out) == (2, "")
    assert SID in err and OTHER in err
    fake.answers["ListChallenges"] = {"challenges": []}
    assert on_terminal(socket_path, "approve", answer=None)[:2] == (3, "")


# What an approval wants typed.

FIELD = {"confirm": "field", "confirm_field": "Number", "fields": [{"label": "Number", "value": None}]}


def wanting(daemon, **other):
    asked = challenge(**other)
    return daemon(
        GetChallenge={"challenge": asked},
        ListChallenges={"challenges": [asked]},
        Approve={"challenge": challenge(state="approved")},
        Deny={"challenge": challenge(state="denied")},
    )


def sent(fake):
    return [c[1].get("confirm", "-") for c in fake.calls if c[0] == "Approve"]


def test_whole_sid_is_typed(ctl, daemon, socket_path):
    """Naming the whole SID is typing its end; a prefix, or none, is not."""
    fake = wanting(daemon, confirm="sid")
    for arguments in ([SID], [SID, "--digest", DIGEST]):
        assert ctl("approve", *arguments).status == 0
    assert sent(fake) == [SID[-4:]] * 2
    for arguments in ([SID[:12]], []):
        assert_complains(ctl("approve", *arguments, "--digest", DIGEST), 2)
        assert ctl("approve", *arguments, "--digest", DIGEST, "--confirm", "cdef").status == 0
    assert sent(fake)[2:] == ["cdef"] * 2
    assert ctl("deny", SID, "--digest", DIGEST).status == 0
    status, _, err = on_terminal(socket_path, "approve", answer=[b"approve\n", b"cdef\n"])
    assert status == 0 and "last four characters" in err
    assert sent(fake)[4:] == ["cdef"]


def test_value_is_typed(ctl, daemon, socket_path):
    fake = wanting(daemon, **FIELD)
    for arguments in ([SID], [SID, "--digest", DIGEST], ["--digest", DIGEST]):
        result = ctl("approve", *arguments)
        assert_complains(result, 2)
        assert "--confirm" in result.stderr and "Number" in result.stderr
        assert ctl("approve", *arguments, "--confirm", " 4 2\u00e9").status == 0
    assert sent(fake) == [" 4 2\u00e9"] * 3
    for answer in ([b"approve\n", b"42\n"], [b"42\n"]):
        named = [SID] if len(answer) == 1 else []
        status, _, err = on_terminal(socket_path, "approve", *named, answer=answer)
        assert status == 0 and "Number: (to be typed)" in err and "Log in?" in err
    assert sent(fake)[3:] == ["42"] * 2
    status, out, _ = on_terminal(socket_path, "approve", answer=[b"approve\n", b"\n"])
    assert (status, out) == (1, "")
    status, out, _ = on_terminal(socket_path, "approve", answer=[b"approve\n", b"x" * 2000 + b"\n"])
    assert (status, out) == (1, "")
    assert len(sent(fake)) == 5


def test_nothing_is_typed(ctl, daemon):
    """Nothing wanted, nothing sent; what cannot be approved is the daemon's to refuse."""
    fake = wanting(daemon)
    assert ctl("approve", SID).status == 0
    fake.answers["GetChallenge"] = {"challenge": challenge(confirm="never", confirm_field="Number")}
    assert ctl("approve", SID).status == 0
    assert sent(fake) == ["-"] * 2


def test_shown(ctl, daemon):
    """Repeats are marked in the table; what has to be typed stands in the details."""
    challenges = [
        challenge(repeats=2),
        challenge(OTHER, repeat_of=SID, quiet=True),
        challenge(quiet=True, confirm="sid"),
    ]
    daemon(
        ListChallenges={"challenges": challenges},
        GetChallenge=lambda p: {"challenge": challenge(repeats=2, **FIELD)},
    )
    lines = ctl("pending").stdout.splitlines()
    assert "asking (+2)" in lines[1] and "asking (repeat)" in lines[2] and "asking (quiet)" in lines[3]
    assert ctl("pending", "--json").json["challenges"] == challenges
    text = ctl("show", SID).stdout
    assert "Number: (to be typed)" in text and "2 more that ask for the same" in text
    assert 'takes the value of "Number"' in text


def test_time_left_is_the_providers(ctl, daemon):
    late = {"status": {"clock": {"offset_ms": 3600_000, "source": "server"}}}
    fake = daemon(
        ListChallenges={"challenges": [challenge()]}, GetChallenge={"challenge": challenge()}
    )
    for given, said in ((None, "3min 5"), (late, "over")):
        fake.answers["GetStatus"] = given or fake.answers["GetStatus"]
        assert said in ctl("pending").stdout.splitlines()[1]
        assert f"time left: {said}" in ctl("show", SID).stdout


def test_card_on_a_terminal(daemon, socket_path):
    """No text begins a row without a mark, and what was typed before the question is no answer."""
    written = threading.Event()
    evil = f"{'x' * 60}   digest: {'0' * 64}"

    def pending(_):
        assert written.wait(20)
        return {"challenges": [challenge(message=evil)]}

    fake = daemon(ListChallenges=pending)
    command = [FACTORCTL, "--socket", socket_path, "approve"]
    with Pty(command, {**os.environ, "TERM": "xterm"}, columns=60) as terminal:
        terminal.write("approve\n")
        written.set()
        terminal.wait("leaves it as it is: $")
        rows = terminal.output.split("\r\n")
        first = next(i for i, row in enumerate(rows) if row.startswith("     challenge: "))
        assert all(re.match(r" *[a-z ]+: | {14}[|>] |$", row) for row in rows[first:-1])
        assert max(len(row) for row in rows[first:-1]) < 60
        assert [row for row in rows if row.startswith("        digest: ")] == [
            f"        digest: {DIGEST[:43]}"
        ]
        terminal.write("\n")
        assert terminal.wait_end() == 1
    assert [c[0] for c in fake.calls] == ["ListChallenges", "GetStatus"]


def test_set(ctl, daemon):
    matching = factor(match_field="Number", cooling_until="2026-01-02T03:04:05Z")
    fake = daemon(SetMatchField={"factor": matching}, ListFactors={"factors": [matching, factor("b")]})
    assert "match field: Number" in ctl("set", "laptop", "--match-field", "Number").stdout
    assert ctl("set", "laptop", "--no-match-field", "--json").json["factor"] == matching
    assert [c[1] for c in fake.calls] == [{"name": "laptop", "field": "Number"}, {"name": "laptop"}]
    assert_complains(ctl("set", "laptop"), 2)
    assert_complains(ctl("set", "laptop", "--match-field", "a", "--no-match-field"), 2)
    header, first, second = ctl("list").stdout.splitlines()
    assert "MATCH FIELD" in header and "COOLING UNTIL" in header
    assert "Number" in first and "2026-01-02T03:04:05Z" in first
    fake.answers["ListFactors"] = {"factors": [factor("b")]}
    assert "MATCH FIELD" not in ctl("list").stdout
