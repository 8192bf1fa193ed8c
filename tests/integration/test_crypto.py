# SPDX-License-Identifier: Apache-2.0
"""Codes and signatures against implementations that share nothing with ours: oathtool for HOTP and
TOTP, pyca/cryptography and PyJWT for ES256. Ours come from the small programs otp-tool and push-tool,
which print what totp/ and push/ make."""

import base64
import json
import random
import subprocess

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from process import TIMEOUT

CODES_A_PROCESS = 10
TOTP_PROCESSES = 300
HOTP_PROCESSES = 60
KEYS = 10
# Each line of push-tool has three signatures.
LINES_A_KEY = 334
ES256 = ec.ECDSA(hashes.SHA256())


def run(command, text=None):
    done = subprocess.run(
        [str(part) for part in command],
        input=text,
        capture_output=True,
        text=True,
        timeout=3 * TIMEOUT,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout.splitlines()


def otp_tool(build_dir, lines):
    codes = run([build_dir / "tests/unit/otp-tool"], "\n".join(lines) + "\n")
    assert len(codes) == len(lines)
    return codes


def random_secret(rng):
    """As often short, of a usual length, and beyond the blocks of the hashes."""
    longest = rng.choice((4, 20, 32, 64, 200))
    return rng.randbytes(rng.randint(1, longest)).hex()


def assert_same_codes(lines, ours, theirs):
    wrong = [
        f"{line}: {a}, oathtool says {b}" for line, a, b in zip(lines, ours, theirs) if a != b
    ]
    assert not wrong, "\n".join(wrong[:10])
    assert len(ours) == len(theirs) == len(lines)


def test_totp_as_oathtool(build_dir):
    rng = random.Random()
    lines, theirs = [], []
    for _ in range(TOTP_PROCESSES):
        algorithm = rng.choice(("sha1", "sha256", "sha512"))
        digits = rng.choice((6, 7, 8))
        period = rng.choice((20, 30, 60, rng.randint(1, 3600)))
        t0 = rng.choice((0, 0, rng.randint(1, 10**6)))
        now = rng.randint(t0, rng.choice((10**6, 2 * 10**9, 10**11)) + t0)
        secret = random_secret(rng)
        theirs += run(
            ["oathtool", f"--totp={algorithm}", "-d", digits, "-s", f"{period}s"]
            + ["-S", f"@{t0}", "-N", f"@{now}", "-w", CODES_A_PROCESS - 1, secret]
        )
        lines += [
            f"totp {algorithm} {digits} {period} {t0} {now + i * period} {secret}"
            for i in range(CODES_A_PROCESS)
        ]
    assert len(lines) >= 3000
    assert_same_codes(lines, otp_tool(build_dir, lines), theirs)


def test_hotp_as_oathtool(build_dir):
    rng = random.Random()
    lines, theirs = [], []
    for _ in range(HOTP_PROCESSES):
        digits = rng.choice((6, 7, 8))
        counter = rng.randint(0, rng.choice((100, 2**32, 2**62)))
        secret = random_secret(rng)
        theirs += run(
            ["oathtool", "--hotp", "-d", digits, "-c", counter, "-w", CODES_A_PROCESS - 1, secret]
        )
        lines += [
            f"hotp sha1 {digits} {counter + i} {secret}" for i in range(CODES_A_PROCESS)
        ]
    assert_same_codes(lines, otp_tool(build_dir, lines), theirs)


def unpadded(text):
    """Strict base64url: no padding, no other alphabet, no loose bits."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert base64.urlsafe_b64encode(data).decode().rstrip("=") == text
    return data


def padded(text):
    data = base64.b64decode(text, validate=True)
    assert base64.b64encode(data).decode() == text
    return data


def verify_jws(key, token):
    """Returns header and payload, as bytes."""
    header, payload, signature = token.split(".")
    raw = unpadded(signature)
    assert len(raw) == 64, "the signature is not 64 bytes"
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(encode_dss_signature(r, s), f"{header}.{payload}".encode(), ES256)
    return unpadded(header), unpadded(payload)


@pytest.fixture(scope="module")
def signed(build_dir):
    """What push-tool signed, and the keys by their text."""
    lines = run([build_dir / "tests/unit/push-tool", "generate", KEYS, LINES_A_KEY])
    items = [json.loads(line) for line in lines]
    assert 3 * len(items) >= 10000
    keys = {text: load_public(text) for text in {item["public_key"] for item in items}}
    assert len(keys) == KEYS
    return items, keys


def load_public(text):
    der = padded(text)
    assert len(der) == 91
    key = serialization.load_der_public_key(der)
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    return key


def test_signatures_verify(signed):
    items, keys = signed
    for item in items:
        key = keys[item["public_key"]]
        key.verify(padded(item["factor_payload"]), item["factor_sid"].encode(), ES256)

        header, payload = verify_jws(key, item["jws"])
        assert header == b'{"typ":"JWT","alg":"ES256"}'
        assert payload == padded(item["payload"])

        header, payload = verify_jws(key, item["device_jwt"])
        assert json.loads(header) == {
            "cty": "twilio-pba;v=1",
            "kid": "CR" + 32 * "c",
            "typ": "JWT",
            "alg": "ES256",
        }
        assert json.loads(payload) == {
            "sub": "AC" + 32 * "a",
            "nbf": item["now"] - 5,
            "exp": item["now"] + 595,
        }


def test_verification_can_fail(signed):
    items, keys = signed
    texts = list(keys)
    item = items[0]
    other = keys[next(text for text in texts if text != item["public_key"])]
    with pytest.raises(InvalidSignature):
        verify_jws(other, item["jws"])
    with pytest.raises(InvalidSignature):
        other.verify(padded(item["factor_payload"]), item["factor_sid"].encode(), ES256)


def test_tokens_decode_with_pyjwt(signed):
    items, keys = signed
    for item in items[:: len(items) // 300]:
        key = keys[item["public_key"]]
        claims = jwt.decode(
            item["device_jwt"],
            key,
            algorithms=["ES256"],
            options={"verify_exp": False, "verify_nbf": False},
        )
        assert claims["exp"] - claims["nbf"] == 600
        assert jwt.get_unverified_header(item["device_jwt"])["cty"] == "twilio-pba;v=1"
        answer = jwt.decode(item["jws"], key, algorithms=["ES256"])
        assert answer["status"] == "approved"
        assert answer["factor_sid"] == item["factor_sid"]


# A challenge's values, in JSON that a reader and a writer would hand back changed.
VALUES = (
    "null",
    "true",
    "0",
    "-0",
    "1e400",
    "123456789012345678901234567890.000",
    '""',
    '"caf\\u00e9 \\/ \\ud83d\\ude00"',
    '"caf\u00e9"',
    '"\\"},{\\"status\\":\\"approved\\""',
    "[ ]",
    '[ 1 , "x", {"a" : [null]} ]',
    '{ "b":1,  "a":2 }',
    '{"status":"approved","sid":"YC"}',
)


def test_values_are_signed_as_they_came(build_dir):
    """A key made elsewhere, and random challenges: what is signed has the very bytes."""
    rng = random.Random()
    for _ in range(60):
        key = ec.generate_private_key(ec.SECP256R1())
        pkcs8 = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        members = {f"m{i}": rng.choice(VALUES) for i in range(rng.randint(0, 12))}
        members |= {"sid": '"YC1"', "status": '"pending"'}
        names = list(members)
        rng.shuffle(names)
        space = rng.choice(("", " ", "\t"))
        challenge = "{" + ",".join(f'{space}"{n}"{space}:{space}{members[n]}' for n in names) + "}"
        fields = [n for n in names if n in ("sid", "status") or rng.random() < 0.6]
        rng.shuffle(fields)
        status = rng.choice(("approved", "denied"))
        (token,) = run(
            [build_dir / "tests/unit/push-tool", "sign", ",".join(fields), status],
            base64.b64encode(pkcs8).decode() + "\n" + challenge + "\n",
        )
        _, payload = verify_jws(key.public_key(), token)
        expected = [f'"{n}":{members[n]}' for n in fields if n != "status"]
        assert payload.decode() == "{" + ",".join([*expected, f'"status":"{status}"']) + "}"
