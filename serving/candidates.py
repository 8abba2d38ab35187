"""Asks for a model trained elsewhere to be let into the gates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import UUID

from evergreen.core.clock import Clock
from evergreen.ports.model import ModelSpec
from evergreen.services.submissions import RequestSubmission, Submission


class Candidates:
    """With a connection of its own for each, closed again: it happens once in a while, and the pool's budget is for predictions."""

    def __init__(self, dsn: str, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._dsn = dsn
        self._clock = clock
        self._specs = specs

    async def submit(self, asked: Submission) -> UUID:
        """The action's id. Raises NotFound, InvalidRequest, KeyReused, Unavailable."""
        return await asyncio.to_thread(self._submit, asked)

    def _submit(self, asked: Submission) -> UUID:
        from evergreen.adapters.postgres.store import PostgresStore

        store = PostgresStore(self._dsn, max_connections=1)
        try:
            return RequestSubmission(store, self._clock, self._specs).run(asked).id
        finally:
            store.close()
