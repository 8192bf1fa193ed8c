# SPDX-License-Identifier: Apache-2.0
"""Many factors, many challenges, little room: whose turn it is, and that everyone's comes."""

import collections
import itertools
import random
import time

import pytest

from harness import TIME_SCALE, oath_code, rfc3339, verify_jws, wait_for
from recorder import Recorder
from steps import Asked, call, challenge, push_parameters, shown

PERIOD = 20
PLENTY = {"RequestsPerSecond": "1000", "MaxConcurrentRequests": "32"}
SELDOM = {"Interval": "10min", "IdleInterval": "10min"}


class Load:
    """A daemon behind a recorder. held: its factors, in no order that means anything."""

    def __init__(self, make_daemon, sandboxes):
        self.sandboxes = sandboxes
        self.recorder = Recorder(*sandboxes)
        self.held = []
        self.daemon = make_daemon(sandboxes[0], start=False)
        for i, sandbox in enumerate(sandboxes[1:], 1):
            self.daemon.write_secret(f"password-{i}", sandbox.auth_token + "\n")
            self.daemon.canaries.append(sandbox.auth_token)
        self.daemon.configure(self.config({}, SELDOM))
        self.daemon.start()

    def config(self, api, poll):
        sections = {"Api": {"BaseUrl": self.recorder.url, **PLENTY, **api}, "Poll": poll}
        for i, sandbox in enumerate(self.sandboxes[1:], 1):
            sections[f"Account more-{i}"] = {
                "AccountSid": sandbox.account_sid,
                "PasswordFile": self.daemon.directory / f"password-{i}",
            }
        return sections

    def restart(self, api, poll=SELDOM, meanwhile=None):
        """Starts it anew with another configuration, and the record, too."""
        self.daemon.terminate()
        self.daemon.configure(self.config(api, poll))
        if meanwhile:
            meanwhile()
        self.recorder.clear()
        self.daemon.start()

    def hold(self):
        """While it does not run: nothing of its last run is counted among what waits."""
        wait_for(lambda: self.recorder.in_flight == 0, what="the last requests' end")
        self.recorder.hold()

    def enroll(self, n, kind="Push", sandbox=None, account="main", **more):
        """As fast as some clients can."""
        sandbox, start = sandbox or self.sandboxes[0], len(self.held)
        names = [(f"{kind.lower()}-{i}", f"alice-{i:05}") for i in range(start, start + n)]
        more.update(service_sid=sandbox.service_sid, account=account)
        for batch in itertools.zip_longest(*[iter(names)] * 6):
            clients = [
                Asked(self.daemon, "Enroll" + kind, **push_parameters(self.daemon, *pair, **more))
                for pair in batch
                if pair
            ]
            for client in clients:
                with client:
                    self.held.append(client.answer()["factor"])
        return self.held[start:]

    def create(self, helds, offset=0):
        """A challenge of each, a second apart; the last one is created now (offset seconds ahead of
        the machine's clock). Returns the SIDs, oldest first."""
        sids, sandbox = [], self.sandboxes[0]
        expires = rfc3339(time.time() + 1800)
        for i, held in enumerate(helds, 1):
            sandbox.clock(offset + i - len(helds))
            fields = {"ExpirationDate": expires}
            if held["type"] == "push":
                fields["Details.Message"] = f"No. {i}"
            sids.append(sandbox.create_challenge(held["identity"], held["sid"], fields)["sid"])
        return sids

    def listed(self):
        return call(self.daemon, "ListChallenges")["challenges"]

    def wait_asked(self, sids):
        """All are asked about; returns them as the daemon lists them."""

        def asked():
            there = [c for c in self.listed() if c["state"] == "asking"]
            return there if {c["sid"] for c in there} >= set(sids) else None

        return wait_for(asked, what=f"{len(sids)} questions")

    def approve(self, challenges):
        """Decides on all of them without waiting for what becomes of them."""
        for batch in itertools.zip_longest(*[iter(challenges)] * 6):
            clients = [Asked(self.daemon, "Approve", **shown(c)) for c in batch if c]
            for c in batch:
                if c:
                    wait_for(lambda sid=c["sid"]: challenge(self.daemon, sid)["state"] != "asking")
            for client in clients:
                client.__exit__()

    def about(self, method):
        """The SIDs of the challenges that were asked for, in this order."""
        return [
            e.path.rpartition("/")[2]
            for e in list(self.recorder.exchanges)
            if e.method == method and "/Challenges/" in e.path
        ]

    def status(self):
        return call(self.daemon, "GetStatus")["status"]

    def rounds(self, n):
        """Waits until every target was polled so often, and returns when, by target."""

        def polled():
            times = collections.defaultdict(list)
            for e in self.recorder.lists():
                times[e.path].append(e.came)
            everyone = len(times) == len(self.held)
            return times if everyone and min(map(len, times.values())) >= n else None

        return wait_for(polled, 60 * TIME_SCALE, f"{n} rounds")


@pytest.fixture
def make_load(make_daemon, make_sandbox):
    made = []

    def make(n_sandboxes=1):
        sandboxes = [make_sandbox("--no-rate-limits") for _ in range(n_sandboxes)]
        made.append(Load(make_daemon, sandboxes))
        return made[-1]

    yield make
    for load in made:
        load.recorder.let_go()
        load.daemon.terminate()
        load.recorder.close()


@pytest.fixture
def load(make_load):
    return make_load()


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]


def most_in(window, times):
    """How many of the times lie in the fullest window."""
    times, most, first = sorted(times), 0, 0
    for last, t in enumerate(times):
        while times[first] <= t - window:
            first += 1
        most = max(most, last - first + 1)
    return most


# Answers.


@pytest.mark.parametrize("n_totp", [0, 8], ids=["push", "push and totp"])
@pytest.mark.parametrize("order", ["oldest first", "at random"])
def test_200_challenges(load, order, n_totp):
    """All at once, of 50 factors: each is answered, once, by its own factor, oldest first."""
    push = load.enroll(50 - n_totp)
    totp = load.enroll(n_totp, "Totp", period=PERIOD)
    helds = push * 4 + push[: 3 * n_totp] + totp  # a code a period: one question a TOTP factor
    assert len(helds) == 200
    random.shuffle(helds)
    sids, sandbox = [], load.sandboxes[0]
    # A period later: the enrolments' codes were of another step.
    load.restart(
        {"MaxConcurrentRequests": "1"}, meanwhile=lambda: sids.extend(load.create(helds, PERIOD))
    )
    asked = sorted(load.wait_asked(sids), key=lambda c: c["created"])
    if order == "at random":
        random.shuffle(asked)
    load.recorder.hold()
    load.approve(asked)
    (first,) = load.about("GET")
    assert load.about("POST") == []
    load.recorder.let_go()
    wait_for(lambda: not load.listed(), 60 * TIME_SCALE, "all answers")

    is_totp = {f["sid"] for f in totp}
    assert sorted(load.about("POST")) == sorted(sids)
    of_push = [sid for sid, held in zip(sids, helds) if held["sid"] not in is_totp]
    assert [sid for sid in load.about("POST") if sid in set(of_push)] == of_push
    fetched = list(dict.fromkeys(load.about("GET")))
    assert fetched == [first, *(sid for sid in sids if sid != first)]
    check_answers(sandbox, sids, helds)


def check_answers(sandbox, sids, helds):
    state = sandbox.state()
    there = {c["sid"]: c for c in state["challenges"]}
    factors = {f["sid"]: f for f in state["factors"]}
    for sid, held in zip(sids, helds):
        c, f = there[sid], factors[held["sid"]]
        assert (c["status"], c["updates"], c["factor_sid"]) == ("approved", 1, held["sid"])
        (payload,) = [p["auth_payload"] for p in c["auth_payloads"]]
        if held["type"] == "push":
            assert verify_jws(f["public_key"], payload)[1]["sid"] == sid
        else:
            when = f["last_step"] * PERIOD
            assert payload == oath_code(f["secret"], when=when, period=PERIOD)


def test_pending_begins_with_the_oldest(load):
    """Whatever order they were found in, and however old their factors are."""
    helds = load.enroll(8) * 3
    random.shuffle(helds)
    sids = []
    load.restart({}, meanwhile=lambda: sids.extend(load.create(helds)))
    assert [c["sid"] for c in load.wait_asked(sids)] == sids
    assert [c["sid"] for c in load.daemon.pending()] == sids


def test_budget_goes_to_the_oldest(load):
    """The same where the budget holds them back, and not a slow server."""
    sids = []
    helds = load.enroll(20) * 3
    load.restart({"RequestsPerSecond": str(int(40 / TIME_SCALE))}, meanwhile=lambda: sids.extend(load.create(helds)))
    asked = load.wait_asked(sids)
    random.shuffle(asked)
    load.approve(asked)
    decided = time.monotonic()
    wait_for(lambda: not load.listed(), 60 * TIME_SCALE, "all answers")
    late = [
        e.path.rpartition("/")[2]
        for e in load.recorder.exchanges
        if e.came > decided and e.method == "POST" and "/Challenges/" in e.path
    ]
    # The older one's answer overtakes the younger one's, unless that was fetched before.
    assert len(late) > 20
    assert sum(a > b for a, b in itertools.pairwise(map(sids.index, late))) <= 1
    assert sorted(load.about("POST")) == sorted(sids)
    check_answers(load.sandboxes[0], sids, helds)


def test_polls_do_not_delay_an_answer(load):
    """Five hundred polls wait for a small budget: an answer waits for its own two requests alone."""
    helds = load.enroll(520)
    sids = []
    load.restart({}, meanwhile=lambda: sids.extend(load.create(helds[300:303])))
    asked = load.wait_asked(sids)
    load.restart({"RequestsPerSecond": "20"})
    wait_for(lambda: len(load.recorder.lists()) > 5, what="some polls")
    (polling,) = load.status()["polling"]
    assert polling["targets"] == 520 and polling["waiting"] > 400
    for c in asked:
        before = time.monotonic()
        assert call(load.daemon, "Approve", **shown(c))["challenge"]["state"] == "approved"
        fetch, update = [e for e in load.recorder.exchanges if e.path.endswith(c["sid"])]
        # While one of the two waits no poll goes before it: but for one that had left already.
        waits = ((before, fetch.came), (fetch.went, update.came))
        polls = [e for e in load.recorder.lists() for start, end in waits if start < e.came < end]
        assert len(polls) <= 2
    assert load.status()["polling"][0]["waiting"] > 300


# Limits.


@pytest.mark.parametrize("most", [1, 2, 8])
def test_requests_in_flight(load, most):
    """With polls and answers waiting at a server that does not reply: so many, no more; a part is
    kept for answers."""
    helds = load.enroll(40)
    sids = []
    load.restart({}, meanwhile=lambda: sids.extend(load.create(helds[:6])))
    asked = load.wait_asked(sids)
    load.restart({"MaxConcurrentRequests": str(most)}, meanwhile=load.hold)
    recorder = load.recorder
    polls = 1 if most <= 2 else 3 * most // 4
    wait_for(lambda: recorder.in_flight >= polls, what="polls in flight")
    assert {e.path for e in recorder.exchanges} == {e.path for e in recorder.lists()}
    clients = [Asked(load.daemon, "Approve", **shown(c)) for c in asked]
    wait_for(lambda: recorder.in_flight >= most, what="requests in flight")
    load.recorder.let_go()
    for client in clients:
        with client:
            assert client.answer()["challenge"]["state"] == "approved"
    load.rounds(1)
    assert recorder.most_in_flight == most


@pytest.mark.parametrize("n_accounts", [1, 2])
def test_requests_per_second(make_load, n_accounts):
    """An account's budget is its own, and no second sees more than it."""
    rate, n, load = 20, 100, make_load(n_accounts)
    for i, sandbox in enumerate(load.sandboxes):
        load.enroll(n // 2, sandbox=sandbox, account=f"more-{i}" if i else "main")
        load.enroll(n // 2, "Totp", sandbox=sandbox, account=f"more-{i}" if i else "main")
    load.restart({"RequestsPerSecond": str(rate)}, {"Interval": "100ms", "IdleInterval": "100ms"})
    enough = 4 * rate * n_accounts
    wait_for(lambda: len(load.recorder.exchanges) >= enough, 20 * TIME_SCALE, "four seconds' requests")
    assert len(load.status()["polling"]) == n_accounts
    for sandbox in load.sandboxes:
        times = [e.came for e in load.recorder.exchanges if e.service == sandbox.service_sid]
        assert most_in(1, times) <= rate * 1.1 + 2
        assert len(times) >= 3 * rate


# Rounds.


def test_nothing_starves(load):
    """A factor with an open question is polled often, and takes no other one's turn."""
    n, rate = 100, 50
    busy = load.enroll(n + 1)[n // 2]
    sids = []
    load.restart(
        {"RequestsPerSecond": str(rate)},
        {"Interval": "100ms", "IdleInterval": "1s"},
        meanwhile=lambda: sids.extend(load.create([busy])),
    )
    load.wait_asked(sids)
    effective = load.status()["effective_idle_interval_ms"] / 1000
    assert effective >= (n + 1) / rate
    times = load.rounds(4)
    often = next(times.pop(path) for path in list(times) if busy["sid"] in path)
    assert len(often) > 3 * max(map(len, times.values()))
    # From its second poll on: before that, rounds find their phases.
    for polled in times.values():
        assert max(gaps(polled[1:])) < 1.6 * effective * TIME_SCALE


def test_interval_stretches(load):
    """A round that does not fit the budget takes longer: status says how long, and it is so."""
    n, rate = 150, 75
    load.enroll(n)
    load.restart(
        {"RequestsPerSecond": str(rate)}, {"Interval": "100ms", "IdleInterval": "500ms"}
    )
    status = load.status()
    effective = status["effective_idle_interval_ms"] / 1000
    (polling,) = status["polling"]
    assert polling["account_sid"] == load.sandboxes[0].account_sid
    assert polling["targets"] == n and polling["error"] is None
    assert polling["effective_idle_interval_ms"] == status["effective_idle_interval_ms"]
    assert effective >= n / rate and status["idle_interval_ms"] == 500
    measured = [gap for times in load.rounds(4).values() for gap in gaps(times[1:4])]
    assert abs(sum(measured) / len(measured) - effective) <= 0.3 * effective * TIME_SCALE


def test_interval_as_configured(load):
    """Where there is room for a round, nothing stretches."""
    load.enroll(10)
    load.restart({}, {"Interval": "100ms", "IdleInterval": "500ms"})
    assert load.status()["effective_idle_interval_ms"] == 500
    measured = [gap for times in load.rounds(4).values() for gap in gaps(times[1:4])]
    assert 0.45 <= sum(measured) / len(measured) <= 0.65 * TIME_SCALE


def test_phases(load):
    """What started together does not stay together: an interval's polls are spread over it."""
    interval = int(3 * TIME_SCALE)
    load.enroll(200)
    load.restart({}, {"Interval": "100ms", "IdleInterval": f"{interval}s"})
    second = [times[1] for times in load.rounds(2).values()]
    third = [times[2] for times in load.rounds(3).values()]
    for times in (second, third):
        assert most_in(interval / 10, times) <= 0.3 * len(times)
