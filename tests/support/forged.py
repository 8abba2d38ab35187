"""Tokens that must not count, each nearly right."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evergreen.adapters.token_keys import KeyRing
from evergreen.core.clock import wall_now


def now() -> int:
    return int(wall_now().timestamp())


def claims(**other: Any) -> dict[str, Any]:
    """Of a good token; None leaves one out."""
    at = now()
    found = {"iss": "evergreen", "sub": "mallory", "aud": "evergreen", "iat": at, "exp": at + 600, "jti": "0123456789abcdef", "scope": "operator service"}
    return {name: value for name, value in {**found, **other}.items() if value is not None}


def signed(ring: KeyRing, payload: Mapping[str, Any] | bytes, key: Ed25519PrivateKey | None = None, **header: Any) -> str:
    """By the ring's own key unless another is given, whatever the header says."""
    fields = {name: value for name, value in {"alg": "EdDSA", "typ": "JWT", "kid": ring.kid, **header}.items() if value is not None}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    inner = f"{part(json.dumps(fields).encode())}.{part(body)}"
    return f"{inner}.{part((key or ring.signing).sign(inner.encode()))}"


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _swapped(token: str, place: int, value: str) -> str:
    parts = token.split(".")
    parts[place] = value
    return ".".join(parts)


def _hmac_with_the_public_key(ring: KeyRing) -> str:
    public = ring.signing.public_key()
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    inner = f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': ring.kid}).encode())}.{part(json.dumps(claims()).encode())}"
    return f"{inner}.{part(algorithm.sign(inner.encode(), public.public_bytes(Encoding.Raw, PublicFormat.Raw)))}"


def _other_spelling(ring: KeyRing) -> str:
    """The same signature with unused bits set: the last character holds only some."""
    token = signed(ring, claims())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


MALLORY = Ed25519PrivateKey.generate()

FORGED: dict[str, Callable[[KeyRing], str]] = {
    "alg-none": lambda ring: _swapped(_swapped(signed(ring, claims()), 0, part(b'{"alg":"none","typ":"JWT"}')), 2, ""),
    "alg-none-signed": lambda ring: signed(ring, claims(), alg="none"),
    "alg-in-capitals": lambda ring: signed(ring, claims(), alg="EDDSA"),
    "alg-missing": lambda ring: signed(ring, claims(), alg=None),
    "hs256-with-the-public-key": _hmac_with_the_public_key,
    "es256-said": lambda ring: signed(ring, claims(), alg="ES256"),
    "wrong-audience": lambda ring: signed(ring, claims(aud="other")),
    "audience-as-a-list": lambda ring: signed(ring, claims(aud=["evergreen", "other"])),
    "wrong-issuer": lambda ring: signed(ring, claims(iss="evergreen.example")),
    "expired": lambda ring: signed(ring, claims(iat=now() - 700, exp=now() - 1)),
    "not-yet-valid": lambda ring: signed(ring, claims(nbf=now() + 60)),
    "issued-in-the-future": lambda ring: signed(ring, claims(iat=now() + 60)),
    "for-ever": lambda ring: signed(ring, claims(exp=2**39)),
    "no-expiry": lambda ring: signed(ring, claims(exp=None)),
    "no-issue-time": lambda ring: signed(ring, claims(iat=None)),
    "no-subject": lambda ring: signed(ring, claims(sub=None)),
    "empty-subject": lambda ring: signed(ring, claims(sub="")),
    "subject-with-a-newline": lambda ring: signed(ring, claims(sub="a\nb")),
    "no-id": lambda ring: signed(ring, claims(jti=None)),
    "no-scope": lambda ring: signed(ring, claims(scope=None)),
    "unknown-scope": lambda ring: signed(ring, claims(scope="operator root")),
    "scope-as-a-list": lambda ring: signed(ring, claims(scope=["operator"])),
    "expiry-as-text": lambda ring: signed(ring, claims(exp="9999999999")),
    "expiry-as-a-float": lambda ring: signed(ring, claims(exp=1e300)),
    "expiry-true": lambda ring: signed(ring, claims(exp=True)),
    "an-extra-claim": lambda ring: signed(ring, claims(admin=True)),
    "no-kid": lambda ring: signed(ring, claims(), kid=None),
    "kid-that-walks": lambda ring: signed(ring, claims(), kid="../../../../dev/null"),
    "kid-that-is-sql": lambda ring: signed(ring, claims(), kid="x' UNION SELECT 'aaaa'; --"),
    "kid-as-a-number": lambda ring: signed(ring, claims(), kid=1),
    "kid-as-an-object": lambda ring: signed(ring, claims(), kid={"a": 1}),
    "another-key": lambda ring: signed(ring, claims(), MALLORY),
    "another-key-and-its-own-kid": lambda ring: signed(ring, claims(), MALLORY, kid="0123456789abcdef"),
    "key-in-the-header": lambda ring: signed(ring, claims(), MALLORY, jwk={"kty": "OKP", "crv": "Ed25519", "x": part(MALLORY.public_key().public_bytes_raw())}),
    "key-behind-a-url": lambda ring: signed(ring, claims(), jku="https://mallory.example/keys"),
    "critical-extension": lambda ring: signed(ring, claims(), crit=["b64"], b64=False),
    "typ-missing": lambda ring: signed(ring, claims(), typ=None),
    "nested": lambda ring: signed(ring, signed(ring, claims()).encode(), cty="JWT"),
    "payload-changed": lambda ring: _swapped(signed(ring, claims(scope="viewer")), 1, part(json.dumps(claims()).encode())),
    "truncated": lambda ring: signed(ring, claims())[:-10],
    "signature-missing": lambda ring: signed(ring, claims()).rpartition(".")[0],
    "signature-empty": lambda ring: _swapped(signed(ring, claims()), 2, ""),
    "four-parts": lambda ring: signed(ring, claims()) + ".e30",
    "padded": lambda ring: signed(ring, claims()) + "==",
    "another-spelling": _other_spelling,
    "not-base64": lambda ring: _swapped(signed(ring, claims()), 1, "%%%%"),
    "not-json": lambda ring: signed(ring, b"\xff\xfe"),
    "a-list": lambda ring: signed(ring, b"[]"),
    "deep": lambda ring: signed(ring, b"[" * 2000),
    "huge": lambda ring: signed(ring, claims(sub="a" * 5000)),
    "unicode-digits": lambda ring: signed(ring, claims()).replace("1", "１"),
    "nothing": lambda _ring: "",
    "two-dots": lambda _ring: "..",
}
