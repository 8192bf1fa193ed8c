# SPDX-License-Identifier: Apache-2.0
"""What must hold over all lives of a daemon that is killed again and again: the provider's record,
the store and what clients were told, compared."""

import collections
import contextlib
import datetime
import hmac
import json
import re
import shutil
import sqlite3
import subprocess

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from harness import jws_bytes, verify_jws
from steps import FINAL

STATUS_OF = {"approve": "approved", "deny": "denied"}
AUDIT_TEXTS = "event factor challenge decision digest verb rule outcome reason door policy".split()
AUDIT_LABEL = b"factord store 1: audit"
TABLES = {
    "factor": "SELECT id, name, type, status, sid FROM factor",
    "challenge": "SELECT sid, state, final, reason FROM challenge",
    "decision": "SELECT id, challenge_sid, digest, factor_id, verb, made, voided FROM decision",
    "audit": "SELECT * FROM audit ORDER BY id",
    "code": "SELECT f.sid, c.step FROM code_sent c JOIN factor f ON f.id = c.factor_id",
}


def unix(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


class Store:
    """What the database of a daemon that is not running holds: its tables by name, lists of rows. A
    copy is read: the original stays as the crash left it."""

    def __init__(self, state_directory, scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(state_directory, scratch)
        self.key = (scratch / "store.key").read_bytes()
        with contextlib.closing(sqlite3.connect(scratch / "factord.db")) as connection:
            connection.row_factory = sqlite3.Row
            assert [r[0] for r in connection.execute("PRAGMA integrity_check")] == ["ok"]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            self.tables = {n: connection.execute(q).fetchall() for n, q in TABLES.items()}

    def __getitem__(self, table):
        return self.tables[table]

    def by(self, table, column):
        return {row[column]: row for row in self[table]}

    def audited(self, sid):
        """The events of a challenge in the audit trail, oldest first."""
        return [row["event"] for row in self["audit"] if row["challenge"] == sid]


class AuditTrail:
    """The chain of records, worked out anew: what was seen once stays, and what follows fits."""

    def __init__(self):
        self.head = (0, bytes(32))

    def check(self, store):
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=AUDIT_LABEL)
        key, (seen, mac) = kdf.derive(store.key), self.head
        rows = store["audit"]
        assert len(rows) >= seen, f"the audit trail shrank from {seen} records to {len(rows)}"
        assert seen == 0 or rows[seen - 1]["mac"] == mac, f"audit record {seen} was changed"
        for row in rows[seen:]:
            numbers = (row["id"], row["time"], row["uid"])
            text = mac + b"".join(n.to_bytes(8, "big", signed=True) for n in numbers)
            assert row["layout"] == 2, "a record of a store that an older version made"
            for name in AUDIT_TEXTS:
                raw = None if row[name] is None else row[name].encode()
                text += b"\0" if raw is None else b"\1" + len(raw).to_bytes(8, "big") + raw
            mac = hmac.digest(key, text, "sha256")
            assert row["mac"] == mac, f"the audit trail is broken at record {row['id']}"
        self.head = (len(rows), mac)


class Ledger:
    """Keeps what was seen, and complains with an AssertionError about what can't be."""

    def __init__(self, sandbox, daemon, scratch):
        self.sandbox, self.daemon, self.scratch = sandbox, daemon, scratch
        self.audit = AuditTrail()
        self.store = None
        self.last_seq = 0
        self.answers = collections.defaultdict(list)  # challenge SID: requests, as recorded
        self.codes = collections.defaultdict(list)  # factor SID: codes sent, whatever for
        self.decisions = {}  # by id, as they were seen first
        self.ends = {}  # challenge SID: final state
        self.told = {}  # challenge SID: what a client was told that it came to
        self.elsewhere = set()  # challenges that somebody else answered
        self.started = sandbox.state()["clock"]["now"]
        self.counts = collections.Counter()

    def note_told(self, sid, state):
        assert self.told.setdefault(sid, state) == state, f"{sid}: {self.told[sid]}, then {state}"
        self.counts["told"] += 1

    # What the provider has.

    def collect(self):
        """Takes the server's record over, often enough: its log has an end."""
        self.state = self.sandbox.state()
        self.there = {c["sid"]: c for c in self.state["challenges"]}
        self.factors_there = {f["sid"]: f for f in self.state["factors"]}
        for request in self.state["requests"]:
            if request["seq"] > self.last_seq:
                assert request["seq"] == self.last_seq + 1, "the server's log overflowed"
                self.last_seq = request["seq"]
                self._take_request(request)

    def _take_request(self, request):
        found = re.search(r"/(Challenges|Factors)/(\w+)$", request["path"])
        if request["method"] != "POST" or not found:
            return
        kind, sid = found.groups()
        parameters = dict(request["params"])
        if kind == "Challenges":
            self.answers[sid].append(parameters)
            self.counts["answers"] += 1
            sid = self.there[sid]["factor_sid"]
        payload = parameters.get("AuthPayload", "")
        if payload.isdigit():
            self.codes[sid].append(payload)

    # After a crash.

    def check(self):
        """All that holds at any time. The daemon must not be running."""
        self.collect()
        self.store = Store(self.daemon.state_directory, self.scratch)
        self.audit.check(self.store)
        self._check_decisions()
        for sid, challenge in self.there.items():
            self._check_provider(sid, challenge)
        for row in self.store["challenge"]:
            self._check_row(row)
        for sid, state in self.told.items():
            self._check_told(sid, state)
        self.counts["under way"] += sum(
            row["state"] in ("answering", "submitted") for row in self.store["challenge"]
        )

    def _check_decisions(self):
        now = {row["id"]: tuple(row) for row in self.store["decision"]}
        for decision, row in self.decisions.items():
            found = now.get(decision)
            assert found == row, f"decision {decision} is {found}, was {row}"
        for row in self.store["decision"]:
            assert row["voided"] is None, f"{row['challenge_sid']} was voided, it never changed"
        self.decisions = now
        self.verbs = {row["challenge_sid"]: row for row in self.store["decision"]}

    def _check_provider(self, sid, challenge):
        """Nothing was sent that was not decided, and nothing was taken twice."""
        sent, decision = self.answers.get(sid, []), self.verbs.get(sid)
        assert challenge["updates"] <= 1, f"{sid} was answered twice"
        for answer in sent:
            metadata = json.loads(answer["Metadata"])
            assert decision and metadata["decision"] == decision["id"], f"{sid}: sent, not decided"
            assert decision["verb"] in STATUS_OF
            if challenge["factor_type"] == "push":
                payload = json.loads(jws_bytes(answer["AuthPayload"])[1])
                assert payload["status"] == STATUS_OF[decision["verb"]] and payload["sid"] == sid
        if challenge["updates"] == 1 and sid not in self.elsewhere:
            assert challenge["status"] == STATUS_OF[decision["verb"]]
            assert challenge["metadata"]["decision"] == decision["id"]
        if challenge["factor_type"] == "push" and sid not in self.elsewhere:
            handled = challenge["auth_payloads"]
            assert len(handled) == challenge["updates"], f"{sid}: repeated blindly: {handled}"

    def _check_row(self, row):
        sid, state, there = row["sid"], row["state"], self.there[row["sid"]]
        before = self.ends.get(sid)
        assert before in (None, state), f"{sid} ended as {before}, and now is {state}"
        assert state != "failed", f"{sid} failed: {row['reason']}"
        assert row["final"] == (state in FINAL)
        if not row["final"]:
            decided = self.verbs.get(sid)
            assert bool(decided) == (state in ("answering", "submitted")), f"{sid} is {state}"
            return
        self.ends[sid] = state
        if state in ("approved", "denied"):
            assert there["updates"] == 1 and STATUS_OF[self.verbs[sid]["verb"]] == state
        elif state == "superseded":
            assert sid in self.elsewhere, f"{sid} is superseded, nobody else answered it"
        else:
            assert there["updates"] == 0, f"{sid} is {state}, the provider took an answer"
            assert state != "ignored" or not self.answers.get(sid)

    def _check_told(self, sid, state):
        there = self.there[sid]
        row = self.verbs.get(sid)
        assert row, f"{sid}: a client was told {state}, and no decision is there"
        if state == "ignored":
            assert row["verb"] == "ignore" and there["updates"] == 0
            return
        assert STATUS_OF[row["verb"]] == state and there["updates"] == 1
        assert sid in self.elsewhere or there["status"] == state

    # After a start.

    def check_restored(self, listed):
        """What was open when it crashed is there again, decided or not. listed: the challenges of
        ListChallenges, final ones too."""
        now = {challenge["sid"]: challenge["state"] for challenge in listed}
        for row in self.store["challenge"]:
            sid, state = row["sid"], now.get(row["sid"])
            if row["final"]:
                assert state in (None, row["state"]), f"{sid} was {row['state']}, is {state}"
                continue
            assert state and state != "failed", f"{sid} was {row['state']}, is {state}"
            decided = sid in self.verbs
            assert not decided or state not in ("asking", "deciding"), f"{sid}: forgotten"
            assert not decided or state != "ignored"

    # At the end.

    def check_end(self, sids):
        """Everything has ended, and both records agree one by one. The daemon is not running."""
        self.check()
        rows = self.store.by("challenge", "sid")
        self.counts["challenges"] += len(sids)
        for sid in sids:
            status = self.there[sid]["status"]
            if sid not in rows:
                assert status != "pending" and not self.answers.get(sid), f"{sid} was lost"
                self.counts["never seen"] += 1
                continue
            state = rows[sid]["state"]
            assert state in FINAL, f"{sid} is {state}"
            if state in ("approved", "denied"):
                assert sid in self.elsewhere or status == state
            elif state == "superseded":
                assert status in ("approved", "denied")
            elif state == "expired":
                assert status == "expired"
            assert self.store.audited(sid) == ["decision"] * (sid in self.verbs) + ["outcome"]
            self.counts[state] += 1
        self._check_codes()
        self._check_signatures()

    def _check_codes(self):
        """Each code was the right one of some step, each step's was sent once, and each step that
        was sent is on record."""
        recorded = {(row["sid"], row["step"]) for row in self.store["code"]}
        for sid, codes in self.codes.items():
            factor = self.factors_there.get(sid)
            if not factor:
                continue
            period = factor["config"]["time_step"]
            steps = self._steps(factor["secret"], period, len(codes[0]))
            taken = [steps.get(code) for code in codes]
            assert None not in taken, f"a code of {sid} fits no step"
            twice = [step for step, n in collections.Counter(taken).items() if n > 1]
            assert not twice, f"the codes of {sid} were sent twice in the steps {twice}"
            assert {(sid, step) for step in taken} <= recorded, f"codes of {sid} are not on record"
            self.counts["codes"] += len(codes)

    def _steps(self, secret, period, digits):
        """What oathtool says of the time of this run: code to step."""
        command = ["oathtool", "--totp=sha1", "-b", "-d", str(digits), "-s", f"{period}s"]
        first = unix(self.started) // period - 1
        window = unix(self.state["clock"]["now"]) // period + 1 - first
        done = subprocess.run(
            [*command, "-N", f"@{first * period}", "-w", str(window), "-"],
            input=secret.encode(),
            capture_output=True,
            check=True,
            timeout=20,
        )
        return {code: first + i for i, code in enumerate(done.stdout.decode().split())}

    def _check_signatures(self):
        """Every answer of a push factor was signed by that factor, says another library."""
        for sid, answers in self.answers.items():
            challenge = self.there[sid]
            if challenge["factor_type"] != "push":
                continue
            key = self.factors_there[challenge["factor_sid"]]["public_key"]
            for answer in answers:
                verify_jws(key, answer["AuthPayload"])
                self.counts["signatures"] += 1

    def check_factors(self, told, may_be_left):
        """told: names of enrolments that clients were told of. may_be_left: names whose unverified
        rests the provider may keep."""
        here = {row["name"]: row for row in self.store["factor"]}
        for name in told:
            assert name in here, f"{name} was enrolled, and is gone"
        for name, row in here.items():
            assert row["status"] == "verified", f"{name} is {row['status']}"
            assert self.factors_there[row["sid"]]["status"] == "verified"
        held = {row["sid"] for row in here.values()}
        for sid, factor in self.factors_there.items():
            if sid not in held:
                name = factor["friendly_name"]
                assert name in may_be_left and factor["status"] == "unverified", f"{name} dangles"
