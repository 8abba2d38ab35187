"""Access control of a worker with twins around it: real keys, tokens, hashes and limits, no Postgres and no Redis."""

from __future__ import annotations

from collections.abc import Callable

from evergreen.adapters.memory.limits import MemoryLimits
from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.memory.tickets import MemoryTickets
from evergreen.adapters.passwords import NOBODYS, Argon2
from evergreen.adapters.token_keys import TokenKeys
from evergreen.adapters.token_mint import TokenMint
from evergreen.core.access import Revocations, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.ports.access import Account
from evergreen.services.issue_token import CheckCredentials
from evergreen.services.manage_access import ManageAccess
from evergreen.settings import Settings
from serving.auth.authenticator import Authenticator
from serving.auth.build import Access, Tokens
from serving.auth.cors import Cors
from serving.auth.follower import AccessFollower
from serving.auth.gate import Gate
from serving.auth.limiter import Limiter
from serving.auth.peers import Peers


class Door:
    def __init__(self, settings: Settings, *, on_degraded: Callable[[bool], None] = lambda _is: None) -> None:
        self.store, self.limits, self.tickets = MemoryStore(), MemoryLimits(), MemoryTickets()
        self.away = False
        """Postgres."""
        self.kept = Revocations()
        """What the worker remembers on disk."""
        keys = TokenKeys(settings)
        self.mint, self.manage = TokenMint(settings.auth, keys), ManageAccess(self.store, Argon2())
        self.credentials = CheckCredentials(self, Argon2(), NOBODYS)
        authenticator = Authenticator(Tokens(settings, keys).check, lambda: wall_now().timestamp())
        limiter = Limiter(self.limits, workers=settings.serving.max_workers, on_degraded=on_degraded)
        self.refusals: list[str] = []
        peers = Peers(settings.auth.trusted_proxies, settings.auth.dashboard_secret.get_secret_value())
        gate = Gate(authenticator, limiter, peers, settings.auth.limits, self.refusals.append)
        self.access = Access(gate, AccessFollower(authenticator, self, self, keys.reload, lambda: None), keys, Cors(settings.auth.cors_origins))

    def token(self, *roles: Role, subject: str = "test", minutes: float = 10) -> str:
        return self.mint.mint(subject, roles, minutes).token

    async def find(self, subject: str) -> Account | None:
        if self.away:
            raise Unavailable("Postgres does not answer")
        with self.store.transaction() as tx:
            return tx.accounts.get(subject)

    async def look(self) -> Revocations | None:
        if self.away:
            raise Unavailable("Postgres does not answer")
        with self.store.transaction() as tx:
            return tx.revocations.current(wall_now())

    def read(self) -> Revocations:
        return self.kept

    def keep(self, found: Revocations) -> None:
        self.kept = found
