"""Makes tokens, for `/auth/token`, for people at the terminal and for this home's own processes that call serving."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from evergreen.adapters.token_check import LONGEST_LIFE_SECONDS
from evergreen.adapters.token_keys import TokenKeys
from evergreen.core.access import Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from evergreen.settings_auth import AuthSettings

OWN_MINUTES = 10


@dataclass(frozen=True)
class Minted:
    token: str
    token_id: str
    expires_at: datetime


class TokenMint:
    def __init__(self, settings: AuthSettings, keys: TokenKeys) -> None:
        self._issuer, self._audience, self._keys = settings.issuer, settings.audience, keys

    def mint(self, subject: str, roles: Collection[Role], minutes: float) -> Minted:
        """Raises InvalidRequest for a subject or a life no worker would accept."""
        import jwt

        if not subject or len(subject) > 256 or not subject.isprintable() or not roles:
            raise InvalidRequest("a token needs a subject of 1 to 256 printable characters, and a role")
        if not 1 <= minutes * 60 <= LONGEST_LIFE_SECONDS:
            raise InvalidRequest(f"a token lasts a second at least and {LONGEST_LIFE_SECONDS // 86400} days at most")
        self._keys.reload()
        ring, now, token_id = self._keys.ring, wall_now(), uuid4().hex
        expires_at = now + timedelta(minutes=minutes)
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "aud": self._audience,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": token_id,
            "scope": " ".join(sorted(roles)),
        }
        return Minted(jwt.encode(claims, ring.signing, algorithm="EdDSA", headers={"kid": ring.kid}), token_id, expires_at)


class OwnToken:
    """A token of this process's own, made again when half of its life is over. Thread-safe."""

    def __init__(self, mint: TokenMint, subject: str, roles: Collection[Role]) -> None:
        self._mint, self._subject, self._roles = mint, subject, roles
        self._lock = threading.Lock()
        self._token, self._fresh_until = "", 0.0

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() >= self._fresh_until:
                self._token = self._mint.mint(self._subject, self._roles, OWN_MINUTES).token
                self._fresh_until = time.monotonic() + OWN_MINUTES * 30
            return self._token
