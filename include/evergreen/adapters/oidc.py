"""Tokens of another issuer (OpenID Connect): checked against its published keys, which are fetched beside the answering.

Guarantee: a request never waits for the issuer. Failure: a token names a key that is not known yet. Remedy: it is refused, the keys are
fetched anew (at most every RETRY_SECONDS), and it counts from then on. Failure: the issuer is away. Remedy: the keys known last stay."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import structlog

from evergreen.adapters.safe_http import Hosts, NoAnswer, Refused, get, target_of
from evergreen.core.access import BadToken, Principal, Role
from evergreen.core.errors import UnsafeSettings

if TYPE_CHECKING:
    from evergreen.settings_auth import OidcSettings

RETRY_SECONDS = 10.0
LONGEST_TOKEN = 8192
_LARGEST_SET = 256 * 1024
_REQUIRED = ["exp", "iat", "sub", "aud", "iss"]
log = structlog.get_logger(__name__)


class ExternalIssuer:
    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        parts = urlsplit(settings.jwks_url)
        host = (f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}",)
        hosts = Hosts(allowed=host, plain=host if settings.plain else (), private=host if settings.private else ())
        try:
            self._target = target_of(settings.jwks_url, hosts)
        except Refused as error:
            raise UnsafeSettings(f"EVERGREEN_AUTH__OIDC__JWKS_URL cannot be used: {error}") from None
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._missed = False

    def check(self, token: str) -> Principal:
        """Raises BadToken."""
        if len(token) > LONGEST_TOKEN:
            raise BadToken("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid", "")))
            if key is None:
                self._missed = True
                raise BadToken("no key of that name is accepted")
            if "crit" in header or key.algorithm_name not in self._settings.algorithms:
                raise BadToken("it is signed in a way that is not accepted")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],  # the key's, not the token's word
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=5,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise BadToken(f"the issuer's token is refused ({type(error).__name__})") from None
        return self._principal(claims)

    def due(self) -> bool:
        """Whether the keys should be fetched now."""
        if self._fetched_at is None:
            return True
        age = time.monotonic() - self._fetched_at
        return age > self._settings.refresh_seconds or (self._missed and age > RETRY_SECONDS)

    def refresh(self) -> bool:
        """Fetch the keys; True when they are others. Blocks for the time-out at most: not for an event loop."""
        self._fetched_at, self._missed = time.monotonic(), False
        try:
            found = json.loads(get(self._target, {"Accept": "application/json"}, self._settings.timeout_seconds, _LARGEST_SET))
            keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(found).keys if key.key_id and key.algorithm_name in self._settings.algorithms}
        except (Refused, NoAnswer, jwt.PyJWTError, ValueError, AttributeError, KeyError, TypeError) as error:
            log.warning("issuers_keys_not_fetched", host=self._target.host, error=str(error) if isinstance(error, NoAnswer) else type(error).__name__)
            return False
        changed, self._keys = keys.keys() != self._keys.keys(), keys
        return changed

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        said = claims.get(self._settings.roles_claim, "")
        names = said.split() if isinstance(said, str) else [name for name in said if isinstance(name, str)] if isinstance(said, list) else []
        roles: frozenset[Role] = frozenset(Role(self._settings.roles[name]) for name in names if name in self._settings.roles)
        subject = claims["sub"]
        if not roles:
            raise BadToken("its issuer gives it no role here")
        if not isinstance(subject, str) or not 0 < len(subject) <= 256 or not subject.isprintable():
            raise BadToken("its subject cannot be written down")
        return Principal(subject, roles, str(claims.get("jti", "")), int(claims["iat"]), int(claims["exp"]))
