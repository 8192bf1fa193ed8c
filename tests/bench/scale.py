# SPDX-License-Identifier: Apache-2.0
"""How one daemon bears many factors and many challenges, against the sandbox.

The store lies on disk, as a user's does; factors are enrolled through the daemon's socket. What is
printed is measured, not asserted: it depends on the machine, and on what else it does.
"""

import collections
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from harness import Daemon, Sandbox, VarlinkError, wait_for

RATE = 1000  # [Api] RequestsPerSecond
INTERVAL, IDLE_INTERVAL = "3s", "5s"
CONNECTIONS = 6  # of the eight that a user may have
WATCHED = 20  # challenges
CHALLENGES_MAX = 9000  # of one factor: the daemon keeps a tenth of its 10,000 places for others
POLL_LINE = re.compile(r"^GET (/v2/Services/\w+/Entities/[^/]+/Challenges) 200 ", re.MULTILINE)
FAILURES = (
    *(OSError, RuntimeError, AssertionError, EOFError, VarlinkError),
    subprocess.SubprocessError,
)
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Polls(threading.Thread):
    """Notes when the sandbox answered a list request, by its path, from the sandbox's own log."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.times = collections.defaultdict(list)
        self.end = threading.Event()
        self.start()

    def run(self):
        rest = ""
        with open(self.path, errors="replace") as log:
            while not self.end.wait(0.01):
                now = time.monotonic()
                text = rest + log.read()
                cut = text.rfind("\n") + 1
                rest = text[cut:]
                for path in POLL_LINE.findall(text[:cut]):
                    self.times[path].append(now)

    def between(self, start, end):
        """The times in that span, of each path."""
        return {p: [t for t in list(ts) if start <= t <= end] for p, ts in list(self.times.items())}


class Scene:
    """A sandbox, a daemon, and the processor time and memory that they use."""

    def __init__(self, build_dir, config):
        self.build_dir = build_dir
        self.directory = Path(tempfile.mkdtemp(prefix="factord-bench-"))
        self.sandbox = Sandbox(build_dir, self.directory, "--no-rate-limits", "--verbose")
        self.polls = Polls(self.sandbox.process.stderr_path)
        self.daemon = Daemon(build_dir, self.sandbox, config)

    def close(self):
        self.daemon.close()
        self.polls.end.set()
        self.polls.join()
        self.sandbox.close()
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)

    def processor_seconds(self, process):
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return TICK * (int(fields[11]) + int(fields[12]))

    def resident(self):
        """The daemon's memory, in bytes."""
        text = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return 1024 * int(re.search(r"^VmRSS:\s+(\d+)", text, re.MULTILINE)[1])

    def status(self):
        with self.daemon.varlink() as v:
            return v.call("GetStatus")["status"]


@contextmanager
def scene(build_dir, idle="1h"):
    s = Scene(build_dir, config(idle))
    try:
        yield s
    finally:
        s.close()


def config(idle):
    return {
        "Api": {"RequestsPerSecond": RATE},
        "Poll": {"Interval": INTERVAL, "IdleInterval": idle},
    }


def say(name, value, unit="", digits=1):
    text = value if isinstance(value, str) else f"{value:,.{digits}f}"
    print(f"  {name:48} {text:>30} {unit}", flush=True)


def spread(name, values, unit):
    """The least, the median, the 99th percentile and the greatest."""
    values = sorted(values)
    if not values:
        say(name, "none")
        return
    p99 = values[min(len(values) - 1, int(0.99 * len(values)))]
    found = (values[0], statistics.median(values), p99, values[-1])
    say(name, " / ".join(f"{v:,.2f}" for v in found), f"{unit}  (min / median / p99 / max)")


def megabytes(n):
    return n / 1e6


def timed(function, *arguments):
    start = time.monotonic()
    function(*arguments)
    return time.monotonic() - start


# Enrolment.


def enrol(s, calls):
    """Makes the calls, (method, parameters) each, over a few connections. Returns the seconds."""
    waiting, failures = iter(calls), []
    lock = threading.Lock()

    def work():
        try:
            with s.daemon.varlink() as v:
                while True:
                    with lock:
                        call = next(waiting, None)
                    if call is None or failures:
                        return
                    v.call(call[0], **call[1])
        except Exception as e:  # what it was is told by the main thread
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise RuntimeError(f"enrolling: {failures[0]}")
    return time.monotonic() - start


def calls_of(s, kind, n, per_identity):
    method = {"push": "EnrollPush", "totp": "EnrollTotp"}[kind]
    for i in range(n):
        yield method, {
            "name": f"{kind}-{i:05}",
            "service_sid": s.sandbox.service_sid,
            "identity": identity(kind, i // per_identity),
            "account": "main",
        }


def identity(kind, i):
    return f"{kind}-user-{i:05}"


# Measuring.


def restart(s, n, empty):
    """The same store under the configuration that is measured."""
    s.daemon.terminate()
    s.daemon.configure(config(IDLE_INTERVAL))
    start = time.monotonic()
    s.daemon.start()
    say("start with these factors, to READY=1", time.monotonic() - start, "s", 2)
    resident = s.resident()
    say("memory at READY=1", megabytes(resident), "MB")
    say("memory a factor at READY=1", (resident - empty) / n, "bytes", 0)
    return start


def steady(s, n, n_targets, empty, started):
    """A span in which all goes its way. Returns the requests a second."""
    wait_for(
        lambda: sum(ts[-1] > started for ts in list(s.polls.times.values())) >= n_targets,
        120,
        "a first poll of each factor",
    )
    say("until each was polled once", time.monotonic() - started, "s")
    status = s.status()
    effective = status.get("effective_idle_interval_ms", status["idle_interval_ms"]) / 1000
    time.sleep(1.1 * effective)  # the first interval is a part of one, by intent
    start, used = time.monotonic(), s.processor_seconds(s.daemon)
    used_sandbox = s.processor_seconds(s.sandbox.process)
    time.sleep(max(2.5 * effective, 10))
    end = time.monotonic()
    used = s.processor_seconds(s.daemon) - used
    used_sandbox = s.processor_seconds(s.sandbox.process) - used_sandbox
    times = s.polls.between(start, end)
    n_polls = sum(map(len, times.values()))
    gaps = [b - a for ts in times.values() for a, b in zip(ts, ts[1:])]
    resident = s.resident()
    say("requests a second", n_polls / (end - start), "1/s")
    say("effective idle interval, by status", effective, "s", 2)
    spread("interval of each factor, by the sandbox", gaps, "s")
    say("not polled twice in the span", sum(len(ts) < 2 for ts in times.values()), "targets", 0)
    say("daemon's processor", 100 * used / (end - start), "%")
    say("sandbox's processor", 100 * used_sandbox / (end - start), "%")
    say("memory, steady", megabytes(resident), "MB")
    say("memory a factor, steady", (resident - empty) / n, "bytes", 0)
    beside_libcurl(s, list(times), n_polls / (end - start), 1e6 * used / n_polls)


def beside_libcurl(s, paths, rate, ours):
    """The same requests at the same rate by libcurl alone, while the daemon goes on."""
    urls = "".join(f"{s.sandbox.url}{p}?PageSize=100&Status=pending&Order=asc\n" for p in paths)
    command = [s.build_dir / "tests/bench/bench-poll", str(rate), "5"]
    command += [f"{s.sandbox.account_sid}:{s.sandbox.auth_token}"]
    out = subprocess.run(command, input=urls, capture_output=True, text=True, check=True).stdout
    theirs = {name: float(value) for name, value in map(str.split, out.splitlines())}
    if theirs["failed"]:
        raise RuntimeError(f"bench-poll: {theirs['failed']:.0f} requests failed")
    say("daemon's processor time a poll", ours, "us", 0)
    say("libcurl's alone a request", theirs["cpu_us"], "us", 0)
    say("daemon: libcurl alone", f"{ours / theirs['cpu_us']:.2f}x")


def commands(s):
    """What a person waits for while all is polled."""
    ctl = s.daemon.ctl
    spread("factorctl status", [1000 * timed(ctl, "status") for _ in range(10)], "ms")
    spread("factorctl list", [1000 * timed(ctl, "list") for _ in range(3)], "ms")


def challenges(s, kind, n, per_identity):
    """From a challenge's creation to the daemon's word of it, and how long its approval takes."""
    held = {f["name"]: f for f in s.daemon.factors()}
    step = max(n // WATCHED, 1)
    names = [f"{kind}-{i:05}" for i in range(0, n, step)][:WATCHED]
    create = s.sandbox.create_push_challenge if kind == "push" else s.sandbox.create_totp_challenge
    created, found = {}, {}
    with s.daemon.monitor() as monitor:
        for name in names:
            f = held[name]
            sid = create(f["identity"], f["sid"])["sid"]
            created[sid] = time.monotonic()
        while len(found) < len(created):
            event = monitor.next(120)
            c = event.get("challenge")
            if c and c["state"] == "asking" and c["sid"] in created and c["sid"] not in found:
                found[c["sid"]] = (time.monotonic() - created[c["sid"]], c["digest"])
    spread("from a challenge's creation to its discovery", [t for t, _ in found.values()], "s")
    with s.daemon.varlink() as v:
        spans = [
            1000 * timed(lambda: v.call("Approve", sid=sid, digest=digest))
            for sid, (_, digest) in found.items()
        ]
    spread("an approval, to its confirmation", spans, "ms")


def measure(build_dir, n, parts):
    """parts: (kind, factors, factors an identity)."""
    with scene(build_dir) as s:
        empty = s.resident()
        took, n_targets = 0, 0
        for kind, count, per_identity in parts:
            span = enrol(s, calls_of(s, kind, count, per_identity))
            say(f"enrolling {count:,} {kind} factors", span, "s")
            say("  a second", count / span, "1/s")
            took += span
            n_targets += count if kind == "push" else -(-count // per_identity)
        started = restart(s, n, empty)
        steady(s, n, n_targets, empty, started)
        commands(s)
        for kind, count, per_identity in parts:
            challenges(s, kind, count, per_identity)
        s.daemon.terminate()


# Many challenges of one factor.


def create_challenges(s, f, n):
    """Makes them as a backend does. The sandbox's own speed is no matter here."""
    start = time.monotonic()
    for i in range(n):
        s.sandbox.create_push_challenge(
            *(f["identity"], f["sid"], "Sign in?"),
            fields=[("IP", f"192.0.2.{i % 250}"), ("Number", str(i))],
            hidden={"request": str(i)},
            expires_in=3600,
        )
    say(f"making {n:,} challenges at the sandbox", time.monotonic() - start, "s")


def held(build_dir, n):
    with scene(build_dir) as s:
        enrol(s, calls_of(s, "push", 1, 1))
        factor, before = s.daemon.factor("push-00000"), s.resident()
        s.daemon.terminate()  # else it would take them up as they come
        create_challenges(s, factor, n)
        start = time.monotonic()
        s.daemon.start()
        wait_for(lambda: s.status()["pending"] >= n, 300, "all challenges to be held")
        span = time.monotonic() - start
        say("start, and taking them up", span, "s")
        say("  processor time a challenge", 1e6 * s.processor_seconds(s.daemon) / n, "us", 0)
        resident = s.resident()
        say("memory", megabytes(resident), "MB")
        say("memory a challenge", (resident - before) / n, "bytes", 0)
        used, start = s.processor_seconds(s.daemon), time.monotonic()
        time.sleep(15)
        share = (s.processor_seconds(s.daemon) - used) / (time.monotonic() - start)
        say(f"daemon's processor while they wait, Interval={INTERVAL}", 100 * share, "%")
        spread("factorctl pending", [1000 * timed(s.daemon.ctl, "pending") for _ in range(3)], "ms")
        with s.daemon.varlink() as v:
            waiting = [c for r in v.stream("ListChallenges") for c in r["challenges"]][:WATCHED]
            spans = [
                1000 * timed(lambda: v.call("Approve", sid=c["sid"], digest=c["digest"]))
                for c in waiting
            ]
        spread("an approval, to its confirmation", spans, "ms")
        start = time.monotonic()
        s.daemon.terminate()
        say("end", time.monotonic() - start, "s", 2)
        start = time.monotonic()
        s.daemon.start()
        say("start with them in the store, to READY=1", time.monotonic() - start, "s", 2)
        s.daemon.terminate()


def run(build_dir, n):
    """Prints all of it, for n factors and challenges. Returns whether all could be measured."""
    n_small, n_held = min(n, 100), min(n, CHALLENGES_MAX)
    cases = [
        (
            f"{n:,} push factors, each polled by its own key",
            lambda: measure(build_dir, n, [("push", n, 1)]),
        ),
        (
            f"{n:,} TOTP factors of {-(-n // 5):,} identities, a request for five",
            lambda: measure(build_dir, n, [("totp", n, 5)]),
        ),
        (
            f"{n_small} factors of both types",
            lambda: measure(
                build_dir, n_small, [("totp", n_small // 2, 5), ("push", n_small - n_small // 2, 1)]
            ),
        ),
        (f"{n_held:,} challenges of one factor", lambda: held(build_dir, n_held)),
    ]
    print(
        f"\nMany at once: RequestsPerSecond={RATE}, Interval={INTERVAL}, "
        f"IdleInterval={IDLE_INTERVAL}, the store on disk, {os.cpu_count()} processors"
    )
    good = True
    for title, case in cases:
        print(title, flush=True)
        start = time.monotonic()
        try:
            case()
        except FAILURES as e:
            say("not measured", str(e))
            good = False
        say("all of this took", time.monotonic() - start, "s")
    return good
