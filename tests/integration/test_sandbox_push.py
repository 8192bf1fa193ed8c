# SPDX-License-Identifier: Apache-2.0
"""factord-sandbox: push factors and their challenges."""

import base64
import json
import os
import time

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox_peer import Device, IDENTITY, box, sandbox_proc, seconds, sign_compact

# Push factors.


def test_push_enrolment(box):
    device = Device(box, verified=False, Metadata='{"os":"Linux"}')
    factor = device.factor
    assert set(factor) == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "binding", "options",
        "date_created", "date_updated", "friendly_name", "status", "factor_type", "config",
        "metadata", "url"}
    assert factor["binding"] == {"alg": "ES256", "public_key": device.public_key()}
    assert factor["options"] is None and factor["status"] == "unverified"
    assert factor["metadata"] == {"os": "Linux"} and factor["identity"] == IDENTITY
    credential = factor["config"].pop("credential_sid")
    assert credential.startswith("CR") and len(credential) == 34
    assert factor["config"] == {"sdk_version": "1.0", "app_id": "org.example.desk",
                                "notification_platform": "none", "notification_token": None}
    factor["config"]["credential_sid"] = credential
    later = box.get(device.path).expect(200).json
    assert "binding" not in later and "options" not in later
    box.challenge(factor).expect(403, 60318)
    reply = device.verify().expect(200)
    assert reply.headers["Twilio-Verify-Factor-Signature"]
    assert reply.json["status"] == "verified" and "binding" not in reply.json
    (dump,) = box.state["factors"]
    key = serialization.load_pem_public_key(dump["public_key_pem"].encode())
    (received,) = dump["auth_payloads"]
    key.verify(base64.b64decode(received["auth_payload"]), factor["sid"].encode(),
               ec.ECDSA(hashes.SHA256()))
    assert received["verdict"] == "accepted"


def test_push_wrong_proofs(box):
    device = Device(box, verified=False)
    device.verify(key=ec.generate_private_key(ec.SECP256R1())).expect(403, 60311)
    device.verify(message="YF" + "0" * 32).expect(403, 60311)
    for payload in ("!", "AAAA", "x" * 2000):
        box.post(device.path, {"AuthPayload": payload}, auth=device.auth()).expect(403, 60311)
    assert box.get(device.path).json["status"] == "unverified"
    device.verify().expect(200)
    verdicts = [p["verdict"] for p in box.state["factors"][0]["auth_payloads"]]
    assert verdicts == ["wrong"] * 5 + ["accepted"]


def test_push_factor_parameters(box):
    device = box.device()
    path = box.entity() + "/Factors"
    fresh = Device.form

    def form(**changes):
        device.key = ec.generate_private_key(ec.SECP256R1())
        new = {**fresh(device), **{k.replace("_", "."): v for k, v in changes.items()}}
        return {k: v for k, v in new.items() if v is not None}

    p384 = base64.b64encode(ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
    for changes, code in [
        ({"FriendlyName": None}, 60300), ({"FriendlyName": "x" * 65}, 60300),
        ({"FactorType": None}, 60300), ({"FactorType": "sms"}, 60306),
        ({"Binding_PublicKey": None}, 60300), ({"Binding_PublicKey": "AAAA"}, 60314),
        ({"Binding_PublicKey": p384}, 60314), ({"Binding_Alg": "RS256"}, 60314),
        ({"Binding_PublicKey": device.public_key().rstrip("=")}, 60314),
        ({"Config_AppId": None}, 60300), ({"Config_AppId": "x" * 101}, 60300),
        ({"Config_SdkVersion": None}, 60300),
        ({"Config_NotificationPlatform": None}, 60300),
        ({"Config_NotificationPlatform": "sms"}, 60306),
        ({"Config_NotificationPlatform": "fcm"}, 60300),
        ({"Config_NotificationPlatform": "fcm", "Config_NotificationToken": "x" * 31}, 60306),
        ({"Config_NotificationPlatform": "fcm", "Config_NotificationToken": "x" * 256}, 60306),
        ({"Metadata": "x"}, 60306), ({"Metadata": "[]"}, 60306), ({"Metadata": '{"a":1}'}, 60306),
        ({"Metadata": '{"a":"%s"}' % ("x" * 1020)}, 60300),
    ]:
        box.post(path, form(**changes)).expect(400, code)
    accepted = form(FriendlyName="ü" * 64, Metadata='{"a":"%s"}' % ("x" * 1016),
                    Config_NotificationPlatform="fcm", Config_NotificationToken="x" * 32)
    factor = box.post(path, accepted).expect(201).json
    assert factor["friendly_name"] == "ü" * 64
    box.post(path, accepted).expect(409, 60317)
    box.post(box.entity("another-user") + "/Factors", accepted).expect(201)


def test_push_factor_update(box):
    device = box.device()
    reply = box.post(device.path, {
        "FriendlyName": "desk-2", "Config.SdkVersion": "2.0", "Config.AppId": "org.example.other",
        "Config.NotificationPlatform": "fcm", "Config.NotificationToken": "t" * 40},
        auth=device.auth()).expect(200)
    assert reply.json["friendly_name"] == "desk-2" and reply.json["status"] == "verified"
    assert reply.json["config"]["notification_token"] == "t" * 40
    # All or nothing.
    box.post(device.path, {"FriendlyName": "desk-3", "Config.NotificationPlatform": "x"},
             auth=device.auth()).expect(400, 60306)
    assert box.get(device.path).json["friendly_name"] == "desk-2"
    back = box.post(device.path, {"Config.NotificationPlatform": "none"}, auth=device.auth())
    assert back.expect(200).json["config"]["notification_token"] is None


def test_push_factors_are_at_most_20(box):
    devices = [box.device(verified=False) for _ in range(20)]
    device = box.device(identity="someone-else")
    box.post(box.entity() + "/Factors", device.form()).expect(400, 60315)
    box.totp(verified=False)
    box.delete(devices[3].path).expect(204)
    box.post(box.entity() + "/Factors", device.form()).expect(201)


# Challenges of push factors.


def test_push_challenge_shape_and_approval(box):
    device = box.device()
    fields = [{"label": "IP", "value": "192.0.2.7"}, {"label": "Ü", "value": "a/b \"c\""},
              {"label": "IP", "value": "again"}]
    form = [("FactorSid", device.factor["sid"]), ("Details.Message", "Sign in? ✓")]
    form += [("Details.Fields", json.dumps(f)) for f in fields]
    form += [("HiddenDetails", '{"ip":"192.0.2.7"}')]
    created = box.call("POST", device.challenges, form).expect(201).json
    assert set(created) == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "factor_sid",
        "date_created", "date_updated", "date_responded", "expiration_date", "status",
        "responded_reason", "details", "hidden_details", "metadata", "factor_type", "url", "links"}
    assert created["details"] == {"message": "Sign in? ✓", "fields": fields}
    assert created["hidden_details"] == {"ip": "192.0.2.7"} and created["metadata"] is None
    assert created["links"]["notifications"] == created["url"] + "/Notifications"
    assert created["responded_reason"] == "none" and created["date_responded"] is None
    assert seconds(created["expiration_date"]) - seconds(created["date_created"]) == 300

    fetched = device.fetch(created["sid"]).expect(200)
    assert fetched.json == created
    assert fetched.headers["Twilio-Verify-Signature-Fields"] == (
        "account_sid,service_sid,identity,factor_sid,sid,date_created,expiration_date,details,"
        "hidden_details")
    answered = device.answer(created["sid"], metadata={"decision": "1"}).expect(200)
    assert answered.headers["Twilio-Verify-Challenge-Signature"]
    assert answered.json["status"] == "approved" and answered.json["metadata"] == {"decision": "1"}
    assert answered.json["date_responded"] is not None
    assert device.fetch(created["sid"]).json == answered.json
    device.answer(created["sid"], "denied").expect(403, 60322)

    (dump,) = box.state["challenges"]
    assert dump["updates"] == 1
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["approved", "approved"]
    pem = box.state["factors"][0]["public_key_pem"]
    signed = jwt.decode(dump["auth_payloads"][0]["auth_payload"], pem, algorithms=["ES256"])
    assert signed == {**{n: created[n] for n in fetched.headers[
        "Twilio-Verify-Signature-Fields"].split(",")}, "status": "approved"}
    # A device's JWT can be taken from the log and checked again.
    logged = [r for r in box.state["requests"] if r["auth"] == "device"][-1]
    user, token = base64.b64decode(logged["authorization"].split()[1]).decode().split(":")
    assert user == "token" and logged["credential"] == device.factor["config"]["credential_sid"]
    assert jwt.decode(token, pem, algorithms=["ES256"],
                      options={"verify_exp": False})["sub"] == box.account


def test_push_challenge_denial(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    answered = device.answer(sid, "denied").expect(200).json
    assert answered["status"] == "denied" and answered["metadata"] is None


def test_push_challenge_wrong_answers(box):
    device, other = box.device(), box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    twin = box.challenge(device.factor).expect(201).json["sid"]
    for wrong in (
        {"key": other.key}, {"status": "pending"}, {"status": ...}, {"status": 1},
        {"details": {"message": "Another", "fields": []}}, {"details": ...},
        {"details": {"message": "Sign in?"}}, {"details": None}, {"hidden_details": ...},
        {"hidden_details": {}}, {"sid": twin}, {"factor_sid": other.factor["sid"]},
        {"identity": IDENTITY.upper()}, {"date_created": "2026-01-02T03:04:05Z"},
        {"expiration_date": ...}, {"account_sid": ...}, {"service_sid": None},
        {"key": device.public_key(), "alg": "HS256"},
        {"key": "", "alg": "none"},
    ):
        status = wrong.pop("status", "approved")
        device.answer(sid, status, **wrong).expect(403, 60324)
    for payload in ("x", "a.b.c", "x" * 5456):
        box.post(f"{device.challenges}/{sid}", {"AuthPayload": payload},
                 auth=device.auth()).expect(403, 60324)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": "x" * 5457},
             auth=device.auth()).expect(400, 60300)
    box.post(f"{device.challenges}/{sid}", {}, auth=device.auth()).expect(400, 60300)
    device.answer(sid, metadata=["x"]).expect(400, 60306)
    assert device.fetch(sid).json["status"] == "pending"
    assert box.state["challenges"][0]["updates"] == 0
    # Order, white space and more members are of no matter.
    payload = dict(reversed(device.payload(sid, "approved", more="tolerated").items()))
    text = json.dumps(payload, indent=3).replace("/", "\\/").replace("S", "\\u0053")
    for alg in ("none", "HS256", None):
        signed = sign_compact(device.key, {"alg": alg}, text)
        box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
                 auth=device.auth()).expect(403, 60324)
    signed = sign_compact(device.key, '{ "alg":"ES256" }', text)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(200)


def test_challenge_parameters(box):
    device = box.device()
    now = box.now()

    def stamp(offset):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + offset))

    field = json.dumps({"label": "l", "value": "v"})
    for form, code in [
        ([("FactorSid", "YF1")], 60306), ([], 60300),
        ([("Details.Message", "")], 60300), ([("Details.Message", "x" * 257)], 60300),
        ([("Details.Fields", "x")], 60306), ([("Details.Fields", '{"label":"x"}')], 60306),
        ([("Details.Fields", '{"label":1,"value":"x"}')], 60306),
        ([("Details.Fields", json.dumps({"label": "x" * 37, "value": ""}))], 60300),
        ([("Details.Fields", json.dumps({"label": "", "value": "x" * 129}))], 60300),
        ([("Details.Fields", field)] * 21, 60300),
        ([("HiddenDetails", '{"a":{}}')], 60306),
        ([("HiddenDetails", '{"a":"%s"}' % ("x" * 1017))], 60300),
        ([("ExpirationDate", "soon")], 60306), ([("ExpirationDate", stamp(-10))], 60306),
        ([("ExpirationDate", stamp(3700))], 60306),
    ]:
        names = {name for name, _ in form}
        if form and "FactorSid" not in names:
            form = [("FactorSid", device.factor["sid"])] + form
            if "Details.Message" not in names:
                form.append(("Details.Message", "x"))
        box.call("POST", device.challenges, form).expect(400, code)
    box.challenge(device.factor, **{"FactorSid": "YF" + "0" * 32}).expect(404, 20404)
    box.call("POST", device.challenges, [
        ("FactorSid", device.factor["sid"]), ("Details.Message", "ü" * 256),
        *[("Details.Fields", json.dumps({"label": "ü" * 36, "value": "ü" * 128}))] * 20,
        ("HiddenDetails", '{"a":"%s"}' % ("x" * 1016)),
        ("ExpirationDate", stamp(3500))]).expect(201)
    offset = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(now + 7200 + 60))
    made = box.challenge(device.factor, ExpirationDate=offset).expect(201).json
    assert seconds(made["expiration_date"]) == now + 60


def test_expiry(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    box.simulate("clock", {"offset": 299 - 10})
    assert device.fetch(sid).json["status"] == "pending"
    box.simulate("clock", {"offset": 301})
    pending = box.get(device.challenges + "?Status=pending").expect(200).json["challenges"]
    assert pending == []
    (expired,) = box.get(device.challenges + "?Status=expired").expect(200).json["challenges"]
    assert expired["sid"] == sid and expired["date_responded"] is None
    device.answer(sid).expect(403, 60323)
    assert device.fetch(sid).json["status"] == "expired"
    # Between the fetch and the answer.
    sid = box.challenge(device.factor).expect(201).json["sid"]
    signed = jwt.encode(device.payload(sid, "approved"), device.key, algorithm="ES256")
    box.simulate("clock", {"offset": 700})
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": signed},
             auth=device.auth()).expect(403, 60323)


def test_challenge_of_a_deleted_factor(box):
    device = box.device()
    sid = box.challenge(device.factor).expect(201).json["sid"]
    box.delete(device.path).expect(204)
    box.get(f"{device.challenges}/{sid}").expect(200)
    box.post(f"{device.challenges}/{sid}", {"AuthPayload": "x"}).expect(404, 20404)
    device.fetch(sid).expect(401, 20003)


def test_notifications(box):
    quiet = box.device()
    loud = box.device(**{"Config.NotificationPlatform": "fcm",
                         "Config.NotificationToken": "t" * 40})
    sid = box.challenge(quiet.factor).expect(201).json["sid"]
    box.post(f"{quiet.challenges}/{sid}/Notifications", {}).expect(400, 60307)
    sid = box.challenge(loud.factor).expect(201).json["sid"]
    path = f"{loud.challenges}/{sid}/Notifications"
    sent = box.post(path, {"Ttl": "0"}).expect(201).json
    assert set(sent) == {"sid", "account_sid", "service_sid", "entity_sid", "identity",
                         "challenge_sid", "priority", "ttl", "date_created"}
    assert sent["priority"] == "high" and sent["ttl"] == 0 and sent["sid"].startswith("NT")
    assert box.post(path, {}).expect(201).json["ttl"] == 300
    box.post(path, {"Ttl": "301"}).expect(400, 60306)
    loud.answer(sid).expect(200)
    box.post(path, {}).expect(403, 60322)
