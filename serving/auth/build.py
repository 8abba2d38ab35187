"""The parts of access control, joined for one worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from evergreen.adapters.access_rows import RememberedRevocations, RevocationRows
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.redis_limits import RedisLimits
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.token_check import check
from evergreen.adapters.token_keys import TokenKeys
from evergreen.core.access import BadToken, Principal
from evergreen.core.clock import wall_now
from serving.auth.authenticator import Authenticator
from serving.auth.cors import Cors
from serving.auth.follower import AccessFollower
from serving.auth.gate import Gate
from serving.auth.limiter import Limiter
from serving.auth.peers import Peers

if TYPE_CHECKING:
    from evergreen.adapters.oidc import ExternalIssuer
    from evergreen.settings import Settings


@dataclass
class Access:
    """What lets in, and what it follows."""

    gate: Gate
    follower: AccessFollower
    keys: TokenKeys
    cors: Cors


class Tokens:
    """Our own tokens, and another issuer's where there is one."""

    def __init__(self, settings: Settings, keys: TokenKeys) -> None:
        self._settings, self._keys = settings.auth, keys

    @cached_property
    def external(self) -> ExternalIssuer | None:
        if not self._settings.oidc.jwks_url:
            return None
        from evergreen.adapters.oidc import ExternalIssuer

        return ExternalIssuer(self._settings.oidc)

    def check(self, token: str) -> Principal:
        own = self._settings
        try:
            return check(token, self._keys.ring.accepted, issuer=own.issuer, audience=own.audience, now=wall_now().timestamp())
        except BadToken:
            if self.external is None:
                raise
            return self.external.check(token)


def build_access(
    settings: Settings, postgres: AsyncPostgres, redis: RedisLink, *, on_degraded: Callable[[bool], None], refused: Callable[[str], None]
) -> Access:
    """Raises UnsafeSettings."""
    keys = TokenKeys(settings)
    tokens = Tokens(settings, keys)
    external = tokens.external  # a URL that cannot be used is told at the start
    authenticator = Authenticator(tokens.check, lambda: wall_now().timestamp())
    limiter = Limiter(RedisLimits(redis), workers=settings.serving.max_workers, on_degraded=on_degraded)
    peers = Peers(settings.auth.trusted_proxies, settings.auth.dashboard_secret.get_secret_value())
    gate = Gate(authenticator, limiter, peers, settings.auth.limits, refused)
    memory = RememberedRevocations(settings.home / "data" / "access" / "revoked.json")
    follower = AccessFollower(authenticator, RevocationRows(postgres), memory, keys.reload, lambda: external)
    return Access(gate, follower, keys, Cors(settings.auth.cors_origins))
