# SPDX-License-Identifier: Apache-2.0
"""factorctl approve, deny and ignore: what may decide, and what must not."""

import json

import pytest

from fake_cli import (  # noqa: F401
    DIGEST,
    OTHER,
    SID,
    assert_complains,
    challenge,
    ctl,
    daemon,
    on_terminal,
    socket_path,
)


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
    assert len(fake.calls) == 1


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
