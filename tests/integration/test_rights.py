# SPDX-License-Identifier: Apache-2.0
"""A system's daemon and its users: to those who have no right to a thing it does not exist."""

import grp
import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import Daemon, VarlinkError, wait_for
from process import TIMEOUT
from steps import ask_push, ask_totp, call, enroll_push, enroll_totp, shown, wait_state

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="wants root to be other users")

OWNER, STRANGER, GID = 61234, 61235, 61236
GROUP = next(g for g in ("daemon", "users", "mail") if any(g == e.gr_name for e in grp.getgrall()))

# Run by another user: calls from stdin, answers to stdout.
CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from varlink import Varlink, VarlinkError
answers = []
for method, parameters in json.load(sys.stdin):
    with Varlink(sys.argv[2]) as varlink:
        try:
            answers.append(varlink.call(method, **parameters))
        except VarlinkError as e:
            answers.append({"error": e.name, "parameters": e.parameters})
json.dump(answers, sys.stdout)
"""


class SystemDaemon(Daemon):
    def command(self, *arguments):
        return [self.build_dir / "daemon/factord", "--system", "--config", self.config_path, *arguments]


@pytest.fixture
def system(build_dir, sandbox, show_on_failure):
    """A system's daemon, on a socket that everybody may reach."""
    config = {"Daemon": {"Group": GROUP}}
    daemon = SystemDaemon(build_dir, sandbox, config, start=False)
    show_on_failure("factord", lambda: daemon.stderr)
    try:
        daemon.directory.chmod(0o755)
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


class User:
    """Somebody else, by the kernel's word."""

    def __init__(self, daemon, uid, *, gid=GID, groups=()):
        self.daemon = daemon
        # The copy is where others may read it, wherever the tests are.
        folder = Path(__file__).parent
        self.folder = daemon.directory / "client"
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        for name in ("varlink.py", "process.py"):
            (self.folder / name).write_text((folder / name).read_text())
            (self.folder / name).chmod(0o644)
        self.who = {"user": uid, "group": gid, "extra_groups": list(groups)}

    def calls(self, *calls):
        done = subprocess.run(
            ["/usr/bin/python3", "-B", "-c", CLIENT, self.folder, self.daemon.socket_path],
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            **self.who,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def call(self, method, **parameters):
        (answer,) = self.calls((method, parameters))
        assert "error" not in answer, answer
        return answer

    def error(self, method, **parameters):
        (answer,) = self.calls((method, parameters))
        assert "error" in answer, answer
        return answer["error"]


@pytest.fixture
def held(system):
    """A push factor that belongs to OWNER, and one of root's."""
    held = enroll_push(system, owner=OWNER)
    enroll_push(system, "roots", "roots-0001")
    return held


def administrative():
    whose = {"service_sid": "VA" + "0" * 32, "identity": "alice-001", "account": "main"}
    target = {"target": whose}
    return [
        ("EnrollPush", {"name": "mine", **whose}),
        ("EnrollTotp", {"name": "mine", **whose}),
        ("Import", {"data": "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"}),
        ("SetOwner", {"name": "push", "owner": STRANGER}),
        ("SetMatchField", {"name": "push", "field": "Number"}),
        ("Remove", {"name": "push", "local": True}),
        ("Poll", {}),
        ("ChallengeCreate", target),
        ("ChallengeFetch", {**target, "sid": "YC" + "0" * 32}),
        ("ChallengeList", target),
        ("ChallengeUpdate", {**target, "sid": "YC" + "0" * 32}),
        ("AccessTokenCreate", whose),
        ("VerifyAudit", {}),
    ]


def test_stranger(system, sandbox, held):
    """Sees nothing, may nothing, and learns from no error that there is something."""
    asked = ask_push(system, held)
    totp = enroll_totp(system)
    stranger = User(system, STRANGER)
    before = sandbox.last_seq()
    names = ("push", "roots", "totp", held["sid"], totp["sid"], "nobody")
    answers = stranger.calls(
        ("GetStatus", {}),
        ("ListFactors", {}),
        ("ListChallenges", {"all": True}),
        *(("ListFactors", {"name": name}) for name in names),
        *(("ListChallenges", {"factor": name}) for name in names),
        *(("GetCode", {"name": name}) for name in names),
        ("GetChallenge", {"sid": asked["sid"]}),
        ("GetChallenge", {"sid": asked["sid"][:12]}),
        ("Approve", shown(asked)),
        ("Deny", shown(asked)),
        ("Ignore", {"sid": asked["sid"]}),
        *administrative(),
    )
    status = answers[0]["status"]
    assert (status["factors"], status["pending"]) == (0, 0)
    assert status["accounts"] == [] and status["problems"] == []
    assert (status["sequence"], status["last_poll"]) == (0, None)
    assert answers[1:3] == [{"factors": []}, {"challenges": []}]
    rest = answers[3:]
    for n, name in enumerate(3 * names):
        assert rest[n]["error"] == "NoSuchFactor"
        assert rest[n]["parameters"] == {"name": name, "message": f"There is no factor {name}"}
    rest = rest[3 * len(names) :]
    assert [a["error"] for a in rest[:5]] == 5 * ["NoSuchChallenge"]
    assert [a["error"] for a in rest[5:]] == len(administrative()) * ["NotAuthorized"]
    assert not [r for r in sandbox.requests(since=before) if r["method"] == "POST"]
    assert call(system, "GetChallenge", sid=asked["sid"])["challenge"]["state"] == "asking"


def test_owner(system, sandbox, held):
    """Sees and decides about what is theirs, and no more."""
    asked = ask_push(system, held)
    owner = User(system, OWNER)
    seen = owner.call("GetStatus")["status"]["sequence"]
    roots = ask_push(system, call(system, "ListFactors", name="roots")["factors"][0])
    assert 0 < seen == owner.call("GetStatus")["status"]["sequence"]
    assert [f["name"] for f in owner.call("ListFactors")["factors"]] == ["push"]
    assert [c["sid"] for c in owner.call("ListChallenges")["challenges"]] == [asked["sid"]]
    status = owner.call("GetStatus")["status"]
    assert (status["factors"], status["pending"], status["accounts"]) == (1, 1, [])
    assert owner.call("Approve", **shown(asked))["challenge"]["state"] == "approved"
    assert sandbox.challenge(asked["sid"])["status"] == "approved"
    assert owner.error("Approve", **shown(roots)) == "NoSuchChallenge"
    assert owner.error("Deny", **shown(roots)) == "NoSuchChallenge"
    assert owner.error("Ignore", sid=roots["sid"]) == "NoSuchChallenge"
    answers = owner.calls(*administrative())
    assert [a["error"] for a in answers] == len(administrative()) * ["NotAuthorized"]


def test_owner_changes(system, sandbox, held):
    """From now on, also for what is already asked; and after a restart."""
    asked = ask_push(system, held)
    first, second = User(system, OWNER), User(system, STRANGER)
    call(system, "SetOwner", name="push", owner=STRANGER)
    assert first.call("ListFactors") == {"factors": []}
    assert first.error("Deny", **shown(asked)) == "NoSuchChallenge"
    system.restart()
    wait_state(system, asked["sid"], "asking")
    assert first.error("Deny", **shown(asked)) == "NoSuchChallenge"
    assert second.call("ListFactors")["factors"][0]["owner"] == STRANGER
    assert second.call("Deny", **shown(asked))["challenge"]["state"] == "denied"


def test_codes(system, sandbox):
    totp = enroll_totp(system, owner=OWNER)
    asked = ask_totp(system, totp)
    owner = User(system, OWNER)
    assert owner.call("GetCode", name="totp")["code"]
    assert owner.call("Ignore", sid=asked["sid"])["challenge"]["state"] == "ignored"
    assert User(system, STRANGER).error("GetCode", name="totp") == "NoSuchFactor"


@pytest.mark.parametrize("as_group", ["primary", "supplementary"])
def test_group(system, held, as_group):
    """A member of Group administers, by either kind of membership."""
    gid = grp.getgrnam(GROUP).gr_gid
    membership = {"gid": gid} if as_group == "primary" else {"groups": [gid]}
    member = User(system, STRANGER, **membership)
    asked = ask_push(system, held)
    assert len(member.call("ListFactors")["factors"]) == 2
    assert member.call("GetStatus")["status"]["accounts"][0]["name"] == "main"
    assert member.call("Approve", **shown(asked))["challenge"]["state"] == "approved"
    whose = {"service_sid": system.sandbox.service_sid, "identity": "carol-001", "account": "main"}
    mine = member.call("EnrollPush", name="mine", **whose)["factor"]
    assert mine["owner"] == STRANGER
    assert member.call("SetOwner", name="mine", owner=OWNER)["factor"]["owner"] == OWNER
    assert member.call("Remove", name="mine") == {}
    member.call("Poll")


def test_group_is_for_the_system(make_daemon, sandbox):
    """A user's daemon has no group: its members are strangers there."""
    daemon = make_daemon(sandbox, {"Daemon": {"Group": GROUP}})
    daemon.directory.chmod(0o755)
    daemon.socket_path.chmod(0o666)
    enroll_push(daemon)
    member = User(daemon, STRANGER, groups=[grp.getgrnam(GROUP).gr_gid])
    assert member.call("ListFactors") == {"factors": []}
    assert member.error("Poll") == "NotAuthorized"


def test_group_that_is_not_there(build_dir, sandbox):
    """A warning, and only root administers."""
    daemon = SystemDaemon(build_dir, sandbox, {"Daemon": {"Group": "no-such-group"}}, start=False)
    try:
        daemon.directory.chmod(0o755)
        daemon.start()
        assert "no-such-group" in daemon.stderr
        problems = call(daemon, "GetStatus")["status"]["problems"]
        assert any("no-such-group" in p for p in problems)
        assert User(daemon, STRANGER, gid=0).error("Poll") == "NotAuthorized"
    finally:
        daemon.stop()


def test_socket_modes(system):
    assert system.socket_path.stat().st_mode & 0o777 == 0o666
    assert system.state_directory.stat().st_mode & 0o777 == 0o700


def test_events_are_the_owners(system, sandbox, held):
    """A stream shows each what is theirs."""
    script = CLIENT.replace(
        "answers = []",
        "from varlink import Monitor\nm = Monitor(sys.argv[2], 0)\nprint('ready', flush=True)\n"
        "while True: print(json.dumps(m.next()), flush=True)\n",
    )
    watchers = {}
    for uid in (OWNER, STRANGER):
        user = User(system, uid)
        watchers[uid] = subprocess.Popen(
            ["/usr/bin/python3", "-B", "-c", script, user.folder, system.socket_path],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            **user.who,
        )
    try:
        for watcher in watchers.values():
            assert watcher.stdout.readline() == "ready\n"
        asked = ask_push(system, held)
        for wanted in ("factor", "challenge"):
            event = json.loads(watchers[OWNER].stdout.readline())
            assert event["type"] == wanted
            assert event[wanted]["sid"] == {"factor": held, "challenge": asked}[wanted]["sid"]
        call(system, "SetOwner", name="push", owner=STRANGER)
        # The first thing that a stranger hears of is what has become theirs.
        event = json.loads(watchers[STRANGER].stdout.readline())
        assert event["type"] == "factor" and event["factor"]["owner"] == STRANGER
    finally:
        for watcher in watchers.values():
            watcher.kill()
            watcher.communicate()


def served(system):
    """Whether one more connection gets an answer; else it is told why."""
    with system.varlink() as varlink:
        try:
            return bool(varlink.call("GetStatus"))
        except VarlinkError as e:
            assert e.name == "RateLimited" and "Too many connections" in e.parameters["message"]
            return False
        except ConnectionError:  # closed before the call was out
            return False


def test_connections_of_a_user(system):
    """Eight at once; a ninth is turned away, and one that ends makes room."""
    held = [system.varlink() for _ in range(8)]
    try:
        for varlink in held:
            assert varlink.call("GetStatus")
        assert not served(system)
        system.ctl("list", check=8)
        # Others are not in the way.
        assert User(system, STRANGER).call("GetStatus")
        held.pop().close()

        wait_for(lambda: served(system), what="room for another connection")
    finally:
        for varlink in held:
            varlink.close()
