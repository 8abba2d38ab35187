"""Accounts made, disabled and enabled again; tokens that count no more."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from evergreen.core.access import Role
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.ports.access import AccessStore, Account, Kind, Passwords

SHORTEST_SECRET = 12
REMEMBERED = timedelta(days=401)
"""Longer than any token lasts."""

FIRST: Mapping[str, tuple[Kind, Role]] = {
    "admin": ("person", Role.OPERATOR),
    "analyst": ("person", Role.ANALYST),
    "viewer": ("person", Role.VIEWER),
    "app": ("client", Role.SERVICE),
}
"""Made at the first start, with generated secrets."""


class ManageAccess:
    def __init__(self, store: AccessStore, passwords: Passwords) -> None:
        self._store, self._passwords = store, passwords

    def ensure(self, secret_of: Mapping[str, str]) -> list[str]:
        """The accounts of a first start. Those that are there stay as they are, whatever became of them. Returns the new ones."""
        with self._store.transaction() as tx:
            missing = [name for name in FIRST if name in secret_of and tx.accounts.get(name) is None]
        for name in missing:
            kind, role = FIRST[name]
            self.add(name, kind, [role], secret_of[name])
        return missing

    def add(self, subject: str, kind: Kind, roles: Collection[Role], secret: str | None = None) -> str:
        """Returns the secret, which is kept nowhere: one is made where none is given. Raises InvalidRequest."""
        secret = secret or secrets.token_urlsafe(18)
        if not 0 < len(subject) <= 256 or not subject.isprintable() or subject != subject.strip():
            raise InvalidRequest("a name has 1 to 256 printable characters and no space around it")
        if not SHORTEST_SECRET <= len(secret) <= 256 or len(set(secret)) < SHORTEST_SECRET // 2 or subject.lower() in secret.lower():
            raise InvalidRequest(f"a secret has {SHORTEST_SECRET} to 256 characters, not always the same ones, and not the name in it")
        account = Account(subject, kind, tuple(sorted(roles)), self._passwords.hash(secret))
        with self._store.transaction() as tx:
            if not tx.accounts.add(account):
                raise InvalidRequest(f"there is an account {subject!r}; a disabled one keeps its name (`evergreen users enable`)")
        return secret

    def disable(self, subject: str, at: datetime, who: str) -> None:
        """Its tokens count no more, from now on. Raises NotFound."""
        with self._store.transaction() as tx:
            if not tx.accounts.set_disabled(subject, at):
                raise NotFound(f"no account {subject!r}")
            tx.revocations.revoke_subject(subject, at, at + REMEMBERED, who)

    def enable(self, subject: str) -> None:
        with self._store.transaction() as tx:
            if not tx.accounts.set_disabled(subject, None):
                raise NotFound(f"no account {subject!r}")

    def list(self) -> list[Account]:
        with self._store.transaction() as tx:
            return tx.accounts.all()

    def revoke_token(self, token_id: str, at: datetime, who: str) -> None:
        if not 0 < len(token_id) <= 64 or not token_id.isprintable():
            raise InvalidRequest("a token's id (`jti`) has 1 to 64 characters")
        with self._store.transaction() as tx:
            tx.revocations.prune(at)
            tx.revocations.revoke_token(token_id, at, at + REMEMBERED, who)

    def revoke_subject(self, subject: str, at: datetime, who: str) -> None:
        with self._store.transaction() as tx:
            tx.revocations.revoke_subject(subject, at, at + REMEMBERED, who)
