# SPDX-License-Identifier: Apache-2.0
"""The units as shipped, installed by meson, under a real systemd."""

import json
import re
import textwrap
from base64 import b64encode

import pytest

from container import Container
from harness import Sandbox, assert_no_secrets, assert_no_tokens, verify_jws, wait_for

# One machine, one worker.
pytestmark = pytest.mark.xdist_group("systemd")

DROP_IN = "/etc/factord/factord.conf.d/10-test.conf"
SOCKET = "/run/factord/factord.sock"
STORE = "/var/lib/factord/factord.db"
PASSWORD = "/etc/factord.password"
USER = "factord-test"  # on no real machine, whose users are there too


@pytest.fixture(scope="module")
def sandbox(build_dir, tmp_path_factory):
    sandbox = Sandbox(build_dir, tmp_path_factory.mktemp("sandbox"))
    try:
        yield sandbox
    finally:
        sandbox.stop()


def configuration(sandbox, password):
    return f"""[Daemon]
Default=ask
[Api]
BaseUrl={sandbox.url}
[Account main]
AccountSid={sandbox.account_sid}
{password}
[Poll]
Interval=200ms
IdleInterval=200ms
"""


@pytest.fixture(scope="module")
def machine(build_dir, sandbox, tmp_path_factory):
    """A booted machine: the service configured but not started, another user with a user manager."""
    container = Container(build_dir, tmp_path_factory.mktemp("machine") / "log")
    try:
        container.write(DROP_IN, configuration(sandbox, "PasswordCredential=main"))
        container.write(PASSWORD, sandbox.auth_token + "\n", mode="0600")
        container.write(
            "/etc/systemd/system/factord.service.d/test.conf",
            # A sanitizer's search for leaks needs ptrace(), which the unit rightly forbids.
            f"[Service]\nLoadCredential=main:{PASSWORD}\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n",
        )
        container.run("systemctl", "daemon-reload")
        container.run("useradd", "--create-home", USER)
        container.run("loginctl", "enable-linger", USER)
        container.wait("systemctl", "--user", "is-active", "default.target", user=USER)
        yield container
    finally:
        container.stop()


@pytest.fixture
def service(machine, show_on_failure):
    """The system service, running."""
    show_on_failure("journal", lambda: machine.run("journalctl", "-b", "-n200").out)
    machine.run("systemctl", "reset-failed", "factord.service", check=False)
    machine.run("systemctl", "start", "factord.service")
    return machine


def enroll(machine, sandbox, name, identity, *more):
    machine.run(
        *("factorctl", "--system", "enroll", "push", "--name", name, "--identity", identity),
        *("--service", sandbox.service_sid, "--account", "main", *more),
    )
    factors = machine.json("factorctl", "--system", "list", "--json")["factors"]
    return next(f for f in factors if f["name"] == name)


def test_units_are_in_order(machine):
    """With everything installed systemd has nothing at all to say about them."""
    for user, scope in ((None, "--system"), (USER, "--user")):
        path = machine.show("factord.service", "FragmentPath", user=user)
        result = machine.run("systemd-analyze", scope, "verify", "--man=no", path, user=user)
        assert result.out + result.err == ""


def test_unit_becomes_active(service):
    properties = service.show("factord.service", "ActiveState", "Type", "StatusText", "User")
    assert properties["ActiveState"] == "active"
    assert properties["Type"] == "notify"
    assert properties["User"] == "factord"
    assert properties["StatusText"]


def test_files_and_their_modes(service):
    assert service.stat("/etc/factord") == "755 root root"
    assert service.stat("/etc/factord/factord.conf") == "644 root root"
    assert service.stat("/var/lib/factord") == "700 factord factord"
    assert service.stat(STORE) == "600 factord factord"
    assert service.stat("/run/factord") == "755 factord factord"
    assert service.stat(SOCKET) == "666 factord factord"
    for path in service.run("find", "/var/lib/factord", "-type", "f").out.split():
        assert service.stat(path) == "600 factord factord", path


def test_process_is_confined(service):
    pid = service.show("factord.service", "MainPID")
    status = service.run("cat", f"/proc/{pid}/status").out
    assert re.search(r"^CapBnd:\s0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s1$", status, re.M)
    assert re.search(r"^Seccomp:\s2$", status, re.M)
    assert re.search(r"^Max core file size\s+0\s+0\s", service.run("cat", f"/proc/{pid}/limits").out, re.M)
    # Nobody else, not even another process of its own user, may look into it.
    assert service.stat(f"/proc/{pid}/environ").split()[1] == "root"
    touch = service.run("nsenter", "-t", pid, "-m", "touch", "/usr/factord-was-here", check=False)
    assert "Read-only file system" in touch.err


def test_status(service):
    assert service.run("factorctl", "--system", "status").out
    status = service.json("factorctl", "--system", "status", "--json")
    assert status["schema"] == 1


def test_group_administers(service, sandbox):
    """A stranger sees no factors; in the group one sees and administers them all."""
    enroll(service, sandbox, "group", "group-0001")
    names = ["factorctl", "--system", "list", "--json"]
    assert service.json(*names, user=USER)["factors"] == []
    denied = service.run("factorctl", "--system", "remove", "group", check=False, user=USER)
    assert denied.rc in (3, 4), denied

    service.run("usermod", "--append", "--groups", "factord", USER)
    try:
        assert "group" in [f["name"] for f in service.json(*names, user=USER)["factors"]]
        service.run("factorctl", "--system", "remove", "group", user=USER)
    finally:
        service.run("gpasswd", "--delete", USER, "factord")


def bus_call(machine, *call, user=None):
    """A call of the manager's on the system bus, by busctl: its result, without types."""
    where = ("org.factord.Factord1", "/org/factord/Factord1", "org.factord.Factord1.Manager")
    return machine.json("busctl", "--system", "--json=short", "call", *where, *call, user=user)["data"][0]


def test_system_bus(service, sandbox):
    """The confined service has its name there, by the files as shipped; each sees what is theirs. polkit,
    asked by a service that is not root, lets an owner do what is the owner's; a call starts the service."""
    whose = ("--service", sandbox.service_sid, "--account", "main")
    for name, owner in (("roots", "root"), ("theirs", USER)):
        service.run(
            *("factorctl", "--system", "enroll", "totp", "--name", name, "--owner", owner),
            *("--identity", f"{name}-0001", *whose),
        )

    def names(user=None):
        found = bus_call(service, "ListFactors", "a{sv}", "0", user=user)
        return {f["name"]["data"] for f in found} & {"roots", "theirs"}

    assert names() == {"roots", "theirs"} and names(USER) == {"theirs"}
    code = bus_call(service, "GetCode", "sa{sv}", "theirs", "0", user=USER)
    assert code["code"]["data"].isdigit()
    assert service.json("factorctl", "--system", "code", "theirs", "--json", user=USER)["code"].isdigit()
    asked = service.run("systemctl", "is-active", "polkit.service")
    assert asked.out.strip() == "active"
    for call in (("GetCode", "sa{sv}", "roots", "0"), ("Poll",)):
        refused = service.run(
            *("busctl", "--system", "call", "org.factord.Factord1", "/org/factord/Factord1"),
            *("org.factord.Factord1.Manager", *call),
            check=False,
            user=USER,
        )
        assert refused.rc != 0 and refused.out == ""

    service.run("systemctl", "stop", "factord.service")
    assert names(USER) == {"theirs"}
    assert service.show("factord.service", "ActiveState") == "active"


def test_restart_keeps_the_store(service, sandbox):
    """A factor that was enrolled before a restart answers a challenge after it."""
    factor = enroll(service, sandbox, "kept", "kept-0001")
    service.run("systemctl", "restart", "factord.service")
    factors = service.json("factorctl", "--system", "list", "--json")["factors"]
    assert factor["sid"] in [f["sid"] for f in factors]

    sid = sandbox.create_push_challenge("kept-0001", factor["sid"])["sid"]

    def listed():
        pending = service.json("factorctl", "--system", "pending", "--json")["challenges"]
        return sid in [c["sid"] for c in pending]

    wait_for(listed, what="the challenge to be found")
    service.run("factorctl", "--system", "approve", sid)
    challenge = sandbox.challenge(sid)
    assert challenge["status"] == "approved"
    key = sandbox.factor(factor["sid"])["public_key"]
    _, payload = verify_jws(key, *sandbox.answers(sid))
    assert payload["sid"] == sid and payload["status"] == "approved"


def test_alarm_is_in_the_journal(service, sandbox, source_root):
    """One record that can be waited for, names the factor and is explained."""
    header = (source_root / "daemon/message-ids.h").read_text()
    message_id = re.search(r'MESSAGE_ID_TOO_MANY_PROMPTS "(\w+)"', header)[1]
    factor = enroll(service, sandbox, "bombed", "bombed-0001")
    for i in range(8):
        sandbox.create_push_challenge("bombed-0001", factor["sid"], f"Sign in {i}?")

    def alarms():
        return [m for m in service.journal("factord.service") if m.get("MESSAGE_ID") == message_id]

    wait_for(alarms, what="the alarm")
    service.run("factorctl", "--system", "remove", "--local", "bombed")
    (alarm,) = alarms()
    assert (alarm["FACTORD_FACTOR"], alarm["PRIORITY"]) == ("bombed", "4")
    service.run("journalctl", "--update-catalog")
    said = service.run("journalctl", "-x", "--no-pager", f"MESSAGE_ID={message_id}").out
    assert "Too many approvals are asked for with factor bombed" in said


def wait_restarted(service, old_pid):
    def restarted():
        now = service.show("factord.service", "ActiveState", "MainPID")
        return now["ActiveState"] == "active" and now["MainPID"] not in ("0", old_pid)

    wait_for(restarted, what="systemd to start it again")


def session_of(machine, user):
    """The object path of that user's first session, by logind; None when there is none yet."""
    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    reply = machine.json("busctl", "--json=short", "call", *manager, "ListSessions")
    return next((path for _, _, name, _, path in reply["data"][0] if name == user), None)


def test_locked_session(service, sandbox):
    """Whose session the real logind calls locked approves nothing."""
    service.run(
        *("systemd-run", "--quiet", "--unit=desktop", f"--uid={USER}", "-p", "PAMName=login"),
        *("-E", "XDG_SESSION_TYPE=x11", "-E", "XDG_SESSION_CLASS=user", "sleep", "infinity"),
    )
    path = wait_for(lambda: session_of(service, USER), what="a session")
    session = ("org.freedesktop.login1", path, "org.freedesktop.login1.Session")

    def lock(locked):
        service.run("busctl", "call", *session, "SetLockedHint", "b", str(locked).lower())
        status = ("factorctl", "--system", "status", "--json")
        wait_for(lambda: service.json(*status, user=USER)["locked"] == locked, what=f"locked: {locked}")

    try:
        lock(True)
        factor = enroll(service, sandbox, "locked", "locked-001", "--owner", USER)
        sid = sandbox.create_push_challenge("locked-001", factor["sid"])["sid"]
        service.wait("factorctl", "--system", "show", sid)
        assert service.run("factorctl", "--system", "approve", sid, user=USER, check=False).rc == 4
        lock(False)
        service.run("factorctl", "--system", "approve", sid, user=USER)
        assert sandbox.challenge(sid)["status"] == "approved"
    finally:
        service.run("systemctl", "stop", "desktop.service")


def test_crash_is_survived(service, sandbox):
    factor = enroll(service, sandbox, "crash", "crash-0001")
    before = service.show("factord.service", "MainPID")
    service.run("systemctl", "kill", "--signal=KILL", "factord.service")
    wait_restarted(service, before)
    factors = service.json("factorctl", "--system", "list", "--json")["factors"]
    assert factor["sid"] in [f["sid"] for f in factors]


def test_hang_is_ended(service):
    """A daemon that does nothing any more is killed by the watchdog and started again."""
    assert service.show("factord.service", "WatchdogUSec") == "1min"
    impatient = "/run/systemd/system/factord.service.d/watchdog.conf"
    service.write(impatient, "[Service]\nWatchdogSec=3s\n")
    try:
        service.run("systemctl", "daemon-reload")
        service.run("systemctl", "restart", "factord.service")
        before = service.show("factord.service", "MainPID")
        service.run("systemctl", "kill", "--signal=STOP", "factord.service")
        wait_restarted(service, before)
    finally:
        service.run("rm", impatient)
        service.run("systemctl", "daemon-reload")


def test_bad_configuration_is_final(service):
    """A bad configuration ends it with 78, names the file and is not tried again."""
    service.run("systemctl", "stop", "factord.service")
    service.write("/etc/factord/factord.conf.d/99-bad.conf", "[Daemon]\nNoSuchKey=1\n")
    try:
        assert service.run("systemctl", "start", "factord.service", check=False).rc != 0
        properties = service.show("factord.service", "ActiveState", "ExecMainStatus", "NRestarts")
        assert properties == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
        said = service.run("journalctl", "-b", "-u", "factord.service").out
        assert "/etc/factord/factord.conf.d/99-bad.conf:2" in said
        check = service.run("factord", "--system", "--check", check=False)
        assert check.rc == 78 and "99-bad.conf:2" in check.out + check.err
    finally:
        service.run("rm", "/etc/factord/factord.conf.d/99-bad.conf")


def test_stop_is_clean(service, sandbox):
    service.run("systemctl", "stop", "factord.service")
    properties = service.show("factord.service", "ActiveState", "Result", "ExecMainStatus")
    assert properties == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert service.run("test", "-e", SOCKET, check=False).rc != 0
    assert service.run("factorctl", "--system", "status", check=False).rc == 69

    # All that it said went to the journal, once, under its own name, and holds no secret.
    messages = service.journal("factord.service")
    assert messages and all(m["SYSLOG_IDENTIFIER"] == "factord" for m in messages)
    said = "\n".join(str(m["MESSAGE"]) for m in messages)
    assert_no_secrets(said, [sandbox.auth_token], "the journal")
    assert_no_tokens(said, "the journal")


def journal_of_audit(machine, **fields):
    machine.run("journalctl", "--sync")
    match = [f"FACTORD_{k.upper()}={v}" for k, v in fields.items()]
    out = machine.run("journalctl", "-b", "-o", "json", "_SYSTEMD_UNIT=factord.service", *match).out
    return [json.loads(line) for line in out.splitlines()]


def test_audit_in_the_journal(service, sandbox):
    """Each record is in the journal with its fields, once it is committed; and the heads there show that
    an older copy of the store was put back, which nothing in the store can show."""
    factor = enroll(service, sandbox, "audit", "audit-0001")
    sid = sandbox.create_push_challenge("audit-0001", factor["sid"])["sid"]
    listed = ["factorctl", "--system", "pending", "--json"]
    wait_for(lambda: sid in service.run(*listed).out, what="the challenge to be found")
    service.run("factorctl", "--system", "approve", sid)
    decision, outcome = journal_of_audit(service, challenge=sid)
    trail = service.run("factorctl", "--system", "log", "--json", "--challenge", sid).out
    for entry, line in zip((decision, outcome), trail.splitlines(), strict=True):
        record = json.loads(line)
        for key in ("event", "factor", "challenge", "decision", "verb", "outcome", "door", "uid"):
            shown = record[key] if record[key] is None else str(record[key])
            assert entry.get(f"FACTORD_{key.upper()}") == shown, key
        assert entry["FACTORD_AUDIT_ID"] == str(record["id"]) and entry["PRIORITY"] == "6"
    assert decision["MESSAGE_ID"] != outcome["MESSAGE_ID"]
    service.run("journalctl", "--update-catalog")
    explained = service.run("journalctl", "-b", "-x", f"MESSAGE_ID={decision['MESSAGE_ID']}").out
    assert f"Challenge {sid} of the factor audit was decided: approve" in explained

    verify = ["factorctl", "--system", "log", "--verify"]
    service.run("systemctl", "stop", "factord.service")
    head = journal_of_audit(service, event="head")[-1]
    assert head["FACTORD_AUDIT_ID"] == outcome["FACTORD_AUDIT_ID"]
    service.run("cp", "-a", "/var/lib/factord", "/var/lib/factord.old")
    service.run("systemctl", "start", "factord.service")
    assert re.search(r"It fits what the journal has seen of it: \d+ heads", service.run(*verify).out)
    unheard = service.run(*verify, check=False, user=USER)
    assert unheard.rc == 4, unheard
    service.run("factorctl", "--system", "remove", "audit")
    service.run("systemctl", "stop", "factord.service")
    service.run("rm", "-r", "/var/lib/factord")
    service.run("mv", "/var/lib/factord.old", "/var/lib/factord")
    service.run("systemctl", "start", "factord.service")
    found = service.run(*verify, check=False)
    assert found.rc == 1 and "is missing, with all that came after it" in found.err


def test_user_service(service, sandbox):
    """The same program for one user, beside the system's, with that user's own folders."""
    home = f"/home/{USER}"
    password = f"{home}/.config/factord/password"
    text = configuration(sandbox, f"PasswordFile={password}")
    service.run("mkdir", "-p", f"{home}/.config/factord", user=USER)
    service.write(f"{home}/.config/factord/factord.conf", text, owner=USER)
    service.write(password, sandbox.auth_token + "\n", mode="0600", owner=USER)

    service.run("systemctl", "--user", "start", "factord.service", user=USER)
    properties = service.show("factord.service", "ActiveState", "StatusText", user=USER)
    assert properties["ActiveState"] == "active" and properties["StatusText"]
    runtime = f"/run/user/{service.uid(USER)}/factord"
    assert service.stat(runtime) == f"700 {USER} {USER}"
    assert service.stat(f"{runtime}/factord.sock") == f"600 {USER} {USER}"
    assert service.stat(f"{home}/.local/state/factord") == f"700 {USER} {USER}"
    assert service.stat(f"{home}/.local/state/factord/factord.db") == f"600 {USER} {USER}"

    # Without an option the user's own daemon is the one that is meant.
    assert service.json("factorctl", "status", "--json", user=USER)["mode"] == "user"
    service.wait("busctl", "--user", "status", "org.factord.Factord1", user=USER)
    assert service.json("factorctl", "--system", "status", "--json")["mode"] == "system"

    service.run("systemctl", "--user", "stop", "factord.service", user=USER)
    properties = service.show("factord.service", "Result", "ExecMainStatus", user=USER)
    assert properties == {"Result": "success", "ExecMainStatus": "0"}


def readme_blocks(source_root, heading):
    """The shell blocks below a heading of the README."""
    section = (source_root / "README.md").read_text().split(f"\n### {heading}\n")[1].split("\n## ")[0]
    return [textwrap.dedent(b) for b in re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.M | re.S)]


# The job of the README: it asks its backend for what a push factor has to approve, and waits.
DEPLOY = """#!/usr/bin/python3
import json, sys, time, urllib.parse, urllib.request
url, auth, factor, message = {url!r}, {auth!r}, {factor!r}, "Deploy %s to staging" % sys.argv[1]
def api(path, body=None):
    request = urllib.request.Request(url + path, body, {{"Authorization": "Basic " + auth}})
    return json.load(urllib.request.urlopen(request))
fields = {{"FactorSid": factor, "Details.Message": message,
          "Details.Fields": json.dumps({{"label": "Environment", "value": "staging"}})}}
made = api({path!r}, urllib.parse.urlencode(fields).encode())
for _ in range(300):
    status = api({path!r} + "/" + made["sid"])["status"]
    if status != "pending":
        break
    time.sleep(0.1)
print(made["sid"], status)
sys.exit(status != "approved")
"""


def test_readme_of_a_server(service, sandbox, source_root):
    """The README's words, one after another, on a machine that is as installed but for the provider's
    address: it approves one narrow thing and nothing else."""
    start, rule, job, look = readme_blocks(source_root, "Approving one narrow thing by itself")
    service.run("systemctl", "stop", "factord.service")
    service.run("mv", "/var/lib/factord", "/var/lib/factord.before")
    service.write(DROP_IN, f"[Api]\nBaseUrl={sandbox.url}\n[Poll]\nInterval=200ms\nIdleInterval=200ms\n")
    try:
        start = start.replace("VA…", sandbox.service_sid)
        service.run("bash", "-ec", start, input=sandbox.access_token("ci-runner-01") + "\n")
        factor = next(
            f
            for f in service.json("factorctl", "--system", "list", "--json")["factors"]
            if f["name"] == "ci-deploy"
        )
        service.run("bash", "-ec", rule)
        auth = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
        path = f"/v2/Services/{sandbox.service_sid}/Entities/ci-runner-01/Challenges"
        deploy = DEPLOY.format(url=sandbox.url, auth=auth, factor=factor["sid"], path=path)
        service.write("/deploy", deploy, mode="0700")
        sid, status = service.run("bash", "-ec", job).out.split()[-2:]
        assert status == "approved"
        verify_jws(sandbox.factor(factor["sid"])["public_key"], sandbox.answers(sid)[0])

        staging = [("Environment", "staging")]
        others = [
            ("Deploy web to staging", staging),  # its ticket is used
            ("Deploy web to production", staging),
            ("Deploy web to staging", [("Environment", "production")]),
        ]
        service.run("factorctl", "expect", "ci-deploy", "--within", "2min", "--message", "Deploy web to *")
        for message, fields in others[1:] + others[:1]:
            made = sandbox.create_push_challenge("ci-runner-01", factor["sid"], message, fields=fields)
            ended = f"factorctl show {made['sid']} --json | grep -qE '\"state\": *\"(ignored|approved)\"'"
            service.wait("bash", "-c", ended, what="a decision")
            told = sandbox.challenge(made["sid"])["status"]
            wanted = "approved" if (message, fields) == others[0] else "pending"
            assert told == wanted, (message, fields)
        shown = service.run("bash", "-ec", look.replace("YC…", sid)).out
        assert "deploy-to-staging" in shown and sid in shown
    finally:
        service.run("systemctl", "stop", "factord.service")
        service.run("rm", "-rf", "/etc/factord/policy.d", "/deploy", "/var/lib/factord")
        service.run("mv", "/var/lib/factord.before", "/var/lib/factord")
        service.write(DROP_IN, configuration(sandbox, "PasswordCredential=main"))
