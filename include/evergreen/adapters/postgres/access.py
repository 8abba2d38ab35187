"""Tables `accounts` and `revocations`."""

from __future__ import annotations

from datetime import datetime

import psycopg2.extensions

from evergreen.core.access import Revocations, Role
from evergreen.ports.access import AccessChange, Account

_ACCOUNT = "SELECT subject, kind, roles, secret_hash, disabled_at FROM accounts"
_REVOKE = """
INSERT INTO revocations (what, id, revoked_at, until, who) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (what, id) DO UPDATE SET revoked_at = greatest(revocations.revoked_at, excluded.revoked_at), until = greatest(revocations.until, excluded.until)
"""


class PostgresAccounts:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def get(self, subject: str) -> Account | None:
        found = self._read(f"{_ACCOUNT} WHERE subject = %s", (subject,))
        return found[0] if found else None

    def add(self, account: Account) -> bool:
        query = "INSERT INTO accounts (subject, kind, roles, secret_hash, disabled_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
        return self._write(query, (account.subject, account.kind, [role.value for role in account.roles], account.secret_hash, account.disabled_at))

    def set_secret(self, subject: str, secret_hash: str) -> bool:
        return self._write("UPDATE accounts SET secret_hash = %s WHERE subject = %s", (secret_hash, subject))

    def set_disabled(self, subject: str, at: datetime | None) -> bool:
        return self._write("UPDATE accounts SET disabled_at = %s WHERE subject = %s", (at, subject))

    def all(self) -> list[Account]:
        return self._read(f"{_ACCOUNT} ORDER BY subject", ())

    def _read(self, query: str, values: tuple[object, ...]) -> list[Account]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return [Account(subject, kind, tuple(map(Role, roles)), secret, at) for subject, kind, roles, secret, at in cursor.fetchall()]

    def _write(self, query: str, values: tuple[object, ...]) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.rowcount == 1


class PostgresAccessChanges:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, change: AccessChange) -> None:
        values = (change.what, change.subject, change.who, change.reason, change.at)
        with self._connection.cursor() as cursor:
            cursor.execute("INSERT INTO access_changes (what, subject, who, reason, at) VALUES (%s, %s, %s, %s, %s)", values)

    def newest(self, limit: int) -> list[AccessChange]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT what, subject, who, reason, at FROM access_changes ORDER BY seq DESC LIMIT %s", (limit,))
            return [AccessChange(*found) for found in cursor.fetchall()]


class PostgresRevocations:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def revoke_token(self, token_id: str, at: datetime, until: datetime, who: str) -> None:
        self._revoke("token", token_id, at, until, who)

    def revoke_subject(self, subject: str, at: datetime, until: datetime, who: str) -> None:
        self._revoke("subject", subject, at, until, who)

    def current(self, now: datetime) -> Revocations:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT what, id, revoked_at FROM revocations WHERE until > %s", (now,))
            rows = cursor.fetchall()
        return Revocations(
            tokens=frozenset(name for what, name, _ in rows if what == "token"),
            subjects={name: int(at.timestamp()) for what, name, at in rows if what == "subject"},
        )

    def prune(self, now: datetime) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM revocations WHERE until <= %s", (now,))
            return cursor.rowcount

    def _revoke(self, *row: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(_REVOKE, row)
