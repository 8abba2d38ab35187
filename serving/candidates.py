"""Asks for a model trained elsewhere to be let into the gates."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from evergreen.core.clock import Clock
from evergreen.ports.model import ModelSpec
from evergreen.services.submissions import RequestSubmission, Submission
from serving.own_store import OwnStore


class Candidates:
    def __init__(self, stores: OwnStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._stores = stores
        self._clock = clock
        self._specs = specs

    async def submit(self, asked: Submission) -> UUID:
        """The action's id. Raises NotFound, InvalidRequest, KeyReused, Unavailable."""
        return await self._stores.use(lambda store: RequestSubmission(store, self._clock, self._specs).run(asked).id)
