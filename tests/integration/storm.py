# SPDX-License-Identifier: Apache-2.0
"""A daemon that is kept busy by everyone at once, and killed at random moments."""

import collections
import random
import select
import time

from harness import TIME_SCALE, VarlinkError, rfc3339, wait_for
from invariants import Ledger
from steps import FINAL, call, enroll_push, enroll_totp, push_parameters, shown

PERIOD = 20
CLIENTS = 5
SETTLED = 90 * TIME_SCALE
CONFIG = {
    "Poll": {"Interval": "100ms", "IdleInterval": "100ms"},
    "Api": {"RequestsPerSecond": "1000"},
}

# What will become of a challenge, as far as this side has a say, and how often.
PLANS = {
    "approve": 10,
    "deny": 5,
    "both": 3,  # two clients at once, each of another mind
    "ignore": 2,
    "elsewhere": 2,
    "race": 2,  # elsewhere, and by a client
    "expire": 2,
}
VERBS = {
    "approve": ("Approve",),
    "deny": ("Deny",),
    "both": ("Approve", "Deny"),
    "ignore": ("Ignore",),
    "race": ("Approve",),
}

# What passes: none of it may end a challenge.
FAULTS = (
    {"cut": "before"},
    {"cut": "after"},
    {"cut": "after", "delay_ms": 30},
    {"status": 429, "headers": {"Retry-After": "1"}, "body": '{"status":429,"code":20429}'},
    {"status": 429, "body": "{}"},
    {"status": 500, "body": "<html>"},
    {"status": 503, "body": "{}"},
    {"status": 502, "body": "", "delay_ms": 20},
    {"status": 200, "body": '{"sid":'},
    {"delay_ms": 40},
    {"delay_ms": 80},
)
FAULTY = (
    "GET .*/Challenges/YC.*",
    "POST .*/Challenges/YC.*",
    "GET .*/Challenges",
    "POST .*/Factors.*",
)

# How a decision may be refused here: it came too late, or was one of two.
EXCUSES = ("AlreadyAnswered", "Expired", "Unconfirmed")


class Client:
    """A connection with at most one call under way."""

    def __init__(self, daemon):
        self.varlink = daemon.varlink()
        self.call = None

    def fileno(self):
        return self.varlink.socket.fileno()

    def ask(self, method, parameters, **call):
        self.call = {"method": method, **call}
        self.varlink.send(method, parameters)

    def take(self):
        """The reply that is there, or None; EOFError when the daemon is gone."""
        if b"\0" not in self.varlink.buffer:
            if not select.select([self], [], [], 0)[0]:
                return None
            data = self.varlink.socket.recv(65536)
            if not data:
                raise EOFError
            self.varlink.buffer += data
            if b"\0" not in self.varlink.buffer:
                return None
        try:
            return self.varlink.reply()
        except VarlinkError as e:
            return e

    def close(self):
        self.varlink.close()


class Storm:
    """One daemon, one folder, many lives. The seed makes the choices; which moments they hit, the
    machine decides as well."""

    def __init__(self, daemon, sandbox, scratch, seed):
        self.daemon, self.sandbox, self.rng = daemon, sandbox, random.Random(seed)
        self.ledger = Ledger(sandbox, daemon, scratch)
        self.held = [enroll_push(daemon, f"push-{i}", f"alice-00{i // 2}") for i in range(6)]
        self.held += [
            enroll_totp(daemon, f"totp-{i}", f"bobby-00{i // 3}", period=PERIOD) for i in range(6)
        ]
        self.plans = {}  # challenge SID: what is to become of it
        self.of = {}  # challenge SID: its factor's name
        self.open = {}  # challenge SID: what is asked in this life
        self.unasked = collections.defaultdict(list)  # challenge SID: what is still to be said
        self.enrolling, self.enrolled, self.by_token = {}, set(), set()
        self.clients, self.monitor = [], None

    # The others: the backend, the network.

    def create(self):
        plan = self.rng.choices(list(PLANS), PLANS.values())[0]
        held = self.rng.choice(self.held)
        if held["type"] == "totp":
            open_ones = (name for sid, name in self.of.items() if sid not in self.ledger.ends)
            if held["name"] in open_ones:
                return
            plan = {"deny": "approve", "both": "approve"}.get(plan, plan)
        life = self.rng.choice([1.5, 2.5]) if plan == "expire" else 600
        fields = {"ExpirationDate": rfc3339(time.time() + life + 1)}
        if held["type"] == "push":
            fields["Details.Message"] = f"No. {len(self.plans)}"
        made = self.sandbox.create_challenge(held["identity"], held["sid"], fields)
        sid = made["sid"]
        self.plans[sid], self.of[sid] = plan, held["name"]
        self.unasked[sid] = list(VERBS.get(plan, ()))
        self.rng.shuffle(self.unasked[sid])

    def answer_elsewhere(self):
        sids = [
            sid
            for sid, plan in self.plans.items()
            if plan in ("elsewhere", "race")
            and sid not in self.ledger.elsewhere
            and sid not in self.ledger.ends
        ]
        if sids:
            sid = self.rng.choice(sids)
            self.ledger.elsewhere.add(sid)
            status = "approved" if self.of[sid].startswith("totp") else "denied"
            self.sandbox.change_challenge(sid, status=status, metadata={"decision": "another's"})

    def go_wrong(self):
        self.sandbox.fault(self.rng.choice(FAULTY), **self.rng.choice(FAULTS))

    # The clients.

    def connect(self):
        self.clients = [Client(self.daemon) for _ in range(CLIENTS)]
        self.monitor = Client(self.daemon)
        self.monitor.varlink.send("Monitor", {"since": 0}, more=True)
        self.open = {}

    def idle(self):
        return [client for client in self.clients if not client.call]

    def decide(self, sids=None):
        """Some client says something about a challenge that is asked about."""
        waiting = [sid for sid in sids or self.open if self.unasked[sid]]
        idle = self.idle()
        if not waiting or not idle:
            return False
        sid = self.rng.choice(waiting)
        method = self.unasked[sid].pop()
        parameters = {"sid": sid} if method == "Ignore" else shown(self.open[sid])
        idle[0].ask(method, parameters, sid=sid)
        if self.unasked[sid] and len(idle) > 1:
            idle[1].ask(self.unasked[sid].pop(), shown(self.open[sid]), sid=sid)
        return True

    def enroll(self):
        idle = self.idle()
        if self.enrolling or not idle:
            return
        name = f"more-{len(self.enrolled) + len(self.by_token)}-{self.rng.getrandbits(32):08x}"
        kind, more = self.rng.choice(["Push", "Totp", "Token"]), {}
        identity = "carol-" + name
        if kind == "Totp":
            more = {"period": PERIOD}
        elif kind == "Token":
            kind, more = "Push", {"access_token": self.sandbox.access_token(identity)}
            self.daemon.canaries.append(more["access_token"])
            self.by_token.add(name)
        self.enrolling[name] = identity
        parameters = push_parameters(self.daemon, name, identity, **more)
        idle[0].ask("Enroll" + kind, parameters, name=name)

    def hear(self, client):
        """Takes one reply of a client's."""
        reply, asked = client.take(), client.call
        if reply is None:
            return False
        client.call = None
        refused = isinstance(reply, VarlinkError)
        if "name" in asked:
            self.enrolling.pop(asked["name"], None)
            if not refused:
                self.enrolled.add(asked["name"])
                self.held.append(reply["factor"])
        elif not refused:
            self.ledger.note_told(asked["sid"], reply["challenge"]["state"])
        else:
            assert reply.name in EXCUSES, f"{asked}: {reply}"
        return True

    def watch(self):
        event = self.monitor.take()
        if not event:
            return False
        assert not isinstance(event, VarlinkError), event
        challenge = event["event"].get("challenge")
        if challenge and challenge["state"] == "asking" and challenge["sid"] in self.plans:
            self.open[challenge["sid"]] = challenge
        elif challenge:
            self.open.pop(challenge["sid"], None)
        return True

    def listen(self, timeout):
        everyone = [self.monitor, *(client for client in self.clients if client.call)]
        for client in select.select(everyone, [], [], timeout)[0]:
            while self.watch() if client is self.monitor else client.call and self.hear(client):
                pass

    def hang_up(self):
        """What had been said before the crash counts; the rest never will be."""
        for client in self.clients:
            try:
                while client.call and self.hear(client):
                    pass
            except (EOFError, ConnectionError):
                pass
            if client.call and "sid" in client.call:
                # Decided or not: that client doesn't know, and another may say it again.
                self.unasked[client.call["sid"]].append(client.call["method"])
            client.close()
        self.enrolling.clear()
        if self.monitor:
            self.monitor.close()
        self.clients, self.monitor = [], None

    # Lives.

    def be_busy(self, seconds):
        end = time.monotonic() + seconds
        acts = (self.create, self.decide, self.answer_elsewhere, self.go_wrong, self.enroll)
        while (left := end - time.monotonic()) > 0:
            self.rng.choices(acts, (10, 40, 3, 6, 0.5))[0]()
            self.listen(min(left, self.rng.uniform(0, 0.006)))

    def live(self):
        """From a start to the crash: in the middle of the start, of the rush, or of an answer."""
        if self.rng.random() < 0.1:
            self.daemon.spawn()
            self.pause(0.06)
            self.daemon.kill()
            return
        self.daemon.start()
        self.connect()
        if self.ledger.store:
            self.ledger.check_restored(self.listed())
        if self.rng.random() < 0.1:
            self.all_shown()
        self.be_busy(self.rng.uniform(0, 0.3) * TIME_SCALE)
        if self.rng.random() < 0.5:
            while self.decide():
                pass
            self.pause(0.02)
        self.daemon.kill()
        self.hang_up()

    def pause(self, most):
        """A random moment is what is meant here, not that something has happened."""
        time.sleep(self.rng.uniform(0, most) * TIME_SCALE)

    def listed(self):
        return call(self.daemon, "ListChallenges", all=True)["challenges"]

    def all_shown(self):
        """Everything that is pending at the provider is shown, unless it was ignored."""
        self.sandbox.clear_faults()
        call(self.daemon, "Poll")

        def missing():
            self.ledger.collect()
            shown_now = {c["sid"] for c in self.listed()}
            there = self.ledger.there.items()
            return [sid for sid, c in there if c["status"] == "pending" and sid not in shown_now]

        wait_for(lambda: not missing(), what=lambda: f"{missing()} to be shown")

    def run(self, kills, progress=lambda n: None):
        """progress(n) is called after the n-th crash and its checks."""
        self.daemon.terminate()
        for n in range(1, kills + 1):
            self.live()
            if self.rng.random() < 0.3:
                self.create()
                self.answer_elsewhere()
            self.ledger.check()
            progress(n)
        self.settle()

    # The end.

    def settle(self):
        """Nothing goes wrong any more: everything is decided, ends, and is compared."""
        self.sandbox.clear_faults()
        self.daemon.start()
        self.connect()
        for sid, plan in self.plans.items():
            self.unasked[sid] = list(VERBS.get(plan, ()))
            if plan == "elsewhere" and sid not in self.ledger.elsewhere:
                self.unasked[sid] = ["Approve"]
        call(self.daemon, "Poll")
        wait_for(
            self.all_over, SETTLED, lambda: f"{self.unfinished()} and {self.enrolments()} to end"
        )
        self.hang_up()
        self.daemon.terminate()
        self.ledger.check_end(self.plans)
        secrets = (f.get("secret") for f in self.ledger.factors_there.values())
        self.daemon.canaries += [secret for secret in secrets if secret]
        self.ledger.check_factors(self.enrolled, self.by_token)

    def all_over(self):
        self.listen(0.01)
        self.ledger.collect()
        while self.decide():
            pass
        return not self.unfinished() and not self.enrolments()

    def enrolments(self):
        """What is neither verified nor gone yet."""
        held = call(self.daemon, "ListFactors")["factors"]
        return {f["name"]: f["status"] for f in held if f["status"] in ("enrolling", "unverified")}

    def unfinished(self):
        """What has not ended here. What was over before it was ever seen here never will."""
        states = {c["sid"]: c["state"] for c in self.listed()}
        return {
            sid: states.get(sid)
            for sid in self.plans
            if sid not in self.ledger.ends
            and states.get(sid) not in FINAL
            and (sid in states or self.ledger.there[sid]["status"] == "pending")
        }
