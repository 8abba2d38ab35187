"""Checks our own tokens: JSON Web Tokens signed with Ed25519, in exactly the form `token_mint` gives them.

Written out instead of taken from a library, since it is what every worker does before its first answer: the library costs 80 ms to import,
and accepts far more than is ever issued here. Tests hold it against the library, both ways (ADR 0016).

Guarantee: what passes was signed by an accepted key, for this audience, and is valid now. The algorithm is no choice of the token's, and
nothing in its header is followed."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evergreen.core.access import BadToken, Principal, roles_in

LONGEST = 4096
LEEWAY_SECONDS = 5
"""Clocks of two machines."""
LONGEST_LIFE_SECONDS = 400 * 24 * 3600
_URL_SAFE = str.maketrans("-_", "+/")


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    alg: Literal["EdDSA"]
    kid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    typ: Literal["JWT"]


class _Claims(msgspec.Struct, forbid_unknown_fields=True):
    iss: str
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    aud: str
    exp: Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
    iat: Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    scope: str
    nbf: Annotated[int, msgspec.Meta(ge=0, lt=2**40)] = 0


_header = msgspec.json.Decoder(_Header).decode
_claims = msgspec.json.Decoder(_Claims).decode


def check(token: str, accepted: Mapping[str, Ed25519PublicKey], *, issuer: str, audience: str, now: float) -> Principal:
    """Raises BadToken."""
    if len(token) > LONGEST:
        raise BadToken("it is too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("it does not have three parts")
    try:
        header = _header(_decoded(parts[0]))
        key = accepted[header.kid]
        key.verify(_decoded(parts[2]), f"{parts[0]}.{parts[1]}".encode("ascii"))
        claims = _claims(_decoded(parts[1]))
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, RecursionError):
        raise BadToken("it is not in the form of our tokens") from None
    except KeyError:
        raise BadToken("no key of that name is accepted") from None
    except InvalidSignature:
        raise BadToken("its signature is wrong") from None
    return _valid(claims, issuer, audience, now)


def _valid(claims: _Claims, issuer: str, audience: str, now: float) -> Principal:
    if claims.iss != issuer or claims.aud != audience:
        raise BadToken("it was issued by or for somebody else")
    if claims.exp <= now:
        raise BadToken("it has expired")
    if max(claims.iat, claims.nbf) > now + LEEWAY_SECONDS:
        raise BadToken("it is not valid yet")
    if not 0 < claims.exp - claims.iat <= LONGEST_LIFE_SECONDS:
        raise BadToken("it would last too long")
    if not claims.sub.isprintable():
        raise BadToken("its subject cannot be written down")
    return Principal(claims.sub, roles_in(claims.scope), claims.jti, claims.iat, claims.exp)


def _decoded(part: str) -> bytes:
    """Base64url without padding, in its one canonical spelling: no token has a second form."""
    if not part.isascii() or "+" in part or "/" in part or "=" in part:
        raise binascii.Error("alphabet")
    raw = binascii.a2b_base64(part.translate(_URL_SAFE) + "=" * (-len(part) % 4), strict_mode=True)
    if binascii.b2a_base64(raw, newline=False).rstrip(b"=") != part.translate(_URL_SAFE).encode("ascii"):
        raise binascii.Error("spelling")
    return raw
