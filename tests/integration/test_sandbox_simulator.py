# SPDX-License-Identifier: Apache-2.0
"""factord-sandbox: the simulator calls and the state file."""

import base64
import concurrent.futures
import json
import os
import time

import jwt
import pytest

from harness import wait_for
from sandbox_peer import CUT, Device, IDENTITY, box, date_of, running, sandbox_proc, run

# The simulator.


def test_clock(box):
    device = box.device()
    for offset in (-3600, 86400 * 400):
        answer = box.simulate("clock", {"offset": offset})
        assert answer["offset"] == offset
        reply = box.get("/Entities").expect(200)
        assert abs(date_of(reply) - time.time() - offset) < 30
        stale = {"nbf": int(time.time()), "exp": int(time.time()) + 600}
        refused = box.get(device.challenges, auth=device.auth(**stale)).expect(401, 20003)
        assert abs(date_of(refused) - time.time() - offset) < 30
        server = int(date_of(refused))
        box.get(device.challenges,
                auth=device.auth(nbf=server - 5, exp=server + 595)).expect(200)
    box.simulate("clock", {"offset": 0})
    for wrong in ({}, {"offset": "1"}, {"offset": 1.5}, {"offset": 10 ** 11}, {"offset": None}):
        assert "error" in box.simulate("clock", wrong, 400)


def test_set_challenge(box):
    device = box.device()
    for status in ("approved", "denied", "expired"):
        sid = box.challenge(device.factor).expect(201).json["sid"]
        assert box.simulate(f"challenges/{sid}", {"status": status})["status"] == status
        shown = device.fetch(sid).json
        assert shown["status"] == status
        assert (shown["date_responded"] is None) == (status == "expired")
        device.answer(sid).expect(403, 60323 if status == "expired" else 60322)
    sid = box.challenge(device.factor).expect(201).json["sid"]
    signed = jwt.encode(device.payload(sid, "approved"), device.key, algorithm="ES256")
    details = {"message": "Another", "date": "2026-01-02T03:04:05Z", "more": [1, None, 2.5]}
    box.simulate(f"challenges/{sid}", {"details": details, "hidden_details": {"a": "b"},
                                       "metadata": {"c": "d"}})
    shown = device.fetch(sid).json
    assert (shown["details"], shown["hidden_details"], shown["metadata"]) == (
        details, {"a": "b"}, {"c": "d"})
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(403, 60324)
    device.answer(sid).expect(200)
    box.simulate(f"challenges/{sid}", {"details": None})
    assert device.fetch(sid).json["details"] is None
    box.simulate("challenges/YC" + "0" * 32, {"status": "denied"}, 404)
    box.simulate(f"challenges/{sid}", {"status": "x"}, 400)
    box.simulate(f"challenges/{sid}", {"details": "x"}, 400)
    box.simulate(f"challenges/{sid}", {"bogus": 1}, 400)


def test_simulator_refusals(box):
    box.raw("POST", "/sandbox/clock", body="{").expect(400)
    box.raw("POST", "/sandbox/clock", body='{"offset":1,"offset":2}').expect(400)
    box.raw("POST", "/sandbox/nothing", body="{}").expect(404)
    box.raw("GET", "/sandbox/nothing").expect(404)
    box.raw("PUT", "/sandbox/clock", body="{}").expect(405)
    box.simulate("requests", {}, 400)
    assert box.state["requests"] == []


def fault(box, **kwargs):
    return box.simulate("faults", kwargs)["faults"]


def test_fault_canned_reply(box):
    active = fault(box, match="POST .*/Entities", times=2, status=429,
                   headers={"Retry-After": "7", "Content-Type": "text/plain", "Date": None},
                   body="slow down")
    assert active == [{"id": 1, "match": "POST .*/Entities", "times": 2, "status": 429,
                       "headers": {"Retry-After": "7", "Content-Type": "text/plain",
                                   "Date": None}, "body": "slow down"}]
    box.get("/Entities").expect(200)
    for left in (1, 0):
        reply = box.post("/Entities", {"Identity": IDENTITY}).expect(429)
        assert reply.body == b"slow down" and reply.headers["Retry-After"] == "7"
        assert reply.headers["Content-Type"] == "text/plain" and "Date" not in reply.headers
        faults = box.raw("GET", "/sandbox/faults").json["faults"]
        assert [f["times"] for f in faults] == [left] * left
    box.get(box.entity()).expect(404)
    box.post("/Entities", {"Identity": IDENTITY}).expect(201)
    struck = [r for r in box.state["requests"] if r["fault"]]
    assert [(r["fault"], r["status"], r["params"]) for r in struck] == [
        (1, 429, [["Identity", IDENTITY]])] * 2


def test_fault_on_a_handled_request(box):
    fault(box, match="POST .*", body="", headers={"X-More": "1"})
    reply = box.post("/Entities", {"Identity": IDENTITY}).expect(201)
    assert reply.body == b"" and reply.headers["X-More"] == "1"
    box.get(box.entity()).expect(200)
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    fault(box, match="GET .*/Challenges/YC.*", headers={"twilio-verify-signature-fields": None})
    assert "Twilio-Verify-Signature-Fields" not in device.fetch(sid).expect(200).headers
    assert "Twilio-Verify-Signature-Fields" in device.fetch(sid).expect(200).headers


def test_fault_cuts(box):
    fault(box, match="POST .*", cut="before")
    with pytest.raises(CUT):
        box.post("/Entities", {"Identity": IDENTITY})
    box.get(box.entity()).expect(404)
    fault(box, match="POST .*", cut="after")
    with pytest.raises(CUT):
        box.post("/Entities", {"Identity": IDENTITY})
    box.get(box.entity()).expect(200)
    cuts = [(r["cut"], r["status"]) for r in box.state["requests"] if r["cut"]]
    assert cuts == [("before", None), ("after", 201)]
    # On a connection that served before.
    connection = box.connect()
    box.get("/Entities", connection=connection).expect(200)
    fault(box, match="GET .*", cut="after", delay_ms=20)
    with pytest.raises(CUT):
        box.get("/Entities", connection=connection)
    connection.close()


def test_fault_delay_holds_nobody_else(box):
    fault(box, match="GET .*/slow-user.*", delay_ms=2500, times=5)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        begin = time.monotonic()
        slow = [pool.submit(box.get, "/Entities/slow-user1") for _ in range(5)]
        wait_for(lambda: sum(bool(r["fault"]) for r in box.state["requests"]) >= 5,
                 what="five held requests")
        for _ in range(20):
            box.get("/Entities").expect(200)
        assert not any(s.done() for s in slow)
        for s in slow:
            s.result().expect(404, 20404)
        assert time.monotonic() - begin >= 2.5


def test_stops_while_a_reply_is_held(box):
    fault(box, match="GET .*", delay_ms=60000)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(box.get, "/Entities")
        wait_for(lambda: box.state["requests"], what="the held request")
        assert box.stop() == 0
        with pytest.raises(CUT):
            held.result()


def test_client_goes_away_while_its_reply_is_held(box):
    fault(box, match="GET .*", delay_ms=200)
    connection = box.connect(timeout=0.05)
    with pytest.raises(TimeoutError):
        box.get("/Entities", connection=connection)
    connection.close()
    fault(box, match="GET .*", delay_ms=400)
    box.get("/Entities").expect(200)


def test_fault_order_and_match(box):
    fault(box, match="GET .*/Entities", status=500)
    fault(box, match="* /v2/.*", status=503)
    active = fault(box, match="GET /v2/Services/VA[0-9a-f]{32}/(Entities|AccessTokens)",
                   status=502, times=1)
    assert [f["id"] for f in active] == [1, 2, 3]
    assert [box.get("/Entities?PageSize=1").status for _ in range(4)] == [500, 503, 502, 200]
    fault(box, match="GET /Entities", status=500)
    fault(box, match="get .*", status=500)
    box.get("/Entities").expect(200)
    assert box.simulate("faults", {"clear": True})["faults"] == []
    for wrong in ({}, {"match": "GET"}, {"match": "GET ("}, {"match": "GET .*", "status": 99},
                  {"match": "GET .*", "times": 0}, {"match": "GET .*", "delay_ms": -1},
                  {"match": "GET .*", "cut": "x"}, {"match": "GET .*", "headers": []},
                  {"match": "GET .*", "headers": {"a": 1}}, {"match": "GET .*", "bogus": 1},
                  {"match": 1}, {"clear": False}):
        assert "error" in box.simulate("faults", wrong, 400)
    fault(box, match="GET .*", status=401)
    assert abs(date_of(box.get("/Entities").expect(401)) - time.time()) < 30


def test_large_fault_body(box):
    fault(box, match="GET .*", status=200, body="x" * (5 * 1024 * 1024))
    assert len(box.get("/Entities").expect(200).body) == 5 * 1024 * 1024


def test_many_connections(box):
    connections = [box.connect() for _ in range(300)]
    for c in connections:
        c.request("GET", box.base + "/Entities", headers={
            "Authorization": "Basic " + base64.b64encode(":".join(box.main).encode()).decode()})
    for c in connections:
        response = c.getresponse()
        response.read()
        assert response.status == 200
        c.close()


# The state file.


def stable(state):
    keep = {k: v for k, v in state.items() if k not in ("clock", "requests", "faults", "quirks")}
    text = json.dumps(keep, sort_keys=True)
    return text


def test_state_survives_a_restart(tmp_path):
    data = tmp_path / "state.json"
    with running("--data", data) as box:
        device, url = box.device(Metadata='{"os":"Linux"}'), box.ready["url"]
        totp = box.totp(Alg="sha256", CodeLength=8, TimeStep=60, Skew=2)
        answered = box.challenge(device.factor, HiddenDetails='{"a":"b"}').expect(201).json
        device.answer(answered["sid"], metadata={"x": "y"}).expect(200)
        pending = box.challenge(device.factor).expect(201).json
        box.challenge(totp, AuthPayload=box.wrong_code(totp)).expect(201)
        token = box.post("/AccessTokens", {"Identity": IDENTITY, "FactorType": "push",
                                           "FactorFriendlyName": "x"}).expect(201).json
        deleted = box.device()
        box.delete(deleted.path).expect(204)
        box.simulate("clock", {"offset": 40})
        before, ready = box.state, box.ready
        box.process.kill()
        box.process.wait()
        box.process.stdout.close()
        box.stop = lambda: 0
    assert data.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
    with running("--data", data) as box:
        assert {k: v for k, v in box.ready.items() if k not in ("port", "url")} == {
            k: v for k, v in ready.items() if k not in ("port", "url")}
        assert stable(box.state).replace(box.ready["url"], url) == stable(before)
        assert box.state["clock"]["offset"] == 40
        device.sandbox = box
        assert device.answer(pending["sid"]).expect(200).json["status"] == "approved"
        deleted.sandbox = box
        box.get(deleted.challenges, auth=deleted.auth()).expect(401, 20003)
        fresh = Device(box, identity="someone-else", verified=False).form()
        box.post(box.entity() + "/Factors", fresh, auth=("token", token["token"])).expect(201)
        again = box.challenge(totp, AuthPayload=box.code(totp, 2)).expect(201).json
        assert again["status"] == "approved"
        order = [c["sid"] for c in box.get(device.challenges).json["challenges"]]
        assert order[0] == answered["sid"] and order[-1] == again["sid"]
    service = "VA" + "c" * 32
    with running("--data", data, "--service", service, "--token", "another") as box:
        assert box.service == service and box.main[1] == "another"
        assert len(box.state["services"]) == 2
        box.get("/Entities").expect(200)
        assert box.get("/Entities").json["entities"] == []


@pytest.mark.parametrize("damage", [
    lambda t: "", lambda t: "{}", lambda t: t[:-2], lambda t: t.replace('"YF0', '"YX0'),
    lambda t: t.replace('"push"', '"sms"'), lambda t: t.replace('"services"', '"survices"'),
    lambda t: t.replace('"public_key":"M', '"public_key":"N'),
    lambda t: t.replace('"entities":[', '"entities":[1,'),
])
def test_broken_state_file_is_refused(tmp_path, damage):
    data = tmp_path / "state.json"
    with running("--data", data) as box:
        box.challenge(box.device().factor).expect(201)
    text = data.read_text()
    assert damage(text) != text
    data.write_text(damage(text))
    done = run("--port", "0", "--data", data)
    assert done.returncode == 1 and str(data) in done.stderr and done.stderr.count("\n") == 1


def test_changes_that_cannot_be_kept_are_not_confirmed(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    with running("--data", folder / "state.json") as box:
        folder.rename(tmp_path / "moved")
        box.post("/Entities", {"Identity": IDENTITY}).expect(500)
        (tmp_path / "moved").rename(folder)
        box.get("/Entities").expect(200)
        box.process.stderr.readline()
    with running("--data", folder / "state.json") as box:
        box.get(box.entity()).expect(200)
