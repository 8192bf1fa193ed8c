# SPDX-License-Identifier: Apache-2.0
"""factorctl policy check, test and explain: without a daemon, on files alone."""

import json
import os
import random
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from fake_cli import SID, YF, assert_complains, challenge, ctl, socket_path  # noqa: F401

RULES = """\
[Rule deploy]
Factor=ci-*
Message=~^Deploy [a-z-]+$
MaxAge=60s
Decision=approve

[Rule rest]
Message=*
Decision=deny
Override=yes
"""

# As the API describes it.
API = {
    "sid": SID,
    "account_sid": "AC" + "0" * 32,
    "service_sid": "VA" + "0" * 32,
    "entity_sid": "YE" + "0" * 32,
    "identity": "alice-12",
    "factor_sid": YF,
    "date_created": "2026-01-05T12:00:00Z",
    "date_updated": "2026-01-05T12:00:00Z",
    "date_responded": None,
    "expiration_date": "2026-01-05T12:05:00Z",
    "status": "pending",
    "responded_reason": None,
    "details": {"message": "Deploy web", "fields": [{"label": "A", "value": "b"}]},
    "hidden_details": {"ip": "10.0.0.1"},
    "metadata": None,
    "factor_type": "push",
    "url": "https://verify.twilio.com/v2/x",
    "links": {"notifications": "https://verify.twilio.com/v2/x/Notifications"},
}


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "10-deploy.policy"
    path.write_text(RULES)
    return path


@pytest.fixture
def cases(tmp_path):
    """A function that writes a document of cases and returns its path."""

    def write(*items, name="cases.json", **document):
        path = tmp_path / name
        path.write_text(json.dumps({**document, "cases": items}))
        return path

    return write


# Check.


def test_check_file_and_folder(ctl, rules, tmp_path):
    (tmp_path / "20-more.policy").write_text("[Rule more]\nDecision=ask\n")
    (tmp_path / "notes.txt").write_text("not a rule\n")
    (tmp_path / ".hidden.policy").write_text("not a rule\n")
    one, folder = ctl("policy", "check", rules), ctl("policy", "check", tmp_path)
    assert (one.status, one.stderr) == (0, "")
    assert one.stdout.startswith("2 rules in 1 file, policy ")
    assert (folder.status, folder.stderr) == (0, "")
    assert folder.stdout.startswith("3 rules in 2 files, policy ")
    document = ctl("policy", "check", tmp_path, "--json").json
    assert [r["name"] for r in document["rules"]] == ["deploy", "rest", "more"]
    assert document["rules"][0] == {
        "name": "deploy",
        "file": str(rules),
        "line": 1,
        "decision": "approve",
        "dangerous": False,
    }
    assert document["problems"] == []
    assert document["policy"] in folder.stdout


def test_check_says_every_fault(ctl, tmp_path):
    (tmp_path / "a.policy").write_text("[Rule a]\nMesage=x\nDecision=deny\n")
    (tmp_path / "b.policy").write_text("[Rule b]\nDecision=approve\n")
    result = ctl("policy", "check", tmp_path)
    assert (result.status, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        f"factorctl: {tmp_path}/a.policy:2: unknown key 'Mesage'; did you mean Message?"
    )
    assert lines[1].startswith(f"factorctl: {tmp_path}/b.policy:1: rule 'b' can approve")
    result = ctl("policy", "check", tmp_path, "--json")
    assert result.status == 2
    assert [f"factorctl: {p}" for p in result.json["problems"]] == lines
    assert "policy" not in result.json


def test_check_remarks(ctl, tmp_path):
    path = tmp_path / "x.policy"
    path.write_text("[Rule x]\nDangerous=approve-anything\nDecision=approve\n")
    result = ctl("policy", "check", path)
    assert result.status == 0
    assert f"{path}:1: rule 'x' approves without naming" in result.stderr
    assert ctl("policy", "check", path, "--json").json["rules"][0]["dangerous"] is True
    path.write_text("[Rule x]\nFactor=a\nMessage=b\nDecision=exec:/bin/true\n")
    assert ctl("policy", "check", path).status == 0
    # The system service would not run it.
    assert_complains(ctl("policy", "check", path, "--system", find=True), 2)


def test_check_what_is_not_there(ctl, tmp_path):
    assert_complains(ctl("policy", "check", tmp_path / "none.policy"), 2)
    empty = ctl("policy", "check", tmp_path)
    assert empty.status == 0 and empty.stdout.startswith("0 rules in 0 files")
    assert "has no rules" in empty.stderr


def test_check_configured_folder(ctl, tmp_path):
    config = tmp_path / "config/factord"
    (config / "policy.d").mkdir(parents=True)
    (config / "policy.d/a.policy").write_text("[Rule a]\nDecision=deny\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}

    def names():
        result = ctl("policy", "check", "--user", "--json", find=True, env=env)
        return [r["name"] for r in result.json["rules"]]

    assert names() == ["a"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.policy").write_text("[Rule b]\nDecision=deny\n")
    (config / "factord.conf").write_text("[Policy]\nDirectory=/nowhere\n")
    assert names() == []
    (config / "factord.conf.d").mkdir()
    (config / "factord.conf.d/1.conf").write_text(f"[Policy]\nDirectory={elsewhere}\n")
    assert names() == ["b"]
    (config / "factord.conf.d/2.conf").write_text("[Policy]\nDirectory=\n")
    assert names() == ["a"]
    (config / "factord.conf.d/2.conf").write_text("[Policy\n")
    assert_complains(ctl("policy", "check", "--user", find=True, env=env), 2)


# Test.


def test_cases_pass(ctl, rules, cases):
    path = cases(
        {"name": "as the API has it", "challenge": API, "expect": "approve", "rule": "deploy"},
        {
            "name": "as pending has it",
            "challenge": challenge(message="Drop", created="2026-01-05T12:00:00Z"),
            "expect": "deny",
        },
        {"challenge": {"created": "2026-01-05T12:00:00Z"}, "expect": "ask", "rule": "default"},
        policy=[rules.name],
        factor="ci-1",
    )
    # Paths in it are relative to it, wherever it is called from.
    for name in (path, os.path.relpath(path)):
        result = ctl("policy", "test", name)
        assert (result.status, result.stderr) == (0, "")
        rows = [line.split(maxsplit=3) for line in result.stdout.splitlines()]
        assert rows == [
            ["RESULT", "DECISION", "RULE", "CASE"],
            ["ok", "approve", "deploy", "as the API has it"],
            ["ok", "deny", "rest", "as pending has it"],
            ["ok", "ask", "default", "case 3"],
            [],
            ["3", "cases,", "0", "failed"],
        ]


def test_cases_fail(ctl, rules, cases):
    bad = {"name": "a\u202eb", "challenge": API, "factor": "ci-1"}
    path = cases(
        {**bad, "expect": "deny"},
        {**bad, "expect": "approve", "rule": "other"},
        {**bad, "expect": "approve"},
        policy=[rules.name],
    )
    result = ctl("policy", "test", path)
    assert (result.status, result.stderr) == (1, "")
    assert "\u202e" not in result.stdout
    assert "-> expected deny: rule 'deploy' matches" in result.stdout
    assert "-> expected approve by other: rule 'deploy' matches" in result.stdout
    assert result.stdout.endswith("3 cases, 2 failed\n")
    result = ctl("policy", "test", path, "--json")
    assert result.status == 1
    assert result.json["failed"] == 2
    assert result.json["cases"][0] == {
        "file": str(path),
        "name": "a\u202eb",
        "ok": False,
        "decision": "approve",
        "rule": "deploy",
        "reason": "rule 'deploy' matches",
        "expected": "deny",
    }


def test_cases_of_several_documents(ctl, rules, cases, tmp_path):
    other = tmp_path / "other.policy"
    other.write_text("[Rule other]\nDecision=ignore\n")
    one = {"challenge": API, "factor": "ci-1"}
    first = cases({**one, "expect": "approve"}, policy=[rules.name])
    second = cases({**one, "expect": "ignore"}, name="2.json", policy=["other.policy"])
    assert ctl("policy", "test", first, second).status == 0
    # An option tries other rules.
    assert ctl("policy", "test", first, second, "--policy", other).status == 1
    assert ctl("policy", "test", second, "--policy", other).status == 0


def test_cases_that_can_not_be(ctl, rules, cases, tmp_path):
    good = {"challenge": API, "factor": "ci-1", "expect": "approve"}
    for path in (
        tmp_path / "none.json",
        cases({**good, "expekt": "x"}, policy=[rules.name]),
        cases({"challenge": API, "factor": "ci-1"}, policy=[rules.name]),
        cases(good, policy=["none.policy"]),
    ):
        assert_complains(ctl("policy", "test", path), 2)
    rules.write_text("[Rule a]\n")
    assert_complains(ctl("policy", "test", cases(good, policy=[rules.name])), 2)


def test_a_slip_in_a_challenge_is_remarked(ctl, rules, cases):
    path = cases(
        {"challenge": {"mesage": "Deploy web"}, "expect": "ask"},
        policy=[rules.name],
        factor="ci-1",
        now="2026-01-05T12:00:00Z",
    )
    result = ctl("policy", "test", path)
    assert result.status == 0
    assert result.stderr == f"factorctl: {path}: a challenge has no 'mesage', ignoring\n"


def test_examples(ctl, source_root):
    result = ctl("policy", "test", source_root / "docs/examples/deploy-cases.json")
    assert (result.status, result.stderr) == (0, "")
    assert ctl("policy", "check", source_root / "docs/examples").status == 0


def test_examples_of_the_documentation(ctl, cases, source_root):
    """The document of cases that docs/policy.md shows, and the rule, work as they stand there."""
    text = (source_root / "docs/policy.md").read_text()
    (document,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    rule = re.search(r"```ini\n(.*?)```", text, re.DOTALL).group(1)
    assert rule in (source_root / "docs/examples/deploy.policy").read_text()
    shown = re.search(r"deploy-cases.json\n(RESULT.*?)```", text, re.DOTALL).group(1)
    path = cases()
    path.write_text(document)
    result = ctl("policy", "test", path, "--policy", source_root / "docs/examples/deploy.policy")
    assert (result.status, result.stdout) == (0, shown)


# Explain.


def test_explain(ctl, rules, tmp_path):
    path = tmp_path / "challenge.json"
    path.write_text(json.dumps({**API, "details": {"message": "Deploy\u202e web"}}))
    result = ctl("policy", "explain", path, "--policy", rules, "--factor", "ci-1")
    assert (result.status, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[1].split(maxsplit=3) == [
        "deploy",
        "no",
        "match",
        "Message=~^Deploy [a-z-]+$: 'Deploy\\u{202e} web' does not match",
    ]
    assert lines[2].split(maxsplit=2) == ["rest", "decides", "all its conditions hold"]
    assert lines[-1] == "deny by rest: rule 'rest' matches"
    document = ctl("policy", "explain", path, "--policy", rules, "--factor", "x", "--json").json
    assert document["decision"] == "deny" and document["rule"] == "rest"
    assert document["rules"][0]["why"] == "Factor=ci-*: 'x' does not match"
    assert [r["decides"] for r in document["rules"]] == [False, True]


def test_explain_a_case(ctl, rules, tmp_path):
    """A case says the time, too; a challenge alone is explained as of now."""
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"challenge": API, "factor": "ci-1", "now": API["date_created"]}))
    assert ctl("policy", "explain", path, "--policy", rules).stdout.endswith(
        "\napprove by deploy: rule 'deploy' matches\n"
    )
    path.write_text(json.dumps(API))
    result = ctl("policy", "explain", path, "--policy", rules, "--factor", "ci-1")
    assert "MaxAge=60s: it is " in result.stdout
    # A challenge of the API does not say what its factor is called here.
    assert_complains(ctl("policy", "explain", path, "--policy", rules), 2)
    path.write_text("{")
    assert_complains(ctl("policy", "explain", path, "--policy", rules), 2)


# Hours, against another implementation of time zones.

ZONES = (
    "Europe/Berlin America/New_York Australia/Lord_Howe America/Sao_Paulo Asia/Kathmandu"
    " Europe/Dublin Africa/Casablanca Pacific/Apia Asia/Gaza America/Havana Antarctica/Troll"
    " America/St_Johns Pacific/Chatham Asia/Tehran UTC"
).split()
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def instants(zone, dice):
    """Around each change of the clock from 2025 to 2046, and at random."""
    start = datetime(2025, 1, 1, tzinfo=timezone.utc)
    step, previous = timedelta(days=1), None
    for day in range(21 * 365):
        now = start + day * step
        offset = now.astimezone(zone).utcoffset()
        if previous is not None and offset != previous and dice.random() < 0.3:
            for minutes in range(-26 * 60, 26 * 60, 30):
                yield now + timedelta(minutes=minutes, seconds=dice.randrange(60))
        previous = offset
    for _ in range(50):
        yield start + timedelta(seconds=dice.randrange(21 * 365 * 86400))


def test_hours_as_zoneinfo(ctl, cases, tmp_path):
    """Windows that begin and end at any minute, some of them in hours that are skipped or doubled."""
    dice = random.Random(4)
    rules, items = [], []
    for number, name in enumerate(ZONES):
        zone = ZoneInfo(name)
        begin, end = (60 * dice.randrange(4) + dice.randrange(60) for _ in range(2))
        end += begin == end
        first, last = dice.randrange(7), dice.randrange(7)
        days = {(first + i) % 7 for i in range((last - first) % 7 + 1)}
        rules.append(
            f"[Rule r{number}]\nFactor=f{number}\nTimezone={name}\nDecision=deny\n"
            f"Hours={DAYS[first]}..{DAYS[last]} {begin // 60:02}:{begin % 60:02}"
            f"-{end // 60:02}:{end % 60:02}\n"
        )
        for now in instants(zone, dice):
            local = now.astimezone(zone)
            minute, day = 60 * local.hour + local.minute, local.weekday()
            if begin < end:
                inside = day in days and begin <= minute < end
            else:
                inside = (day in days and minute >= begin) or (
                    (day - 1) % 7 in days and minute < end
                )
            items.append(
                {
                    "name": f"{name} {now}",
                    "factor": f"f{number}",
                    "now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "challenge": {},
                    "expect": "deny" if inside else "ask",
                }
            )
    (tmp_path / "hours.policy").write_text("".join(rules))
    result = ctl("policy", "test", cases(*items, policy=["hours.policy"]), "--json")
    failed = [c for c in result.json["cases"] if not c["ok"]]
    assert not failed, failed[:5]
    assert len(items) > 5000
    inside = sum(i["expect"] == "deny" for i in items)
    assert len(items) / 50 < inside < len(items) / 2
