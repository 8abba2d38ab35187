"""Table `cache_generations`, raised by a serving worker for an operator."""

from __future__ import annotations

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.postgres.generations import BUMP
from evergreen.core.errors import Unavailable

_ASYNC = BUMP.replace("%s", "$1", 1).replace("%s", "$2", 1)


class PostgresGenerations:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def bump(self, kind: str, by: str) -> int:
        row = await self._postgres.fetch_row(_ASYNC, kind, by)
        if row is None:
            raise Unavailable("the generation was not raised")
        return int(row["generation"])
