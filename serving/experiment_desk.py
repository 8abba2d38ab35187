"""Starts, stops and shows experiments for the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_experiments import ExperimentSaid
from evergreen.core.clock import Clock
from evergreen.ports.experiments import ExperimentRow
from evergreen.ports.model import ModelSpec
from evergreen.services.experiments import NewExperiment, RunExperiments, experiment_said
from evergreen.services.once import Keyed
from serving.keyed import answered_once
from serving.own_store import OwnStore

T = TypeVar("T")


class ExperimentDesk:
    def __init__(self, stores: OwnStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._stores = stores
        self._clock = clock
        self._specs = specs

    async def start(self, asked: NewExperiment, keyed: Keyed | None) -> ExperimentSaid:
        """Raises NotFound, InvalidRequest, KeyReused, Unavailable."""

        def work(store: PostgresStore) -> ExperimentSaid:
            service = RunExperiments(store, self._clock, self._specs)
            return answered_once(store, keyed, ExperimentSaid, lambda: started(service, asked))

        return await self._stores.use(work)

    async def stop(self, name: str, *, who: str, reason: str) -> ExperimentRow:
        return await self._with(lambda service: service.stop(name, who=who, reason=reason))

    async def get(self, name: str) -> ExperimentRow:
        return await self._with(lambda service: service.get(name))

    async def newest(self, limit: int, model: str | None) -> Sequence[ExperimentRow]:
        return await self._with(lambda service: service.newest(limit, model))

    async def _with(self, work: Callable[[RunExperiments], T]) -> T:
        return await self._stores.use(lambda store: work(RunExperiments(store, self._clock, self._specs)))


def started(service: RunExperiments, asked: NewExperiment) -> ExperimentSaid:
    return ExperimentSaid.model_validate(experiment_said(service.start(asked)))
