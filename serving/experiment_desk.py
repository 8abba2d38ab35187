"""Starts, stops and shows experiments for the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from evergreen.core.clock import Clock
from evergreen.ports.experiments import ExperimentRow
from evergreen.ports.model import ModelSpec
from evergreen.services.experiments import NewExperiment, RunExperiments
from serving.own_store import OwnStore

T = TypeVar("T")


class ExperimentDesk:
    def __init__(self, stores: OwnStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._stores = stores
        self._clock = clock
        self._specs = specs

    async def start(self, asked: NewExperiment) -> ExperimentRow:
        """Raises NotFound, InvalidRequest, Unavailable."""
        return await self._with(lambda service: service.start(asked))

    async def stop(self, name: str, *, who: str, reason: str) -> ExperimentRow:
        return await self._with(lambda service: service.stop(name, who=who, reason=reason))

    async def get(self, name: str) -> ExperimentRow:
        return await self._with(lambda service: service.get(name))

    async def newest(self, limit: int, model: str | None) -> Sequence[ExperimentRow]:
        return await self._with(lambda service: service.newest(limit, model))

    async def _with(self, work: Callable[[RunExperiments], T]) -> T:
        return await self._stores.use(lambda store: work(RunExperiments(store, self._clock, self._specs)))
