"""Accounts made, disabled and enabled again; tokens that count no more. Each change is recorded with who made it and why."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from evergreen.core.access import Role, by
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.ports.access import AccessChange, AccessStore, AccessTransaction, Account, Kind, Passwords

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


def _made(subject: str) -> str:
    """At random, and without the name in it: a short one may be."""
    return next(made for made in iter(lambda: secrets.token_urlsafe(18), "") if not subject or subject.lower() not in made.lower())


class ManageAccess:
    def __init__(self, store: AccessStore, passwords: Passwords) -> None:
        self._store, self._passwords = store, passwords

    def ensure(self, secret_of: Mapping[str, str]) -> list[str]:
        """The accounts of a first start. Those that are there stay as they are, whatever became of them. Returns the new ones."""
        with self._store.transaction() as tx:
            missing = [name for name in FIRST if name in secret_of and tx.accounts.get(name) is None]
        for name in missing:
            kind, role = FIRST[name]
            self.add(name, kind, [role], secret_of[name], who="first start")
        return missing

    def add(self, subject: str, kind: Kind, roles: Collection[Role], secret: str | None = None, *, who: str = "", reason: str = "") -> str:
        """Returns the secret, which is kept nowhere: one is made where none is given. Raises InvalidRequest."""
        secret = secret or _made(subject)
        if not 0 < len(subject) <= 256 or not subject.isprintable() or subject != subject.strip():
            raise InvalidRequest("a name has 1 to 256 printable characters and no space around it")
        account = Account(subject, kind, tuple(sorted(roles)), self._hash(subject, secret))
        with self._store.transaction() as tx:
            if not tx.accounts.add(account):
                raise InvalidRequest(f"there is an account {subject!r}; a disabled one keeps its name (`evergreen users enable`)")
            tx.access_changes.record(AccessChange("added", subject, who, reason, wall_now()))
        return secret

    def change_secret(self, subject: str, at: datetime, who: str, reason: str = "") -> str:
        """A new one, returned and kept nowhere; tokens got with the old one count no more. Raises NotFound."""
        secret = _made(subject)
        hashed = self._hash(subject, secret)
        with self._store.transaction() as tx:
            if not tx.accounts.set_secret(subject, hashed):
                raise NotFound(f"no account {subject!r}")
            self._revoke_all(tx, subject, at, who)
            tx.access_changes.record(AccessChange("secret_changed", subject, who, reason, at))
        return secret

    def disable(self, subject: str, at: datetime, who: str, reason: str = "") -> None:
        """Its tokens count no more, from now on. Raises NotFound, InvalidRequest for one's own account: nobody may be left to undo it."""
        if who == by(subject):
            raise InvalidRequest("this is your own account: let another operator disable it")
        with self._store.transaction() as tx:
            if not tx.accounts.set_disabled(subject, at):
                raise NotFound(f"no account {subject!r}")
            self._revoke_all(tx, subject, at, who)
            tx.access_changes.record(AccessChange("disabled", subject, who, reason, at))

    def enable(self, subject: str, who: str = "", reason: str = "") -> None:
        with self._store.transaction() as tx:
            if not tx.accounts.set_disabled(subject, None):
                raise NotFound(f"no account {subject!r}")
            tx.access_changes.record(AccessChange("enabled", subject, who, reason, wall_now()))

    def list(self) -> list[Account]:
        with self._store.transaction() as tx:
            return tx.accounts.all()

    def changes(self, limit: int) -> Sequence[AccessChange]:
        """Newest first."""
        with self._store.transaction() as tx:
            return tx.access_changes.newest(limit)

    def revoke_token(self, token_id: str, at: datetime, who: str, reason: str = "") -> None:
        if not 0 < len(token_id) <= 64 or not token_id.isprintable():
            raise InvalidRequest("a token's id (`jti`) has 1 to 64 characters")
        with self._store.transaction() as tx:
            tx.revocations.prune(at)
            tx.revocations.revoke_token(token_id, at, at + REMEMBERED, who)
            tx.access_changes.record(AccessChange("token_revoked", token_id, who, reason, at))

    def revoke_subject(self, subject: str, at: datetime, who: str, reason: str = "") -> None:
        """Whoever it is: tokens speak for users that have no account, too."""
        with self._store.transaction() as tx:
            self._revoke_all(tx, subject, at, who)
            tx.access_changes.record(AccessChange("tokens_revoked", subject, who, reason, at))

    def _hash(self, subject: str, secret: str) -> str:
        if not SHORTEST_SECRET <= len(secret) <= 256 or len(set(secret)) < SHORTEST_SECRET // 2 or subject.lower() in secret.lower():
            raise InvalidRequest(f"a secret has {SHORTEST_SECRET} to 256 characters, not always the same ones, and not the name in it")
        return self._passwords.hash(secret)

    def _revoke_all(self, tx: AccessTransaction, subject: str, at: datetime, who: str) -> None:
        tx.revocations.revoke_subject(subject, at, at + REMEMBERED, who)
