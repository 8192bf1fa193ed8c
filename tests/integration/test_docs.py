# SPDX-License-Identifier: Apache-2.0
"""What is written for callers names what is there, every method, parameter and error, and its
examples work."""

import json
import re
import subprocess
import xml.etree.ElementTree as tree

from bus import Bus
from steps import ask_push, call, enroll_push

INTERFACE_FILE = "ipc/org.factord.Authenticator.varlink"


def interface_methods(text):
    """{method: (parameters, results)}; a parameter that may be null stands in brackets."""
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    methods = {}
    for name, taken, given in re.findall(
        r"^method (\w+)\((.*?)\)\s*->\s*\((.*?)\)\s*$", text, flags=re.MULTILINE | re.DOTALL
    ):
        parameters = [
            f"[{key}]" if optional else key
            for key, optional in re.findall(r"(\w+):\s*(\?)?", taken)
        ]
        methods[name] = (parameters, re.findall(r"(\w+):", given))
    return methods


def documented_methods(text):
    """The same from the bold headings: **Name(a, [b]) → c, d.**"""
    methods = {}
    for name, taken, given in re.findall(r"^\*\*(\w+)\(([^)]*)\) →\s([^*]*?)\.\*\*", text, re.MULTILINE):
        results = [] if given.strip() == "nothing" else re.split(r",\s*", given.strip())
        methods[name] = ([p for p in re.split(r",\s*", taken.strip()) if p], results)
    return methods


def test_varlink_methods(source_root):
    wanted = interface_methods((source_root / INTERFACE_FILE).read_text())
    written = documented_methods((source_root / "docs/varlink.md").read_text())
    assert len(wanted) >= 21
    assert written == wanted


def test_varlink_errors(source_root):
    interface = (source_root / INTERFACE_FILE).read_text()
    wanted = {
        name: sorted(set(re.findall(r"(\w+):", members)) - {"message"})
        for name, members in re.findall(r"^error (\w+) \((.*?)\)$", interface, re.MULTILINE)
    }
    table = (source_root / "docs/varlink.md").read_text().split("\n## Errors\n")[1]
    written = {
        name: sorted(re.findall(r"`(\w+)`", members))
        for name, members in re.findall(r"^\| `(\w+)` \| (.*?)\| ", table, re.MULTILINE)
    }
    assert written == wanted


def test_varlink_examples_are_json(source_root):
    """Each example is a call or a reply: JSON but for what … leaves out."""
    text = (source_root / "docs/varlink.md").read_text()
    examples = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(examples) > 20
    for example in examples:
        joined = re.sub(r"\n ", " ", example)
        for line in joined.splitlines():
            whole = line.replace(",…", "").replace("…", "")
            assert json.loads(whole).keys() & {"method", "parameters"}, line


def test_dbus_methods(source_root):
    """The table of methods: names, and the types of what goes in and comes out."""
    root = tree.parse(source_root / "ipc/org.factord.Factord1.Manager.xml").getroot()
    wanted = {}
    for method in root.iter("method"):
        ways = {"in": [], "out": []}
        for arg in method.iter("arg"):
            ways[arg.get("direction")].append(arg.get("type"))
        wanted[method.get("name")] = (ways["in"], ways["out"])
    table = (source_root / "docs/dbus.md").read_text().split("\n## Methods of ")[1]
    written = {}
    for names, taken, given in re.findall(r"^\| (`\w.*?) \|(.*?)\|(.*?)\|$", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            written[name] = (re.findall(r"`(.*?)`", taken), re.findall(r"`(.*?)`", given))
    assert written == wanted


def run_example(source_root, name, *arguments, env=None):
    done = subprocess.run(
        ["/usr/bin/python3", "-B", source_root / "docs/examples" / name, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
    )
    return done.returncode, done.stdout, done.stderr


def test_varlink_client(source_root, daemon, sandbox):
    """It shares no code with the project: lists, approves, is refused, and watches."""
    push = enroll_push(daemon)
    asked = ask_push(daemon, push, message="Sign in \u202e\x1b[2J?")
    client = ("varlink-client.py", "--socket", daemon.socket_path)
    rc, out, _ = run_example(source_root, *client, "list")
    listed = json.loads(out)
    assert rc == 0 and listed["sid"] == asked["sid"]
    assert "\\u202e\\u001b[2J" in out and out.isascii()
    rc, _, err = run_example(source_root, *client, "approve", asked["sid"], "0" * 64)
    assert rc == 1 and "Stale" in err
    rc, out, _ = run_example(source_root, *client, "approve", asked["sid"], listed["digest"])
    assert rc == 0 and json.loads(out)["state"] == "approved"
    assert sandbox.challenge(asked["sid"])["status"] == "approved"
    rc, _, err = run_example(source_root, *client, "deny", asked["sid"], listed["digest"])
    assert rc == 1 and "AlreadyAnswered" in err
    watch = subprocess.Popen(
        ["/usr/bin/python3", "-B", source_root / "docs/examples" / client[0], *client[1:], "watch", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert json.loads(watch.stdout.readline())["state"] == "approved"
        other = ask_push(daemon, push)
        while (seen := json.loads(watch.stdout.readline()))["sid"] != other["sid"]:
            pass
        assert call(daemon, "Deny", sid=other["sid"], digest=seen["digest"])
    finally:
        watch.kill()
        watch.communicate()


def test_dbus_client(source_root, make_daemon, sandbox):
    bus = Bus("session")
    try:
        daemon = make_daemon(sandbox, {"Daemon": {"Bus": "session"}}, env=bus.env)
        bus.wait_name()
        push = enroll_push(daemon)
        call(daemon, "SetMatchField", name="push", field="Number")
        asked = ask_push(daemon, push, fields=[("Number", "4711")])
        client = ("dbus-client.py",)
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **bus.env}
        rc, out, err = run_example(source_root, *client, "list", env=env)
        listed = json.loads(out)
        assert rc == 0 and (listed["sid"], listed["fields"]) == (asked["sid"], [{"label": "Number"}]), err
        decide = (*client, "approve", asked["sid"], listed["digest"])
        rc, _, err = run_example(source_root, *decide, env=env)
        assert rc == 1 and err.startswith("dbus-client: InvalidParameter: ")
        rc, out, err = run_example(source_root, *decide, "4711", env=env)
        assert rc == 0 and json.loads(out)["state"] == "approved", err
        watch = subprocess.Popen(
            ["/usr/bin/python3", "-B", source_root / "docs/examples" / client[0], "watch"],
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        try:
            other = ask_push(daemon, push)
            while (seen := json.loads(watch.stdout.readline()))["sid"] != other["sid"]:
                pass
            call(daemon, "Deny", sid=other["sid"], digest=seen["digest"])
            while (seen := json.loads(watch.stdout.readline()))["state"] != "denied":
                assert seen["sid"] == other["sid"]
        finally:
            watch.kill()
            watch.communicate()
    finally:
        bus.close()
