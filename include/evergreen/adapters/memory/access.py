"""Accounts and revocations without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from evergreen.adapters.memory.tables import Tables
from evergreen.core.access import Revocations
from evergreen.ports.access import AccessChange, Account


class MemoryAccounts:
    def __init__(self, tables: Tables) -> None:
        self._rows = tables.accounts

    def get(self, subject: str) -> Account | None:
        return self._rows.get(subject)

    def add(self, account: Account) -> bool:
        return self._rows.setdefault(account.subject, account) is account

    def set_secret(self, subject: str, secret_hash: str) -> bool:
        return self._change(subject, secret_hash=secret_hash)

    def set_disabled(self, subject: str, at: datetime | None) -> bool:
        return self._change(subject, disabled_at=at)

    def all(self) -> list[Account]:
        return [self._rows[subject] for subject in sorted(self._rows)]

    def _change(self, subject: str, **fields: object) -> bool:
        if subject not in self._rows:
            return False
        self._rows[subject] = replace(self._rows[subject], **fields)  # type: ignore[arg-type]
        return True


class MemoryAccessChanges:
    def __init__(self, tables: Tables) -> None:
        self._rows = tables.access_changes

    def record(self, change: AccessChange) -> None:
        self._rows.append(change)

    def newest(self, limit: int) -> list[AccessChange]:
        return self._rows[::-1][:limit]


class MemoryRevocations:
    def __init__(self, tables: Tables) -> None:
        self._rows = tables.revocations

    def revoke_token(self, token_id: str, at: datetime, until: datetime, who: str) -> None:
        self._revoke("token", token_id, at, until)

    def revoke_subject(self, subject: str, at: datetime, until: datetime, who: str) -> None:
        self._revoke("subject", subject, at, until)

    def current(self, now: datetime) -> Revocations:
        rows = [(what, name, at) for (what, name), (at, until) in self._rows.items() if until > now]
        return Revocations(
            tokens=frozenset(name for what, name, _ in rows if what == "token"),
            subjects={name: int(at.timestamp()) for what, name, at in rows if what == "subject"},
        )

    def prune(self, now: datetime) -> int:
        over = [key for key, (_, until) in self._rows.items() if until <= now]
        for key in over:
            del self._rows[key]
        return len(over)

    def _revoke(self, what: str, name: str, at: datetime, until: datetime) -> None:
        earlier = self._rows.get((what, name), (at, until))
        self._rows[what, name] = (max(at, earlier[0]), max(until, earlier[1]))
