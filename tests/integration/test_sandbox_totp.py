# SPDX-License-Identifier: Apache-2.0
"""factord-sandbox: TOTP factors and their challenges."""

import time

import pytest

from sandbox_peer import SECRET, Sandbox, box, date_of, running, sandbox_proc

# TOTP.


def test_totp_enrolment(box):
    factor = box.totp(verified=False)
    assert set(factor) - {"path"} == {
        "sid", "account_sid", "service_sid", "entity_sid", "identity", "binding", "options",
        "date_created", "date_updated", "friendly_name", "status", "factor_type", "config",
        "metadata", "url"}
    assert len(factor["binding"]["secret"]) == 32 and factor["metadata"] is None
    assert factor["binding"]["uri"] == (
        "otpauth://totp/Sandbox:Account%20Name?secret=" + factor["binding"]["secret"] +
        "&issuer=Sandbox&algorithm=SHA1&digits=6&period=30")
    assert factor["config"] == {"alg": "sha1", "skew": 1, "code_length": 6, "time_step": 30}
    wrong = box.post(factor["path"], {"AuthPayload": box.wrong_code(factor)}).expect(200)
    assert wrong.json["status"] == "unverified"
    right = box.post(factor["path"], {"AuthPayload": box.code(factor)}).expect(200)
    assert right.json["status"] == "verified"
    (dump,) = box.state["factors"]
    assert dump["secret"] == factor["binding"]["secret"]
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["wrong", "accepted"]


@pytest.mark.parametrize("alg", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("digits,step,skew", [(3, 20, 0), (6, 30, 1), (8, 60, 2)])
def test_totp_configurations(box, alg, digits, step, skew):
    # In the middle of a step, so that no step ends while the test runs.
    now = box.now()
    box.simulate("clock", {"offset": step // 4 - now % step})
    factor = box.totp(verified=False, Alg=alg, CodeLength=digits, TimeStep=step, Skew=skew)
    assert factor["config"] == {"alg": alg, "code_length": digits, "time_step": step, "skew": skew}
    for steps in (-skew - 1, skew + 1):
        reply = box.post(factor["path"], {"AuthPayload": box.code(factor, steps)}).expect(200)
        assert reply.json["status"] == "unverified"
    reply = box.post(factor["path"], {"AuthPayload": box.code(factor, -skew)}).expect(200)
    assert reply.json["status"] == "verified"
    for steps in range(1 - skew, skew + 1):
        reply = box.challenge(factor, AuthPayload=box.code(factor, steps)).expect(201)
        assert reply.json["status"] == "approved"


def test_totp_given_secret_and_known_codes(box):
    box.simulate("clock", {"offset": 2000000000 - int(time.time())})
    form = {"FactorType": "totp", "FriendlyName": "x", "Binding.Secret": SECRET,
            "Config.CodeLength": "8"}
    factor = box.post(box.entity() + "/Factors", form).expect(201).json
    assert factor["binding"]["secret"] == SECRET
    path = f"{box.entity()}/Factors/{factor['sid']}"
    # RFC 6238, appendix B.
    assert box.post(path, {"AuthPayload": "69279037"}).expect(200).json["status"] == "verified"
    box.post(box.entity() + "/Factors", form).expect(409, 60317)


def test_totp_parameters(box):
    base = {"FactorType": "totp", "FriendlyName": "x"}
    for name, value, code in [
        ("Binding.Secret", "not base32", 60314), ("Binding.Secret", SECRET.lower(), 60314),
        ("Binding.Secret", "", 60314), ("Config.TimeStep", "19", 60306),
        ("Config.TimeStep", "61", 60306), ("Config.Skew", "3", 60306),
        ("Config.CodeLength", "2", 60306), ("Config.CodeLength", "9", 60306),
        ("Config.Alg", "md5", 60306), ("Config.Alg", "SHA1", 60306),
        ("FriendlyName", "", 60300), ("Metadata", "{", 60306),
    ]:
        box.post(box.entity() + "/Factors", {**base, name: value}).expect(400, code)
    factor = box.totp()
    for code in ("12", "123456789"):
        box.post(factor["path"], {"AuthPayload": code}).expect(400, 60306)
        box.challenge(factor, AuthPayload=code).expect(400, 60306)
    updated = box.post(factor["path"], {"Config.Skew": "2", "Config.TimeStep": "60"}).expect(200)
    assert updated.json["config"] == {"alg": "sha1", "skew": 2, "code_length": 6, "time_step": 60}


def test_totp_verification_attempts(box):
    factor = box.totp(verified=False)
    wrong = box.wrong_code(factor)
    for _ in range(5):
        reply = box.post(factor["path"], {"AuthPayload": wrong}).expect(200)
        assert reply.json["status"] == "unverified"
    for code in (wrong, box.code(factor)):
        box.post(factor["path"], {"AuthPayload": code}).expect(429, 60310)
    (dump,) = box.state["factors"]
    assert dump["status"] == "unverified" and dump["attempts"] == 5
    assert len(dump["auth_payloads"]) == 7


def test_totp_challenge(box):
    factor = box.totp()
    made = box.challenge(factor).expect(201).json
    assert made["status"] == "pending" and made["details"] is None
    assert made["factor_type"] == "totp"
    path = f"{box.entity()}/Challenges/{made['sid']}"
    wrong = box.post(path, {"AuthPayload": box.wrong_code(factor)}).expect(200).json
    assert wrong["status"] == "pending"
    code = box.code(factor)
    right = box.post(path, {"AuthPayload": code, "Metadata": '{"a":"b"}'}).expect(200).json
    assert right["status"] == "approved" and right["metadata"] == {"a": "b"}
    box.post(path, {"AuthPayload": code}).expect(403, 60322)
    (dump,) = box.state["challenges"]
    assert dump["attempts"] == 1 and dump["updates"] == 1
    assert [p["verdict"] for p in dump["auth_payloads"]] == ["wrong", "approved", "approved"]


def test_totp_challenge_attempts(box):
    factor = box.totp()
    wrong = box.wrong_code(factor)
    made = box.challenge(factor, AuthPayload=wrong).expect(201).json
    assert made["status"] == "pending"
    path = f"{box.entity()}/Challenges/{made['sid']}"
    for _ in range(4):
        assert box.post(path, {"AuthPayload": wrong}).expect(200).json["status"] == "pending"
    box.post(path, {"AuthPayload": box.code(factor)}).expect(429, 60308)
    assert box.get(path).json["status"] == "pending"
    other = box.challenge(factor, AuthPayload=box.code(factor)).expect(201).json
    assert other["status"] == "approved"


def test_totp_codes_are_good_once(box):
    factor = box.totp(verified=False)
    code = box.code(factor)
    box.post(factor["path"], {"AuthPayload": code}).expect(200)
    again = box.challenge(factor, AuthPayload=code).expect(201).json
    assert again["status"] == "pending"
    earlier = box.challenge(factor, AuthPayload=box.code(factor, -1)).expect(201).json
    assert earlier["status"] == "pending"
    later = box.challenge(factor, AuthPayload=box.code(factor, 1)).expect(201).json
    assert later["status"] == "approved"
    with running("--allow-code-reuse") as lax:
        factor = lax.totp(verified=False)
        code = lax.code(factor)
        lax.post(factor["path"], {"AuthPayload": code}).expect(200)
        assert lax.challenge(factor, AuthPayload=code).expect(201).json["status"] == "approved"


def test_clock_set_back_blocks_nothing(box):
    box.simulate("clock", {"offset": 7200})
    factor = box.totp()
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 0})
    made = box.challenge(factor, AuthPayload=box.code(factor)).expect(201).json
    assert made["status"] == "approved"


def test_totp_factors_are_at_most_100(box):
    for _ in range(100):
        last = box.totp(verified=False)
    form = {"FactorType": "totp", "FriendlyName": "x"}
    box.post(box.entity() + "/Factors", form).expect(400, 60315)
    box.delete(last["path"]).expect(204)
    box.post(box.entity() + "/Factors", form).expect(429, 60326)
    box.simulate("clock", {"offset": 86401})
    box.post(box.entity() + "/Factors", form).expect(201)


def test_totp_challenge_rate(box):
    factor = box.totp()
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 3605})
    for _ in range(50):
        box.challenge(factor).expect(201)
    box.simulate("clock", {"offset": 7210})
    box.challenge(factor).expect(429, 60312)
    box.simulate("clock", {"offset": 86405})
    box.challenge(factor).expect(201)
    short = box.totp(CodeLength=4)
    for _ in range(10):
        box.challenge(short).expect(201)
    box.challenge(short).expect(429, 60312)
    device = box.device()
    for _ in range(60):
        box.challenge(device.factor).expect(201)
    with running("--no-rate-limits") as fast:
        factor = fast.totp(CodeLength=3)
        for _ in range(60):
            fast.challenge(factor).expect(201)


def test_entity_rate(box):
    connection = box.connect()
    replies = [box.call("POST", "/Entities", {"Identity": f"fast-{i:06d}"}, connection=connection)
               for i in range(41)]
    connection.close()
    assert all(r.status == 201 for r in replies[:40])
    # On a machine that takes a second for this, there is nothing to refuse.
    if date_of(replies[40]) == date_of(replies[0]):
        replies[40].expect(429, 60328)
    with running("--no-rate-limits") as fast:
        connection = fast.connect()
        for i in range(60):
            fast.call("POST", "/Entities", {"Identity": f"fast-{i:06d}"},
                      connection=connection).expect(201)
        connection.close()
