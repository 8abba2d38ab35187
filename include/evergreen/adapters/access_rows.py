"""Tables `accounts` and `revocations` as a serving worker reads them."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.core.access import Revocations, Role
from evergreen.ports.access import Account

_ACCOUNT = "SELECT subject, kind, roles, secret_hash, disabled_at FROM accounts WHERE subject = $1"
_REVOKED = "SELECT what, id, extract(epoch FROM revoked_at)::bigint AS at FROM revocations WHERE until > clock_timestamp()"


class AccountRows:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def find(self, subject: str) -> Account | None:
        row = await self._postgres.fetch_row(_ACCOUNT, subject)
        if row is None:
            return None
        return Account(row["subject"], row["kind"], tuple(map(Role, row["roles"])), row["secret_hash"], row["disabled_at"])


class RevocationRows:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres
        self._version: UUID | None = None
        self._read = False

    async def look(self) -> Revocations | None:
        """The list, or None when it is as at the last look. Raises Unavailable."""
        row = await self._postgres.fetch_row("SELECT version FROM revocations_version")
        version = None if row is None else row["version"]
        if self._read and version == self._version:
            return None
        rows = await self._postgres.fetch(_REVOKED)  # after the version: what changes in between is read again at the next look
        self._version, self._read = version, True
        return Revocations(
            tokens=frozenset(row["id"] for row in rows if row["what"] == "token"), subjects={row["id"]: row["at"] for row in rows if row["what"] == "subject"}
        )


class RememberedRevocations:
    """The last list, on this home's disk, for a worker that starts while Postgres is away."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Revocations:
        try:
            kept = json.loads(self._path.read_text())
            return Revocations(frozenset(map(str, kept["tokens"])), {str(name): int(at) for name, at in kept["subjects"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Revocations()

    def keep(self, found: Revocations) -> None:
        """Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(f"{self._path.name}.{id(self)}.partial")
        partial.write_text(json.dumps({"tokens": sorted(found.tokens), "subjects": dict(found.subjects)}))
        partial.replace(self._path)
