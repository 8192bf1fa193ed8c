# SPDX-License-Identifier: Apache-2.0
"""The audit trail: what is recorded, what tampering leaves, what is dropped, and who may read it."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from harness import wait_for
from steps import approve, ask_push, call, call_error, challenge, deny, enroll_push, shown
from test_rights import STRANGER, User, system  # noqa: F401
from wallclock import make_wallclock, wallclock_library  # noqa: F401

YEAR = 365 * 86400
ZEROS = 32 * "0"


def records(daemon, *arguments):
    out = daemon.ctl("log", "--json", *arguments).out
    documents = [json.loads(line) for line in out.splitlines()]
    assert all(d.pop("schema") == 1 for d in documents)
    return documents


def events(daemon, *arguments):
    return [r["event"] for r in records(daemon, *arguments)]


def sql(daemon, script):
    with contextlib.closing(sqlite3.connect(daemon.state_directory / "factord.db")) as connection:
        connection.executescript(script)


def verify(daemon, check=0):
    result = daemon.ctl("log", "--verify", check=check)
    return result.out if check == 0 else result.err


def fill(daemon, n):
    """So many records, of a factor that is given away and back."""
    with daemon.varlink() as varlink:
        for i in range(n):
            varlink.call("SetOwner", name="push", owner=i)


@pytest.fixture
def held(daemon):
    return enroll_push(daemon)


def test_what_is_recorded(daemon, held, sandbox):
    """Who decided what, and what became of it; no text of the provider's."""
    asked = ask_push(daemon, held, message="Wire 10 EUR", fields={"To": "Mallory"})
    approve(daemon, asked)
    denied = ask_push(daemon, held)
    deny(daemon, denied)
    call(daemon, "SetOwner", name="push", owner=os.getuid())
    assert records(daemon)[-1]["reason"] == f"it belongs to uid {os.getuid()} now"
    call(daemon, "Import", data="otpauth://totp/Git:a?secret=GEZDGNBVGY3TQOJQ&issuer=Git")
    call(daemon, "Remove", name="push")
    found = records(daemon)
    assert [r["event"] for r in found] == [
        *("enrolled", "decision", "outcome", "decision", "outcome", "owner", "import", "removed")
    ]
    assert [r["id"] for r in found] == list(range(1, 9))
    decision, outcome = found[1:3]
    assert decision["challenge"] == asked["sid"] and decision["digest"] == asked["digest"]
    assert (decision["verb"], decision["door"], decision["uid"]) == ("approve", "socket", os.getuid())
    assert outcome["outcome"] == "approved" and outcome["decision"] == decision["decision"]
    assert decision["rule"] is decision["reason"] is None
    assert len(decision["policy"]) == 64
    database = b"".join(p.read_bytes() for p in daemon.state_directory.glob("factord.db*"))
    assert b"Mallory" in database  # kept apart, not in the trail:
    assert "Mallory" not in json.dumps(found)
    # The same on stderr, a line a record, once it is committed.
    lines = re.findall(r"factord: audit (\d+): (.*)", daemon.stderr)
    assert [int(n) for n, _ in lines] == list(range(1, 9))
    assert lines[1][1] == (
        f"decision approve, factor push, challenge {asked['sid']}, by uid {os.getuid()}, behind the socket"
    )
    assert "10 EUR" not in daemon.stderr

    text = daemon.ctl("log", "-n", "7").out.splitlines()[0]
    assert re.fullmatch(
        rf"2 20\S+Z decision approve factor=push challenge={asked['sid']} policy=[0-9a-f]{{12}} uid={os.getuid()} door=socket", text
    )


def test_wrong_confirmation(make_daemon, sandbox):
    """While a factor cools down: what was typed to approve and was wrong is a refusal."""
    daemon = make_daemon(sandbox, {"Prompt": {"Budget": "1/1h"}})
    held = enroll_push(daemon)
    ask_push(daemon, held)
    asked = ask_push(daemon, held, message="Another")
    assert challenge(daemon, asked["sid"])["confirm"] == "sid"
    assert call_error(daemon, "Approve", **shown(asked)).name == "InvalidParameter"
    assert call_error(daemon, "Approve", **shown(asked), confirm="????").name == "InvalidParameter"
    refused = wait_for(lambda: records(daemon, "--event", "refused"), what="the refusal")
    assert [(r["challenge"], r["reason"]) for r in refused] == [(asked["sid"], "Approve with a wrong confirm")]
    assert "alarm" in events(daemon)


def test_filters(daemon, held):
    first = ask_push(daemon, held)
    approve(daemon, first)
    other = enroll_push(daemon, "other", "other-0001")
    second = ask_push(daemon, other)
    deny(daemon, second)
    assert events(daemon, "--factor", "push") == ["enrolled", "decision", "outcome"]
    assert events(daemon, "--factor", other["sid"]) == ["enrolled", "decision", "outcome"]
    assert events(daemon, "--factor", "nobody") == []
    assert [r["verb"] for r in records(daemon, "--event", "decision")] == ["approve", "deny"]
    assert events(daemon, "--challenge", second["sid"]) == ["decision", "outcome"]
    assert events(daemon, "--challenge", first["sid"][:16]) == ["decision", "outcome"]
    assert [r["id"] for r in records(daemon, "-n", "2")] == [5, 6]
    assert [r["id"] for r in records(daemon, "--event", "outcome", "--lines", "1")] == [6]
    assert len(records(daemon, "-n", "99")) == 6 and records(daemon, "-n", "0") == []
    assert len(records(daemon, "--since", "1h")) == 6
    assert len(records(daemon, "--since", "2020-01-01T00:00:00Z")) == 6
    assert records(daemon, "--since", "2100-01-01T00:00:00Z") == []
    with daemon.varlink() as varlink:
        after = [r["record"] for r in varlink.stream("ReadAudit", after=4)]
    assert [r["id"] for r in after[:-1]] == [5, 6] and after[-1] is None
    for wrong in ({"limit": -1}, {"after": -1}, {"challenge": "YC1"}):
        with daemon.varlink() as varlink:
            varlink.send("ReadAudit", wrong, more=True)
            error = varlink.receive()
        assert error["error"].endswith("InvalidParameter"), wrong
        assert error["parameters"]["parameter"] == next(iter(wrong))
    assert "--since wants a date" in daemon.ctl("log", "--since", "soon", check=2).err
    assert "takes no --follow" in daemon.ctl("log", "--verify", "--follow", check=2).err


def test_long_trail(daemon, held):
    """More than is read at once, and than a socket takes at once."""
    fill(daemon, 1300)
    assert [r["id"] for r in records(daemon)] == list(range(1, 1302))
    assert [r["id"] for r in records(daemon, "-n", "1200")] == list(range(102, 1302))
    assert "1301 records, the last is 1301" in verify(daemon)


def test_slow_reader(daemon, held):
    """Who reads slowly is waited for, and then told what came meanwhile: each once, in order."""
    fill(daemon, 1500)
    with daemon.varlink() as slow:
        slow.send("ReadAudit", {"follow": True}, more=True)
        fill(daemon, 200)  # nothing is read meanwhile
        ids = [slow.reply()["record"]["id"] for _ in range(1701)]
        assert ids == list(range(1, 1702))
        fill(daemon, 1)
        assert slow.reply()["record"]["id"] == 1702


def test_follow(daemon, held):
    ctl = daemon.popen_ctl("log", "--follow", "--json", "--event", "decision", stdout=subprocess.PIPE)
    try:
        for _ in range(2):
            asked = ask_push(daemon, held)
            approve(daemon, asked)
            record = json.loads(ctl.stdout.readline())
            assert record["challenge"] == asked["sid"] and record["verb"] == "approve"
        daemon.terminate()
        assert ctl.wait(20) == 1
    finally:
        ctl.kill()
        ctl.communicate()
    daemon.start()


TAMPERING = {
    "UPDATE audit SET verb = 'deny' WHERE id = 2": "record 2 was changed",
    "UPDATE audit SET uid = 0, door = 'bus' WHERE id = 4": "record 4 was changed",
    # What SQLite reads as what was there, and other programs do not.
    "UPDATE audit SET uid = uid || 'x' WHERE id = 2": "record 2 was changed",
    "UPDATE audit SET uid = uid + 0.5 WHERE id = 3": "record 3 was changed",
    "UPDATE audit SET factor = factor || char(0) || 'x' WHERE id = 4": "record 4 was changed",
    "UPDATE audit SET event = CAST(event AS BLOB) WHERE id = 5": "record 5 was changed",
    "DELETE FROM audit WHERE id = 3": "record 3 is missing",
    "DELETE FROM audit WHERE id = 1": "record 1 is missing",
    """UPDATE audit SET id = 99 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 4;
       UPDATE audit SET id = 4 WHERE id = 99""": "record 2 was moved",
    """UPDATE audit SET id = 6 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 4;
       INSERT INTO audit SELECT 4, time, uid, 'owner', factor, challenge, decision, digest, verb, rule,
       outcome, reason, door, mac, policy, layout FROM audit WHERE id = 1""": "record 4 was put in",
    "DELETE FROM audit WHERE id >= 4": "record 4 is missing, with all that came after",
    "DELETE FROM audit": "record 1 is missing, with all that came after",
    "UPDATE audit_checkpoint SET id = 3 WHERE name = 'head'; DELETE FROM audit WHERE id > 3": "a checkpoint was",
    "DELETE FROM audit_checkpoint": "a checkpoint was",
}


def test_tampering(daemon, held, tmp_path):
    """What is done to the file of a daemon that does not run: it starts, and says which record it was."""
    for _ in range(2):
        approve(daemon, ask_push(daemon, held))
    assert "5 records, the last is 5" in verify(daemon)
    daemon.terminate()
    shutil.copytree(daemon.state_directory, tmp_path / "good")
    for script, found in TAMPERING.items():
        sql(daemon, script)
        daemon.start()
        said = verify(daemon, check=1)
        assert f"the audit trail was tampered with: {found}" in said, script
        document = json.loads(daemon.ctl("log", "--verify", "--json", check=1).out)
        row = re.match(r"record (\d+)", found)
        assert found in document["problem"] and document["row"] == (row and int(row[1]))
        daemon.kill()
        shutil.rmtree(daemon.state_directory)
        shutil.copytree(tmp_path / "good", daemon.state_directory)

    # What came after a cut does not cover it, nor does the next checkpoint.
    sql(daemon, "DELETE FROM audit WHERE id >= 4")
    daemon.start()
    assert "record 4 is missing" in daemon.ctl_json("status")["problems"][0]
    approve(daemon, ask_push(daemon, held))
    daemon.restart()
    assert "record 4 is missing" in verify(daemon, check=1)
    assert [r["id"] for r in records(daemon)] == [1, 2, 3, 6, 7]


def test_tampering_while_it_runs(daemon, held):
    """What a check found stands in status until another finds all as it was."""
    fill(daemon, 3)
    sql(daemon, "UPDATE audit SET uid = 7 WHERE id = 2")
    assert "record 2 was changed" in verify(daemon, check=1)
    assert "record 2 was changed" in daemon.ctl_json("status")["problems"][0]
    sql(daemon, f"UPDATE audit SET uid = {os.getuid()} WHERE id = 2")
    assert "4 records, the last is 4" in verify(daemon)
    assert daemon.ctl_json("status")["problems"] == []


def test_witnesses(daemon, held):
    """Heads that somebody noted are compared; those of other stores are not."""
    fill(daemon, 4)
    daemon.terminate()
    with contextlib.closing(sqlite3.connect(daemon.state_directory / "factord.db")) as connection:
        rows = dict(connection.execute("SELECT id, hex(mac) FROM audit"))
    daemon.start()
    verdict = call(daemon, "VerifyAudit", witnesses=[{"store": ZEROS, "id": 3, "head": 64 * "0"}])
    assert verdict["problem"] is None and verdict["witnessed"] == 0
    assert verdict["head"] == rows[5].lower() and verdict["length"] == verdict["last"] == 5
    for wrong in ([{"id": 1}], [1], "x", 4097 * [{"store": ZEROS, "id": 3, "head": 64 * "0"}]):
        assert call_error(daemon, "VerifyAudit", witnesses=wrong).parameters["parameter"] == "witnesses"


def dropped(daemon):
    return call(daemon, "VerifyAudit")["dropped"]


def test_retention_by_size(make_daemon, sandbox):
    """The oldest go, what is left can be checked, and a challenge that is not over keeps its records."""
    daemon = make_daemon(sandbox, {"Audit": {"MaxSize": "8K"}})
    held = enroll_push(daemon)
    fill(daemon, 200)
    wait_for(lambda: dropped(daemon) >= 100, what="records to be dropped")
    daemon.restart()
    assert "older ones were dropped" in verify(daemon)
    kept = records(daemon)
    assert kept[-1]["id"] == 201 and kept[0]["id"] == dropped(daemon) + 1
    assert 40 < len(kept) < 80

    sandbox.fault("POST .*/Challenges/.*", status=503, times=1000)
    asked = ask_push(daemon, held)
    with daemon.varlink() as varlink:
        varlink.send("Approve", shown(asked))
        wait_for(lambda: events(daemon, "--challenge", asked["sid"]), what="the decision")
    fill(daemon, 200)
    assert "MaxSize=" in wait_for(lambda: daemon.ctl_json("status")["problems"], what="a problem")[0]
    assert events(daemon, "--challenge", asked["sid"]) == ["decision"]
    verify(daemon)


def test_retention_by_age(make_daemon, sandbox):
    daemon = make_daemon(sandbox, {"Audit": {"Retain": "1s"}})
    enroll_push(daemon)
    fill(daemon, 20)
    wait_for(lambda: dropped(daemon) == 21, what="all of them to be dropped")
    assert records(daemon) == []
    fill(daemon, 1)
    assert [r["id"] for r in records(daemon)] == [22]
    verify(daemon)
    daemon.restart()
    verify(daemon)


@pytest.mark.parametrize("offset", [5 * YEAR, 3600, -5 * YEAR])
def test_retention_and_a_wrong_clock(make_daemon, sandbox, make_wallclock, offset):  # noqa: F811
    """Nothing is dropped because this machine's clock is wrong."""
    clock = make_wallclock(offset)
    daemon = make_daemon(sandbox, env=clock.env)
    enroll_push(daemon)
    fill(daemon, 20)
    daemon.terminate()
    daemon.start()
    time.sleep(4)  # retention looks two seconds after the start, and then by the hour
    assert dropped(daemon) == 0 and len(records(daemon)) == 21
    assert "dropped" not in daemon.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="wants root to be other users")
def test_refusals(system):  # noqa: F811
    """What was refused is recorded, not without end; a stranger may not read of it."""
    enroll_push(system)
    stranger = User(system, STRANGER)
    answers = stranger.calls(*(40 * [("SetOwner", {"name": "push", "owner": STRANGER})]))
    assert {a["error"] for a in answers} == {"NotAuthorized"}
    assert User(system, STRANGER + 1).error("VerifyAudit") == "NotAuthorized"
    found = wait_for(lambda: len(r := records(system, "--event", "refused")) == 6 and r, what="refusals")
    assert {(r["uid"], r["outcome"], r["reason"], r["factor"], r["door"]) for r in found} == {
        (STRANGER, "NotAuthorized", "SetOwner", "push", "socket"),
        (STRANGER + 1, "NotAuthorized", "VerifyAudit", None, "socket"),
    }
    system.restart()
    last = records(system, "--event", "refused")[-1]
    assert last["uid"] == STRANGER and last["reason"].startswith("35 more in 1min")
    assert len(records(system, "--event", "refused")) == 7
    assert system.ctl("log", "--verify").err.count("not compared") == 1


@pytest.fixture(scope="module")
def readonly_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("readonly") / "readonly.so"
    source = Path(__file__).with_name("readonly.c")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-Wall", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def test_read_only_store(make_daemon, sandbox, readonly_library, tmp_path):
    """No record, no approval: nothing is sent, status says why, and it goes on when it can be written."""
    flag = tmp_path / "readonly"
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
    env = {"LD_PRELOAD": str(readonly_library), "READONLY": str(flag), "ASAN_OPTIONS": options}
    daemon = make_daemon(sandbox, env=env)
    held = enroll_push(daemon)
    asked = ask_push(daemon, held)
    other = ask_push(daemon, held)
    flag.touch()
    error = call_error(daemon, "Approve", **shown(asked))
    assert error.name == "StoreError" and "cannot be recorded" in error.parameters["message"]
    assert call_error(daemon, "Deny", **shown(other)).name == "StoreError"
    problems = daemon.ctl_json("status")["problems"]
    assert len(problems) == 1 and "file system must be writable" in problems[0]
    assert [r["event"] for r in records(daemon)] == ["enrolled"]
    assert sandbox.updates(asked["sid"]) == sandbox.updates(other["sid"]) == []
    assert challenge(daemon, asked["sid"])["state"] == "asking"
    flag.unlink()
    assert approve(daemon, asked)["state"] == "approved"
    assert daemon.ctl_json("status")["problems"] == []
    verify(daemon)
