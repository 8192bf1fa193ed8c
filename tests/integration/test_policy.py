# SPDX-License-Identifier: Apache-2.0
"""Rules at work: what they approve, and all that they do not."""

import json
import os
import signal
import subprocess
from datetime import datetime, timezone

import pytest

from harness import wait_for
from process import TIMEOUT
from rules import audit, counts, create, policy, set_rules, write_rules
from steps import (
    FINAL,
    approve,
    ask_push,
    call,
    call_error,
    challenge,
    deny,
    enroll_push,
    enroll_totp,
    shift_clock,
    shown,
    wait_state,
)

DEPLOY = """
[Rule deploy]
Factor=push
Message=Deploy web
Field.Environment=staging
Hidden.ip=10.0.0.0/8
Decision=approve
"""
GOOD = {"message": "Deploy web", "fields": [("Environment", "staging")], "hidden": {"ip": "10.1.2.3"}}


@pytest.fixture
def held(daemon):
    return enroll_push(daemon)


def decision(daemon, sid):
    found = audit(daemon, "decision", sid)
    return found[-1] if found else None


def test_approval(daemon, held, sandbox):
    """Approved at the provider, whose own check of the signature is independent; on record with the rule
    and the policy's hash. The hash is the one that the offline check prints, and changes are on record."""
    path = set_rules(daemon, DEPLOY)
    sid = create(daemon, held, **GOOD)
    wait_state(daemon, sid, "approved")
    there = sandbox.challenge(sid)
    assert (there["status"], there["updates"]) == ("approved", 1)
    record = decision(daemon, sid)
    assert (record["verb"], record["rule"], record["door"], record["uid"]) == ("approve", "deploy", "policy", None)
    checked = daemon.ctl_json("policy", "check", path.parent)
    assert record["policy"] == checked["policy"] == policy(daemon)["hash"]

    # A person's decision, and what no rule decides, name it too.
    other = ask_push(daemon, held, "Deploy db")
    deny(daemon, other)
    record = decision(daemon, other["sid"])
    assert (record["rule"], record["policy"]) == (None, checked["policy"])

    set_rules(daemon, DEPLOY + "[Rule rest]\nDecision=deny\n")
    late = create(daemon, held, "Deploy db")
    wait_state(daemon, late, "denied")
    changes = audit(daemon, "policy")
    assert [c["policy"] for c in changes] == [checked["policy"], policy(daemon)["hash"]]
    assert changes[0]["uid"] == os.getuid() and changes[0]["door"] == "socket"
    assert decision(daemon, late)["policy"] == changes[1]["policy"] != checked["policy"]
    assert counts(daemon) == {"deploy": (1, 0, 0, 0), "default": (0, 0, 0, 1), "rest": (0, 1, 0, 0)}
    # The same rules again are no change, neither now nor after a restart; none are one.
    set_rules(daemon, DEPLOY + "[Rule rest]\nDecision=deny\n")
    daemon.restart()
    assert len(audit(daemon, "policy")) == 2
    path.unlink()
    call(daemon, "Reload")
    assert len(audit(daemon, "policy")) == 3 and policy(daemon)["rules"] == 0


NEAR = {
    "newline": {"message": "Deploy web\n"},
    "blank": {"message": "Deploy web "},
    "prefix": {"message": "Re: Deploy web"},
    "suffix": {"message": "Deploy web; drop db"},
    "case": {"message": "deploy web"},
    "look-alike": {"message": "D\u0435ploy web"},
    "bidi": {"message": "Deploy \u202eweb"},
    "zero width": {"message": "Deploy\u200b web"},
    "another value": {"fields": [("Environment", "production")]},
    "another label": {"fields": [("environment", "staging")]},
    "label twice": {"fields": [("Environment", "staging"), ("Environment", "production")]},
    "label twice, first": {"fields": [("Environment", "production"), ("Environment", "staging")]},
    "hidden label twice elsewhere": {"fields": [("Environment", "staging"), ("A", "1"), ("A", "1")]},
    "bidi elsewhere": {"fields": [("Environment", "staging"), ("Note", "a\u202eb")]},
    "no details": {"fields": []},
    "address outside": {"hidden": {"ip": "11.0.0.1"}},
    "leading zeros": {"hidden": {"ip": "010.0.0.1"}},
    "hexadecimal": {"hidden": {"ip": "0x0a000001"}},
    "short": {"hidden": {"ip": "10.1"}},
    "port": {"hidden": {"ip": "10.0.0.1:80"}},
    "blank in it": {"hidden": {"ip": "10.0.0.1 "}},
    "mapped outside": {"hidden": {"ip": "::ffff:11.0.0.1"}},
    "another key": {"hidden": {"IP": "10.1.2.3"}},
    "empty": {"hidden": {"ip": ""}},
    "nothing hidden": {"hidden": None},
}


def test_near_misses(daemon, held, sandbox):
    """What attackers try: none is approved; what is alike, is. Ends are looked for at the provider."""
    set_rules(daemon, DEPLOY)
    sids = {name: create(daemon, held, **{**GOOD, **change}) for name, change in NEAR.items()}
    alike = create(daemon, held, **{**GOOD, "hidden": {"ip": "::ffff:10.1.2.3"}})
    wait_state(daemon, alike, "approved")
    for name, sid in sids.items():
        wait_state(daemon, sid, "asking")
        assert sandbox.challenge(sid)["status"] == "pending", name
    assert counts(daemon) == {"deploy": (1, 0, 0, 0), "default": (0, 0, 0, len(NEAR))}
    assert "is not what it looks like" in daemon.stderr
    assert "\u202e" not in daemon.stderr and "u{202e}" not in daemon.stderr
    # And why, for an administrator.
    told = call(daemon, "ExplainPolicy", sid=sids["bidi"])
    assert told["decision"] == "ask" and told["rule"] == "default"
    assert "\\u{202e}" in told["rules"][0]["why"] and not told["rules"][0]["matches"]
    text = daemon.ctl("policy", "explain", sids["case"][:12]).out
    assert "no match" in text and "'deploy web' does not match" in text
    assert daemon.ctl_json("policy", "explain", alike)["decision"] == "approve"


def test_first_match_and_verbs(make_daemon, sandbox):
    """In the order of files and lines; approve, deny, ignore, ask and default are five things."""
    daemon = make_daemon(sandbox, {"Daemon": {"Default": "ignore"}})
    push, totp = enroll_push(daemon), enroll_totp(daemon)
    write_rules(daemon, "[Rule late]\nFactor=push\nMessage=A*\nDecision=deny\n", "90.policy")
    set_rules(
        daemon,
        """
        [Rule one]
        Factor=push
        Message=A1
        Decision=approve
        [Rule two]
        Message=A2
        Decision=ignore
        [Rule three]
        Message=A3
        Decision=ask
        [Rule codes]
        Type=totp
        Decision=ask
        """.replace("        ", ""),
        "10.policy",
    )
    ends = {"A1": "approved", "A2": "ignored", "A3": "asking", "A4": "denied", "B": "ignored"}
    sids = {message: create(daemon, push, message) for message in ends}
    for message, end in ends.items():
        wait_state(daemon, sids[message], end)
    wait_state(daemon, create(daemon, totp), "asking")
    status = {m: sandbox.challenge(sid)["status"] for m, sid in sids.items()}
    assert status == {"A1": "approved", "A2": "pending", "A3": "pending", "A4": "denied", "B": "pending"}
    assert [decision(daemon, sids[m])["rule"] for m in ("A1", "A2", "A4", "B")] == ["one", "two", "late", "default"]
    assert challenge(daemon, sids["A3"])["reason"] == "rule 'three' matches"
    # A denial for all types lets a TOTP challenge expire: there is no such answer.
    set_rules(daemon, "[Rule none]\nDecision=deny\n", "10.policy")
    wait_state(daemon, create(daemon, totp), "ignored")
    # What rules have denied or ignored stays so; what default has, was nobody's word.
    for message, other in (("A2", "Approve"), ("A2", "Deny"), ("A4", "Approve"), ("B", "Approve")):
        error = call_error(daemon, other, **shown(challenge(daemon, sids[message])))
        assert error.name == ("AlreadyAnswered" if message == "B" else "PolicyDenied"), message
    assert call_error(daemon, "Deny", **shown(challenge(daemon, sids["A4"]))).name == "AlreadyAnswered"
    daemon.ctl("approve", sids["A2"], check=5)
    text = daemon.ctl("status").out
    assert "RULE" in text and "DENIED" in text and "late" in text


def test_typing_and_cooling_concern_persons(make_daemon, sandbox):
    """A rule is the administrator's word: it approves whatever a person would have to type."""
    daemon = make_daemon(sandbox, {"Prompt": {"Budget": "1/10min"}})
    held = enroll_push(daemon)
    call(daemon, "SetMatchField", name="push", field="Number")
    set_rules(daemon, DEPLOY)
    for _ in range(3):
        ask_push(daemon, held, "other", fields=[("Number", "1")])
    assert call(daemon, "ListFactors")["factors"][0]["cooling_until"]
    sid = create(daemon, held, **GOOD)
    wait_state(daemon, sid, "approved")
    assert sandbox.challenge(sid)["status"] == "approved"


def test_limit(daemon, held, sandbox):
    """A rule's decisions count by factor, also after a restart; past the limit it asks, and no later rule is
    tried. This machine's clock does not matter."""
    other = enroll_push(daemon, "push2", "bobby-002")
    rules = "[Rule some]\nFactor=push*\nMessage=Deploy *\nLimit=2/h\nDecision=approve\n[Rule rest]\nDecision=deny\n"
    set_rules(daemon, rules)
    for _ in range(2):
        wait_state(daemon, create(daemon, held, "Deploy a"), "approved")
    sid = create(daemon, held, "Deploy a")
    reason = wait_state(daemon, sid, "asking")["reason"]
    assert "has made 2 decisions in 1h; its limit is 2" in reason
    wait_state(daemon, create(daemon, other, "Deploy a"), "approved")
    daemon.restart()
    wait_state(daemon, create(daemon, held, "Deploy a"), "asking")
    shift_clock(daemon, 3700)
    wait_state(daemon, create(daemon, held, "Deploy b"), "approved")
    assert sandbox.challenge(sid)["updates"] == 0


def test_faults_at_the_start(make_daemon, sandbox):
    """No rule is in force: Default= decides, status names file and line, --check and doctor, too."""
    daemon = make_daemon(sandbox, start=False)
    path = write_rules(daemon, DEPLOY + "Colour=red\n[Rule x]\nDecision=maybe\n")
    checked = daemon.run("--check")
    assert checked.rc == 78 and f"{path}:8: unknown key 'Colour'" in checked.err and f"{path}:10:" in checked.err
    daemon.start()
    held = enroll_push(daemon)
    asked = ask_push(daemon, held, **GOOD)
    status = call(daemon, "GetStatus")["status"]
    assert f"none is in force: {path}:8" in status["policy"]["problem"] and "(and " in status["policy"]["problem"]
    assert status["policy"]["problem"] in status["problems"] and status["policy"]["rules"] == 0
    assert not status["policy"]["loaded"]
    assert f"{path}:8" in daemon.ctl("status").out
    doctor = daemon.ctl("doctor", check=1).out
    assert "error" in doctor and f"{path}:8" in doctor
    # Mended, it is what it says. What is asked about already stays with the person.
    set_rules(daemon, DEPLOY)
    status = call(daemon, "GetStatus")["status"]
    assert status["policy"]["problem"] is None and status["problems"] == []
    wait_state(daemon, create(daemon, held, **GOOD), "approved")
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    assert "The configuration is good" in daemon.run("--check").out


def test_a_broken_reload_keeps_the_old(daemon, held):
    """Of the rules, and of the configuration: each by itself. It is said until it is mended."""
    path = set_rules(daemon, DEPLOY)
    before = policy(daemon)["hash"]
    path.write_text(DEPLOY + "[Rule deploy]\nDecision=deny\n")
    result = daemon.ctl("reload", check=2)
    assert f"{path}:8" in result.err and "stays as it was" in result.err
    document = json.loads(daemon.ctl("--json", "reload", check=2).out)
    assert f"{path}:8" in document["problems"][0]
    status = call(daemon, "GetStatus")["status"]
    assert status["policy"]["hash"] == before and f"{path}:8" in status["policy"]["problem"]
    wait_state(daemon, create(daemon, held, **GOOD), "approved")
    path.write_text(DEPLOY)
    assert daemon.ctl("reload").err == ""
    assert policy(daemon)["problem"] is None and len(audit(daemon, "policy")) == 1

    # The configuration: what can be applied is; what can't, is said; a fault changes nothing.
    daemon.configure({"Daemon": {"Default": "ignore"}, "Prompt": {"Budget": "7/1h", "ArmDelay": "1s"}})
    daemon.ctl("reload")
    status = call(daemon, "GetStatus")["status"]
    assert status["default"] == "ignore"
    assert (status["prompt"]["budget"], status["prompt"]["arm_delay_ms"]) == (7, 1000)
    wait_state(daemon, create(daemon, held, "other"), "ignored")
    daemon.configure({"Poll": {"Interval": "1s", "IdleInterval": "1s"}, "Daemon": {"Default": "ask"}})
    result = daemon.ctl("reload")
    assert "[Poll] Interval has changed; restart factord" in result.err
    daemon.configure({"Daemon": {"Default": "approve"}})
    result = daemon.ctl("reload", check=2)
    assert "factord.conf:" in result.err
    status = call(daemon, "GetStatus")["status"]
    assert status["default"] == "ask" and any("factord.conf:" in p for p in status["problems"])
    daemon.configure({})
    # By signal, as systemctl reload does.
    seen = daemon.notified().count("READY=1")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for(lambda: daemon.notified().count("READY=1") > seen, what="READY=1 again")
    assert "RELOADING=1" in daemon.notified()
    assert call(daemon, "GetStatus")["status"]["problems"] == []
    # Another folder.
    elsewhere = daemon.directory / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    daemon.configure({"Policy": {"Directory": elsewhere}})
    daemon.ctl("reload")
    assert policy(daemon)["rules"] == 0 and policy(daemon)["directory"] == str(elsewhere)


def test_trust(daemon, held):
    """Who may write to rules decides: a file or a folder that others can write to, and links, are refused
    with the command that helps; the old rules stay."""
    path = set_rules(daemon, DEPLOY)
    before = policy(daemon)["hash"]

    def refused(*parts):
        (problem,) = call(daemon, "Reload")["problems"]
        for part in parts:
            assert str(part) in problem, problem
        assert policy(daemon)["hash"] == before
        return problem.partition("run: ")[2]

    def mend(command):
        subprocess.run(["sh", "-c", command], check=True, timeout=TIMEOUT)
        assert call(daemon, "Reload")["problems"] == []

    path.chmod(0o666)
    mend(refused(path, "others", "chmod go-w"))
    path.parent.chmod(0o777)
    mend(refused(path.parent, "folder", "chmod go-w"))
    if os.getuid() == 0:
        os.chown(path, 4711, 4711)
        mend(refused(path, "owned by neither", "chown root"))
    link = path.parent / "60-link.policy"
    link.symlink_to(path)
    refused(link, "symbolic link")
    link.unlink()
    os.mkfifo(link)
    refused(link, "not a regular file")
    link.unlink()
    away = path.parent.rename(path.parent.with_name("away"))
    path.parent.symlink_to(away)
    refused(path.parent, "symbolic link")
    path.parent.unlink()
    away.rename(path.parent)
    # What is no rule file is left alone.
    (path.parent / ".hidden.policy").write_text("[")
    (path.parent / "README").write_text("[")
    assert call(daemon, "Reload")["problems"] == []


def test_override(daemon, held, sandbox):
    """A person may decide what such a rule ignores or denies, until the end; nobody is bothered with it."""
    set_rules(
        daemon,
        "[Rule quiet]\nMessage=noise*\nOverride=yes\nDecision=ignore\n"
        "[Rule no]\nMessage=bad*\nOverride=yes\nDecision=deny\n",
    )
    kept = ask_push(daemon, held, "noise 1", expires_in=300)
    assert kept["quiet"] and "rule 'quiet' ignores it at the end" in kept["reason"]
    assert kept["repeats"] == 0 and kept["repeat_of"] is None
    taken = ask_push(daemon, held, "noise 1", expires_in=300)
    assert taken["repeat_of"] is None
    assert approve(daemon, taken)["state"] == "approved"
    record = decision(daemon, taken["sid"])
    assert (record["rule"], record["door"]) == (None, "socket")
    # A denial is sent before the end; without time to wait for somebody, at once.
    at_once = create(daemon, held, "bad 2", expires_in=8)
    wait_state(daemon, at_once, "denied")
    denied = ask_push(daemon, held, "bad 1", expires_in=13)
    assert "rule 'no' denies it at the end" in denied["reason"] and denied["quiet"]
    before = policy(daemon)["hash"]
    set_rules(daemon, "[Rule other]\nMessage=x\nDecision=ask\n")
    daemon.restart()
    again = challenge(daemon, kept["sid"])
    assert again["quiet"] and again["state"] == "asking" and "quiet" in again["reason"]
    wait_state(daemon, denied["sid"], "denied")
    assert sandbox.challenge(denied["sid"])["status"] == "denied"
    # An ignored one ends when it does; both are the rules' decisions.
    assert challenge(daemon, kept["sid"])["state"] == "asking"
    shift_clock(daemon, 310)
    wait_state(daemon, kept["sid"], "ignored")
    assert (decision(daemon, kept["sid"])["rule"], decision(daemon, kept["sid"])["verb"]) == ("quiet", "ignore")
    assert decision(daemon, denied["sid"])["rule"] == "no"
    # They are recorded with the policy that has those rules, whichever is in force by now.
    assert before != policy(daemon)["hash"]
    assert {decision(daemon, c["sid"])["policy"] for c in (kept, denied)} == {before}
    assert counts(daemon) == {"quiet": (0, 0, 1, 0), "no": (0, 1, 0, 0)}


def test_clock_of_a_machine_that_is_wrong(make_daemon, sandbox):
    """Rules go by the provider's clock from the first challenge on, not by what this machine has at the start."""
    daemon = make_daemon(sandbox)
    held = enroll_totp(daemon)
    hour = datetime.now(timezone.utc).hour
    set_rules(
        daemon,
        "[Rule now]\nFactor=totp\nDangerous=approve-anything\nTimezone=UTC\n"
        f"Hours={hour:02}:00-{(hour + 2) % 24:02}:00\nDecision=approve\n",
    )
    daemon.kill()
    sandbox.clock(12 * 3600)
    sids = [create(daemon, held) for _ in range(3)]
    daemon.start()
    for sid in sids:
        wait_state(daemon, sid, "asking")
    assert audit(daemon, "decision") == []


def test_given_up(daemon, held):
    """A regular expression without end is bounded: what would approve does not, what would deny asks; status
    and the log say which rule, and nothing of the challenge."""
    set_rules(
        daemon,
        "[Rule slow]\nFactor=push\nMessage=~(a+)+[xyz]\nDecision=approve\n"
        "[Rule slower]\nMessage=~(a*)*[uvw]\nDecision=deny\n",
    )
    sid = create(daemon, held, "a" * 200 + "!")
    found = wait_state(daemon, sid, "asking")
    assert found["reason"] == "rule 'slower' can't be told, and so it asks"
    status = call(daemon, "GetStatus")["status"]
    assert status["policy"]["given_up"] == 1 and any("reached its limits" in p for p in status["problems"])
    assert "aaaa" not in daemon.stderr and "aaaa" not in json.dumps(status)


def test_replay(daemon, held):
    """What other rules would have decided of what there was."""
    set_rules(daemon, DEPLOY)
    good = create(daemon, held, **GOOD)
    wait_state(daemon, good, "approved")
    asked = ask_push(daemon, held, "other")
    set_rules(daemon, "[Rule all]\nDecision=deny\n")
    told = daemon.ctl_json("policy", "replay", "--since", "1h")["challenges"]
    by_sid = {c["sid"]: (c["decision"], c["rule"], c["would"], c["would_rule"], c["same"]) for c in told}
    assert by_sid == {
        good: ("approve", "deploy", "deny", "all", False),
        asked["sid"]: ("ask", None, "deny", "all", False),
    }
    set_rules(daemon, DEPLOY)
    text = daemon.ctl("policy", "replay").out
    assert "2 challenges, 0 would be decided otherwise" in text and "approve by deploy" in text
    assert call(daemon, "ReplayPolicy", since="2038-01-01T00:00:00Z")["challenges"] == []
    assert all(c["state"] not in FINAL for c in daemon.pending())


def test_dangerous(daemon):
    set_rules(daemon, "[Rule all]\nDangerous=approve-anything\nDecision=approve\n")
    assert policy(daemon)["dangerous"] == ["all"]
    assert "rule 'all' approves without naming" in daemon.ctl("status").out
