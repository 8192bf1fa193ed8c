# SPDX-License-Identifier: Apache-2.0
"""Independent checks: what the programs sign, compute and log, judged by other people's libraries."""

import base64
import json
import re
import subprocess
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key


def load_public_key(public_key_b64):
    """A Binding.PublicKey: standard base64 of a DER SubjectPublicKeyInfo, P-256."""
    der = base64.b64decode(public_key_b64, validate=True)
    assert len(der) == 91, "not an uncompressed P-256 SubjectPublicKeyInfo"
    key = load_der_public_key(der)
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    return key


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"duplicate keys: {keys}"
    return dict(pairs)


def base64url(text):
    """Strict: URL alphabet, no padding."""
    assert re.fullmatch(r"[A-Za-z0-9_-]*", text), "not unpadded base64url"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jws_bytes(token):
    """Header and payload of a compact JWS as they were signed, byte for byte."""
    header, payload, _ = token.split(".")
    return base64url(header), base64url(payload)


def verify_jws(public_key_b64, token):
    """Verifies a compact ES256 JWS, with PyJWT and once more by hand, and returns header and payload."""
    key = load_public_key(public_key_b64)
    jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        options={"verify_exp": False, "verify_nbf": False, "verify_aud": False},
    )
    signed, _, signature = token.rpartition(".")
    raw = base64url(signature)
    assert len(raw) == 64, "an ES256 signature is r and s, 32 bytes each"
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, signed.encode(), ec.ECDSA(SHA256()))
    return tuple(json.loads(part, object_pairs_hook=unique_keys) for part in jws_bytes(token))


def verify_der_signature(public_key_b64, signature_b64, message):
    """A factor's verification payload: padded base64 of a DER signature over its SID."""
    signature = base64.b64decode(signature_b64, validate=True)
    load_public_key(public_key_b64).verify(signature, message.encode(), ec.ECDSA(SHA256()))


def basic_credentials(authorization):
    """User and password of an Authorization header."""
    scheme, _, value = authorization.partition(" ")
    assert scheme == "Basic", f"not Basic: {scheme}"
    user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    return user, password


def verify_device_jwt(public_key_b64, authorization):
    """Checks a push factor's own credentials and returns the claims."""
    user, token = basic_credentials(authorization)
    assert user == "token"
    header, claims = verify_jws(public_key_b64, token)
    assert header.keys() == {"cty", "kid", "typ", "alg"}
    assert (header["cty"], header["typ"], header["alg"]) == ("twilio-pba;v=1", "JWT", "ES256")
    assert re.fullmatch(r"CR[0-9a-fA-F]{32}", header["kid"])
    assert claims.keys() == {"sub", "exp", "nbf"}
    assert claims["exp"] - claims["nbf"] == 600
    return claims


def oath_code(secret_base32, *, when=None, algorithm="sha1", digits=6, period=30):
    """What oathtool says the code is; when is Unix time, now by default."""
    command = ["oathtool", f"--totp={algorithm}", "-b", "-d", str(digits), "-s", f"{period}s"]
    if when is not None:
        command += ["-N", f"@{int(when)}"]
    # The secret goes in by stdin, as it should everywhere.
    done = subprocess.run(
        [*command, "-"], input=secret_base32, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def check_request(request):
    """What holds for every request that a client sends, whatever it is about."""
    assert request["user_agent"].startswith("factord/"), request
    assert request["accept"] == "application/json", request
    if request["method"] == "POST":
        assert request["content_type"] == "application/x-www-form-urlencoded", request
    else:
        assert not request["content_type"], request
        assert not request["params"], request


def _forms(secret):
    """A secret as it might slip out: plain, encoded, or as bytes in hexadecimal."""
    raw = secret.encode()
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield raw.hex()


def assert_no_secrets(text, secrets, where):
    """The text must not hold any of the secrets, in any of the usual encodings."""
    lower = text.lower()
    for secret in secrets:
        assert len(secret) >= 8, "too short to look for"
        for form in _forms(secret):
            assert form.lower() not in lower, f"a secret stands in {where}"


def assert_no_tokens(text, where):
    """Nor a JWT, a private key or an Authorization header of any kind."""
    found = re.search(r"eyJ[A-Za-z0-9_-]{16,}\.|PRIVATE KEY|Basic [A-Za-z0-9+/]{16,}", text)
    assert not found, f"a credential stands in {where}: {found.group(0)[:12]}…"
