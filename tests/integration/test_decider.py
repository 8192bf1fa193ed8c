# SPDX-License-Identifier: Apache-2.0
"""Deciders: services on a socket and programs that rules ask, and all that can be wrong with them."""

import contextlib
import json
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import wait_for
from process import TIME_SCALE
from rules import audit, counts, create, policy, set_rules, wait_quiet, write_rules
from steps import call, call_error, challenge, enroll_push, enroll_totp, shown, wait_state

# $D is a folder of the test's own; the question is in $Q.
HEAD = "#!/bin/sh\nD={}\nQ=$(cat)\n"


class Program:
    """An exec: decider, which does by the challenge's message what cases say."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "decider"

    def write(self, body):
        text = body if body.startswith("#!") else HEAD.format(self.directory) + body
        self.path.write_text(text)
        self.path.chmod(0o755)

    def cases(self, bodies):
        lines = "".join(f"*'<{name}>'*) {body} ;;\n" for name, body in bodies.items())
        self.write(f'case "$Q" in\n{lines}esac\n')


class Service:
    """A unix: decider: answer(question) gives the bytes to say, or None to say nothing and hang."""

    def __init__(self, path, answer):
        self.path, self.answer = path, answer
        self.questions, self.open = [], []
        self.end = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.end.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection):
        with contextlib.suppress(OSError):
            text = b""
            while part := connection.recv(65536):
                text += part
            self.questions.append(json.loads(text))
            said = self.answer(self.questions[-1])
            if said is None:
                self.open.append(connection)
                return
            connection.sendall(said)
            connection.close()

    def close(self):
        self.end.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()


@pytest.fixture
def program(tmp_path):
    directory = tmp_path / "decider"
    directory.mkdir(mode=0o755)
    return Program(directory)


@pytest.fixture
def make_service(daemon):
    made = []

    def make(answer, name="opa"):
        service = Service(daemon.directory / name, answer)
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()


@pytest.fixture
def held(daemon):
    return enroll_push(daemon)


def rule(decider, more="", factor="push", name="asks", message="*"):
    dangerous = "Dangerous=approve-anything\n"
    return f"[Rule {name}]\nFactor={factor}\nMessage={message}\nDecision={decider}\n{dangerous}{more}\n"


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def wait_no_children(daemon):
    wait_for(lambda: children(daemon.pid) == [], what=lambda: f"no process: {children(daemon.pid)}")


WORDS = {"approve": "approved", "deny": "denied", "ignore": "ignored", "ask": "asking"}
# What is no answer, and what the log says of it.
FAULTS = {
    "nothing": ("exit 0", "without an answer"),
    "rubbish": ("echo maybe", "something else"),
    "case": ("echo Approve", "something else"),
    "two-words": ("echo approve approve", "something else"),
    "two-lines": ("echo approve; echo approve", "something else"),
    "blank": ("printf 'approve '", "something else"),
    "before": ("printf '\\napprove'", "something else"),
    "zero": ("printf 'approve\\000'", "something else"),
    "return": ("printf 'approve\\r\\n'", "something else"),
    "quoted": ("echo '\"approve\"'", "something else"),
    "flood": ("echo approve; yes", "more than a word"),
    "long": ("head -c 65 /dev/zero | tr '\\000' a", "more than a word"),
    "dies": ("echo approve; kill -KILL $$", "was killed"),
    "fails": ("echo approve; exit 3", "ended with a failure"),
    "hangs": ("echo approve; exec sleep 1000", "in time"),
    "forks": ("(sleep 1000 & sleep 1000 & echo approve; wait)", "in time"),
}


def test_programs(daemon, held, program, sandbox):
    """A word is a decision of the rule's. Anything else is OnError=, and of whatever the program has begun in
    its process group nothing is left."""
    bodies = {name: f"echo {name}" for name in WORDS}
    bodies["silent-child"] = "sleep 1000 & echo approve"
    bodies |= {name: body for name, (body, _) in FAULTS.items()}
    program.cases(bodies)
    timeout = f"Timeout={TIME_SCALE * 1500:.0f}ms\n"
    set_rules(daemon, rule(f"exec:{program.path}", timeout))
    sids = {name: create(daemon, held, f"<{name}>") for name in bodies}
    for name, end in WORDS.items():
        wait_state(daemon, sids[name], end)
    wait_state(daemon, sids["silent-child"], "approved")
    for name, (_, why) in FAULTS.items():
        end = wait_state(daemon, sids[name], "ignored")
        assert why in end["reason"] and "rule 'asks'" in end["reason"], name
        assert sandbox.challenge(sids[name])["updates"] == 0
    assert challenge(daemon, sids["ask"])["reason"] == "the decider of rule 'asks' says ask"
    record = audit(daemon, "decision", sids["approve"])[0]
    assert (record["rule"], record["policy"]) == ("asks", policy(daemon)["hash"])
    assert counts(daemon)["asks"] == (2, 1, 1 + len(FAULTS), 1)
    wait_quiet(daemon)
    wait_no_children(daemon)
    assert policy(daemon)["deciders"]["failed"] == len(FAULTS)
    assert "remarks" in daemon.stderr or daemon.stderr.count("OnError= decides") <= 10


LOOKS = """#!/usr/bin/python3 -B
import json, os, sys
text = sys.stdin.read()
seen = {"question": text, "fds": sorted(map(int, os.listdir("/proc/self/fd")))[:-1], "env": sorted(os.environ),
        "group": os.getpgid(0) == os.getpid(), "argv": sys.argv[1:], "mask": None}
for line in open("/proc/self/status"):
    if line.startswith("SigBlk"):
        seen["mask"] = int(line.split()[1], 16)
with open("DIRECTORY/seen", "w") as f:
    json.dump(seen, f)
print("ask")
"""


def test_what_a_program_finds(daemon, held, program):
    """All of the challenge, in one line of JSON; no secret, no descriptor, no argument."""
    call(daemon, "SetMatchField", name="push", field="Number")
    program.write(LOOKS.replace("DIRECTORY", str(program.directory)))
    set_rules(daemon, rule(f"exec:{program.path}"))
    sid = create(daemon, held, "Wire \u00e4 \"it\"", fields=[("Number", "4711")], hidden={"ip": "10.0.0.1", "n": "\u00e4\n"})
    made = wait_state(daemon, sid, "asking")
    seen = json.loads((program.directory / "seen").read_text())
    assert seen["fds"] == [0, 1, 2] and seen["argv"] == [] and seen["group"] and seen["mask"] == 0
    assert not [v for v in seen["env"] if v.startswith(("NOTIFY", "LISTEN", "CREDENTIALS", "FACTORD"))]
    assert seen["question"].endswith("}\n") and seen["question"].count("\n") == 1
    question = json.loads(seen["question"])
    assert question.keys() == {"schema", "rule", "challenge"} and (question["schema"], question["rule"]) == (1, "asks")
    asked = question["challenge"]
    # What a person has to type is not hidden from it.
    assert made["fields"] == [{"label": "Number", "value": None}]
    assert asked["fields"] == [{"label": "Number", "value": "4711"}]
    assert asked["hidden_details"] == {"ip": "10.0.0.1", "n": "\u00e4\n"}
    for key in ("sid", "digest", "factor", "factor_sid", "identity", "message", "created", "expires"):
        assert asked[key] == made[key], key


def test_sockets(daemon, held, make_service, sandbox):
    """The same over a socket: each question a connection, which ends with the word."""
    said = {word: word.encode() + b"\n" for word in WORDS}
    said |= {"cut": b"", "junk": b"maybe", "two": b"approve\napprove\n", "flood": 5000 * b"approve", "hang": None}
    service = make_service(lambda q: said[q["challenge"]["message"]])
    set_rules(daemon, rule(f"unix:{service.path}", f"Timeout={TIME_SCALE * 1000:.0f}ms\nOnError=deny\n"))
    sids = {name: create(daemon, held, name) for name in said}
    for name, sid in sids.items():
        wait_state(daemon, sid, WORDS.get(name, "denied"))
        assert sandbox.challenge(sid)["status"] in ("pending", "approved" if name == "approve" else "denied"), name
    assert sorted(q["challenge"]["message"] for q in service.questions) == sorted(said)
    assert counts(daemon)["asks"] == (1, 1 + 5, 1, 1)
    # It goes, and comes again.
    service.close()
    wait_state(daemon, create(daemon, held, "approve"), "denied")
    assert "cannot connect: Connection refused" in daemon.stderr
    service.path.unlink()
    make_service(lambda q: b"approve")
    wait_state(daemon, create(daemon, held, "approve"), "approved")
    # Nobody but who owns the folder may put a socket there.
    daemon.directory.chmod(0o777)
    end = wait_state(daemon, create(daemon, held, "approve"), "denied")
    assert end["state"] == "denied"
    daemon.wait_log("chmod go-w")
    daemon.directory.chmod(0o700)


def test_totp(daemon, make_service):
    """There is no denial of a TOTP challenge: neither by a word nor by OnError=."""
    totp = enroll_totp(daemon)
    service = make_service(lambda q: b"deny")
    asks = f"[Rule asks]\nFactor=totp\nTicket=required\nDecision=unix:{service.path}\nOnError=ask\n"
    asks = asks.replace("Ticket=required", "Dangerous=approve-anything")
    set_rules(daemon, asks)
    end = wait_state(daemon, create(daemon, totp), "asking")
    assert "can only be ignored" in end["reason"]
    set_rules(daemon, asks.replace("OnError=ask", "OnError=deny"))
    wait_state(daemon, create(daemon, totp), "ignored")


def test_trust(daemon, held, program):
    """What others could change is not run: not at a reload, nor when it has become so since."""
    program.write("echo approve")
    set_rules(daemon, rule(f"exec:{program.path}"))
    wait_state(daemon, create(daemon, held), "approved")
    program.path.chmod(0o777)
    end = wait_state(daemon, create(daemon, held), "ignored")
    assert "chmod go-w" in end["reason"]
    (problem,) = call(daemon, "Reload")["problems"]
    assert str(program.path) in problem and "50-test.policy:1: Decision:" in problem
    program.path.unlink()
    program.path.symlink_to("/bin/true")
    assert "symbolic link" in wait_state(daemon, create(daemon, held), "ignored")["reason"]


def test_many_at_once(daemon, held, program, make_service):
    """Slow and hanging ones, of 30 challenges: each takes what it takes, others wait for none of them, and
    the daemon does not notice."""
    program.write("sleep 1000\necho approve")
    release = threading.Event()
    service = make_service(lambda q: release.wait(60) and b"approve\n")
    quick = enroll_push(daemon, "quick", "bobby-002")
    set_rules(
        daemon,
        rule(f"exec:{program.path}", "Timeout=5min\n", name="hangs", message="hang")
        + rule(f"unix:{service.path}", "Timeout=5min\n", name="slow", message="slow")
        + "[Rule quick]\nFactor=quick\nMessage=quick\nDecision=approve\n",
    )
    hang = [create(daemon, held, "hang", expires_in=4 * TIME_SCALE) for _ in range(12)]
    slow = [create(daemon, held, "slow") for _ in range(20)]
    wait_for(lambda: policy(daemon)["deciders"]["running"] == 16, what="16 of them at a time")
    began = time.monotonic()
    sids = [create(daemon, quick, "quick") for _ in range(20)]
    for sid in sids:
        wait_state(daemon, sid, "approved")
    assert time.monotonic() - began < 3 * TIME_SCALE
    found = challenge(daemon, slow[0])
    assert found["state"] == "deciding" and found["reason"] == "rule 'slow' asks its decider"
    assert call_error(daemon, "Approve", **shown(found)).name == "PolicyDenied"
    assert policy(daemon)["deciders"]["waiting"] == 16
    release.set()
    for sid in slow:
        wait_state(daemon, sid, "approved")
    # What hangs ends with its challenge, and its process with it.
    for sid in hang:
        wait_state(daemon, sid, "expired")
    wait_quiet(daemon)
    wait_no_children(daemon)


def test_while_it_is_asked(daemon, held, make_service, sandbox):
    """What happens meanwhile counts: an answer elsewhere, a person's no, other rules, a crash, a limit."""
    hold = threading.Event()
    service = make_service(lambda q: hold.wait(60) and b"approve")
    asks = rule(f"unix:{service.path}", "Timeout=5min\n")
    set_rules(daemon, asks)

    elsewhere, refused, crashed = (create(daemon, held, m) for m in ("a", "b", "c"))
    for sid in (elsewhere, refused, crashed):
        wait_state(daemon, sid, "deciding")
    wait_for(lambda: len(service.questions) == 3, what="three questions")
    sandbox.change_challenge(elsewhere, status="denied")
    wait_state(daemon, elsewhere, "superseded")
    assert call(daemon, "Deny", **shown(challenge(daemon, refused)))["challenge"]["state"] == "denied"
    wait_for(lambda: policy(daemon)["deciders"]["running"] == 1, what="two to be dropped")
    # Durable, and asked again after a crash.
    daemon.kill()
    daemon.start()
    wait_for(lambda: len(service.questions) == 4, what="the question again")
    assert challenge(daemon, crashed)["state"] == "deciding"
    # Other rules are asked anew: what the old decider says counts no longer.
    set_rules(daemon, "[Rule no]\nDecision=deny\n")
    wait_state(daemon, crashed, "denied")
    # Two at a time, and one is all that the rule may decide: the second one is asked about.
    set_rules(daemon, rule(f"unix:{service.path}", "Timeout=5min\nLimit=1/h\n"))
    pair = [create(daemon, held, m) for m in ("d", "e")]
    wait_for(lambda: len(service.questions) == 6, what="two more questions")
    hold.set()
    ends = sorted(wait_state(daemon, sid, "approved", "asking")["state"] for sid in pair)
    assert ends == ["approved", "asking"]


def test_override_of_a_decider(daemon, held, make_service):
    """Its deny and ignore are the rule's: with Override= they wait for the end."""
    service = make_service(lambda q: b"ignore")
    set_rules(daemon, rule(f"unix:{service.path}", "Override=yes\n"))
    kept = wait_state(daemon, create(daemon, held), "asking")
    assert kept["quiet"] and "rule 'asks' ignores it at the end" in kept["reason"]
    assert call(daemon, "Approve", **shown(kept))["challenge"]["state"] == "approved"


def test_exec_is_for_users(daemon, program, build_dir):
    """The system's service runs no program: it would run as the service itself."""
    program.write("echo approve")
    path = write_rules(daemon, rule(f"exec:{program.path}"))
    checks = [build_dir / "cli/factorctl", "policy", "check", path]
    assert subprocess.run(checks, capture_output=True, timeout=60).returncode == 0
    done = subprocess.run([*checks, "--system"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "exec: is for a user's service" in done.stderr
    done = subprocess.run(
        [build_dir / "daemon/factord", "--system", "--check", "--config", daemon.config_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78 and "exec: is for a user's service" in done.stderr


def test_opa_example(source_root, make_service, tmp_path):
    """The example asks an Open Policy Agent server; what is no result is no answer."""
    import http.server

    seen, result = [], [{"result": "approve"}]

    class Opa(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, json.loads(body)))
            text = json.dumps(result[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Opa)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1/data/factord/decision"

        def run(text):
            done = subprocess.run(
                ["/usr/bin/python3", "-B", source_root / "docs/examples/decider-opa.py", url],
                input=text,
                capture_output=True,
                text=True,
                timeout=60,
            )
            return done.returncode, done.stdout

        question = {"schema": 1, "rule": "asks", "challenge": {"message": "m"}}
        assert run(json.dumps(question) + "\n") == (0, "approve\n")
        assert seen == [("/v1/data/factord/decision", {"input": question})]
        for answer in ({}, {"result": {"allow": True}}, {"result": "yes"}):
            result[0] = answer
            code, said = run(json.dumps(question))
            assert code != 0 and said == "", answer
        assert run("{")[0] != 0
    finally:
        server.shutdown()
        server.server_close()
