# SPDX-License-Identifier: Apache-2.0
"""A daemon whose provider fails: what holds for every fault, checked in one place.

No wrong answer, no lost decision, no double answer, no leak, no busy loop; the log says it once and
without the provider's words; the factor stays what it was, and all goes on when the fault is over."""

import contextlib
import json
import os
import re
import time

import pytest

from harness import TIME_SCALE, TIMEOUT, WRAPPER, Daemon, Sandbox, wait_for
from hostile import Hostile, Mode
from steps import (
    Asked,
    approve,
    call,
    challenge,
    deny,
    enroll_push,
    factor,
    factors,
    shown,
    wait_reason,
    wait_state,
)

# Stands in all that a fault makes up: the provider's words may be shown, but not logged.
CANARY = "provider's-own-words"
LIST = "GET .*/Challenges"
CREATE = "POST .*/Factors"
VERIFY = "POST .*/Factors/YF.*"
# Long enough for a loop without pauses to make a hundred requests.
WINDOW = 0.15 * TIME_SCALE
REQUESTS_MAX = 12
# A loop that waits for nothing takes a whole processor; a few megabytes under a sanitizer, a third.
CPU_MAX = WINDOW * 2 / 3
# Beside the challenges' states: that it fails and that it works again, for a factor and for all.
LOG_LINES_MAX = 4
STATE_LINE = re.compile(r"Challenge YC[0-9a-f]{32} of factor \w+: [a-z]+$|factord: audit \d+: ")
MEMORY_MAX = 48 << 20
SOCKETS_MORE = 3


def fetch_of(sid):
    return f"GET .*/Challenges/{sid}"


def update_of(sid):
    return f"POST .*/Challenges/{sid}"


class Vitals:
    """What a process holds and has used."""

    def __init__(self, pid):
        self.files, self.sockets = [], 0
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith("socket:"):
                    self.sockets += 1
                else:
                    self.files.append(target)
        self.files.sort()
        with open(f"/proc/{pid}/status") as status:
            self.memory = 1024 * int(re.search(r"VmRSS:\s*(\d+)", status.read())[1])
        with open(f"/proc/{pid}/stat") as stat:
            ticks = stat.read().rpartition(")")[2].split()[11:13]
        self.cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class Scene:
    """Attributes: sandbox, server (between the two), daemon, push (a factor). clean: whether the last
    test left it as it found it."""

    def __init__(self, build_dir, directory, config=None):
        self.sandbox = Sandbox(build_dir, directory)
        self.server = self.daemon = None
        self.clean = True
        try:
            self.server = Hostile(self.sandbox)
            self.daemon = Daemon(build_dir, self.sandbox, self.configuration(config or {}))
            self.daemon.canaries.append(CANARY)
            self.push = enroll_push(self.daemon)
        except BaseException:
            self.close()
            raise

    def configuration(self, config):
        sections = {
            # A budget would hide a loop.
            "Api": {"BaseUrl": self.server.url, "RequestsPerSecond": "10000"},
            "Poll": {"Interval": "100ms", "IdleInterval": "100ms"},
        }
        for section, keys in config.items():
            sections.setdefault(section, {}).update(keys)
        return sections

    def stop(self):
        try:
            self.server.close()
            self.daemon.stop()
            self.sandbox.stop()
        finally:
            self.close()

    def close(self):
        for thing in (self.daemon, self.server, self.sandbox):
            if thing:
                thing.close()

    # Steps.

    def create(self, held=None, message="Sign in?", **more):
        held = held or self.push
        return self.sandbox.create_push_challenge(held["identity"], held["sid"], message, **more)

    def ask(self, held=None, message="Sign in?", **more):
        made = self.create(held, message, **more)
        call(self.daemon, "Poll")
        return wait_state(self.daemon, made["sid"], "asking")

    def strike(self, match, fault, times=1_000_000):
        """A fault is a function of an exchange, or a Mode of the whole server."""
        return fault.begin(self.server, match, times)

    def clear(self):
        """The fault is over: the daemon, too, is told not to wait any longer."""
        self.server.clear()
        call(self.daemon, "Poll")

    def held(self, name="push"):
        return factor(self.daemon, name)

    # What must hold.

    @contextlib.contextmanager
    def unharmed(self, log_lines=LOG_LINES_MAX):
        """Round a fault, from before it to after its end."""
        assert self.clean
        self.clean = False
        before, logged = Vitals(self.daemon.pid), len(self.daemon.stderr)
        known = {f["name"]: f["status"] for f in factors(self.daemon)}
        yield
        self.clear()
        self.wait_well(known)
        self._check_log(logged, log_lines)
        self._check_held(before)
        self._check_answers()
        assert not self.server.trapped(), "a server that a reply named was contacted"
        self.clean = True

    def wait_well(self, known):
        def well():
            if {f["name"]: f["status"] for f in factors(self.daemon) if not f["error"]} == known:
                return True
            # A request that was under way may have failed since.
            call(self.daemon, "Poll")
            return False

        wait_for(well, what=lambda: f"factors without errors: {factors(self.daemon)}")

    def _check_log(self, start, log_lines):
        lines = self.daemon.stderr[start:].splitlines()
        said = [line for line in lines if not STATE_LINE.search(line)]
        assert len(said) <= log_lines, "\n".join(lines)
        self.daemon.check_logs()

    def _check_held(self, before):
        def same():
            now = Vitals(self.daemon.pid)
            return now.files == before.files and now.sockets <= before.sockets + SOCKETS_MORE

        wait_for(same, what=lambda: f"{before.files}: {Vitals(self.daemon.pid).files}")
        # Memory checkers keep what is freed: their builds run with more time, or in a wrapper.
        if TIME_SCALE == 1 and not WRAPPER:
            assert Vitals(self.daemon.pid).memory - before.memory < MEMORY_MAX

    def _check_answers(self):
        """Of everything that this server ever asked: the daemon's word and the server's are the same, and
        no answer was taken twice."""
        there = {c["sid"]: c for c in self.sandbox.state()["challenges"]}
        for shown_as in call(self.daemon, "ListChallenges", all=True)["challenges"]:
            record = there.get(shown_as["sid"])
            if record and shown_as["state"] in ("approved", "denied"):
                assert (record["status"], record["updates"]) == (shown_as["state"], 1)

    def endure(self, seconds=WINDOW):
        """While the fault lasts: few requests, next to no work, and whoever asks is answered."""
        since, before = self.server.mark(), Vitals(self.daemon.pid)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asked = time.monotonic()
            assert call(self.daemon, "GetStatus")["status"]["factors"] >= 1
            assert time.monotonic() - asked < TIMEOUT / 4
            time.sleep(seconds / 4)
        sent = self.server.requests(since=since)
        allowed = REQUESTS_MAX * seconds / WINDOW
        assert len(sent) <= allowed, [r.name for r in sent]
        assert Vitals(self.daemon.pid).cpu - before.cpu <= CPU_MAX * seconds / WINDOW

    def posts(self, sid):
        """The answers that were sent for it, arrived or not."""
        return self.server.requests(update_of(sid))

    def check_end(self, sid, status, posts=1):
        assert challenge(self.daemon, sid)["state"] == status
        there = self.sandbox.challenge(sid)
        assert (there["status"], there["updates"]) == (status, 1)
        assert len(self.posts(sid)) == posts
        decisions = {re.search(rb"decision[^&]*", r.body)[0] for r in self.posts(sid)}
        assert len(decisions) == 1


# A fault that passes, at each place.


def check_list(scene, fault):
    """Polls fail: what is held stays, it is shown, and what was asked meanwhile comes up later."""
    with scene.unharmed():
        asked = scene.ask()
        rule = scene.strike(LIST, fault)
        scene.server.wait_struck(rule)
        wait_for(lambda: scene.held()["error"], what="the poll's error")
        later = scene.create()
        scene.endure()
        assert scene.held()["status"] == "verified"
        assert challenge(scene.daemon, asked["sid"])["state"] == "asking"
        scene.clear()
        approve(scene.daemon, asked)
        deny(scene.daemon, wait_state(scene.daemon, later["sid"], "asking"))
        scene.check_end(asked["sid"], "approved")
        scene.check_end(later["sid"], "denied")


def check_fetch(scene, fault):
    """Nothing is signed; the decision stays, and is carried out when the fault is over."""
    with scene.unharmed():
        asked = scene.ask()
        rule = scene.strike(fetch_of(asked["sid"]), fault)
        with Asked(scene.daemon, "Approve", **shown(asked)) as waiting:
            scene.server.wait_struck(rule)
            scene.endure()
            assert wait_reason(scene.daemon, asked["sid"], ".")["state"] == "answering"
            assert scene.posts(asked["sid"]) == []
            scene.clear()
            assert waiting.answer()["challenge"]["state"] == "approved"
        scene.check_end(asked["sid"], "approved")


def begin_after(scene, match, mode):
    """The server goes away once it has answered such a request."""

    def act(exchange):
        exchange.send(exchange.forward().encode())
        mode.switch(scene.server)

    scene.server.strike(match, act, times=1)


def variants(fault):
    """The fault in place of the request's handling, and after it."""
    if not fault.genuine:
        yield False, fault
    if fault.reads:
        yield True, fault.applied()


def check_update(scene, fault):
    """A fetch tells whether the answer arrived: only what did not is sent again."""
    with scene.unharmed():
        if isinstance(fault, Mode):
            check_update_waits(scene, fault)
            return
        for applied, variant in variants(fault):
            verb, status = (deny, "denied") if applied else (approve, "approved")
            asked = scene.ask()
            scene.strike(update_of(asked["sid"]), variant, times=1)
            assert verb(scene.daemon, asked)["state"] == status
            scene.check_end(asked["sid"], status, posts=1 if applied else 2)
            assert len(scene.server.requests(fetch_of(asked["sid"]))) >= 2


def check_update_waits(scene, mode):
    asked = scene.ask()
    begin_after(scene, fetch_of(asked["sid"]), mode)
    with Asked(scene.daemon, "Approve", **shown(asked)) as waiting:
        wait_reason(scene.daemon, asked["sid"], ".")
        scene.endure()
        scene.clear()
        assert waiting.answer()["challenge"]["state"] == "approved"
    scene.check_end(asked["sid"], "approved")


def enrolling(scene):
    parameters = {"service_sid": scene.sandbox.service_sid, "identity": "carol-001"}
    return Asked(scene.daemon, "EnrollPush", name="new", account="main", **parameters)


def check_create(scene, fault, refusing):
    """A create is never repeated: a list tells whether it arrived, and if not nothing is left."""
    daemon, there = scene.daemon, len(scene.sandbox.state()["factors"])
    for applied, variant in variants(fault):
        if applied and refusing:
            return
        with scene.unharmed(log_lines=LOG_LINES_MAX + 2):
            since = scene.server.mark()
            scene.strike(CREATE, variant, times=1)
            with enrolling(scene) as waiting:
                answer = waiting.answer()
            if applied:
                assert answer["factor"]["status"] == "verified"
                call(daemon, "Remove", name="new")
            else:
                assert answer.name == "ApiError"
            assert [f["name"] for f in factors(daemon)] == ["push"]
            assert len(scene.sandbox.state()["factors"]) == there
            assert len(scene.server.requests(CREATE, since)) == (1 if fault.reads else 0)


def check_verify(scene, fault):
    """The proof's outcome is unknown: the factor is fetched, and goes on from there."""
    for applied, variant in variants(fault):
        with scene.unharmed():
            since = scene.server.mark()
            if isinstance(fault, Mode):
                begin_after(scene, CREATE, fault)
            else:
                scene.strike(VERIFY, variant, times=1)
            with enrolling(scene) as waiting:
                if isinstance(fault, Mode):
                    scene.endure()
                    scene.clear()
                held = waiting.answer()["factor"]
            assert held["status"] == "verified"
            assert scene.sandbox.factor(held["sid"])["status"] == "verified"
            assert len(scene.server.requests(CREATE, since)) == 1
            proofs = scene.server.requests(VERIFY, since)
            assert len(proofs) == (1 if applied or not fault.reads else 2)
            assert approve(scene.daemon, scene.ask(held))["state"] == "approved"
            call(scene.daemon, "Remove", name="new")


# Fixtures, for a module to import.


@pytest.fixture(scope="module")
def scenes(build_dir, tmp_path_factory):
    """Daemons that outlive a fault, so that the next one meets what the last one left."""
    made = {}

    def get(config):
        key = json.dumps(config)
        if key in made and not made[key].clean:
            made.pop(key).close()
        if key not in made:
            made[key] = Scene(build_dir, tmp_path_factory.mktemp("scene"), config)
        return made[key]

    yield get
    for scene in made.values():
        scene.stop() if scene.clean else scene.close()


@pytest.fixture
def get_scene(scenes, show_on_failure):
    def get(config=None):
        scene = scenes(config or {})
        start = len(scene.daemon.stderr)
        show_on_failure("factord", lambda: scene.daemon.stderr[start:])
        return scene

    return get


@pytest.fixture
def scene(get_scene):
    return get_scene()


@pytest.fixture
def own_scene(build_dir, tmp_path, show_on_failure):
    """A scene that may be left in any state: get(config)."""
    made = []

    def get(config=None):
        scene = Scene(build_dir, tmp_path, config)
        made.append(scene)
        show_on_failure("factord", lambda: scene.daemon.stderr)
        return scene

    yield get
    for scene in made:
        scene.stop()
