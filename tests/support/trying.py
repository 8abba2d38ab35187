"""Experiments for tests: plans, counts, and a world to start them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast
from uuid import uuid4

from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.experiment import Variant
from evergreen.core.experiment_verdict import Counts
from evergreen.ports.alerts import AlertRow
from evergreen.ports.experiments import ExperimentRow, ExperimentStore
from evergreen.ports.model import ModelSpec
from evergreen.ports.versions import VersionRow, VersionStatus
from evergreen.services.carry_out import CarryOut
from evergreen.services.experiment_step import ExperimentStep
from evergreen.services.experiments import NewExperiment, RecordedExperiments, RunExperiments
from tests.support.events import NOON
from tests.support.tiny import NAME, tiny_spec

DIVERSE = Variant("b", params={"diversity": 0.6})


def people(users: int, clickers: int, **more: int) -> Counts:
    """One list each."""
    return Counts(**{"exposed": users, "users": users, "lists": users, "clicks": clickers, "clickers": clickers, **more}, total=clickers, squares=clickers)


@dataclass
class Trying:
    store: ExperimentStore
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    specs: Mapping[str, ModelSpec] = field(default_factory=lambda: {NAME: tiny_spec(), "other": tiny_spec()})

    @property
    def service(self) -> RunExperiments:
        return RunExperiments(self.store, self.clock, self.specs)

    @property
    def step(self) -> ExperimentStep:
        return ExperimentStep(self.store, self.clock, CarryOut(self.store, self.clock))

    @property
    def gate(self) -> RecordedExperiments:
        return RecordedExperiments(self.store)

    def start(self, name: str = "diverse", *challengers: Variant, **more: Any) -> ExperimentRow:
        wanted = {"model": NAME, "share": 1.0, "who": "cli:kim", "reason": "do people like it?", **more}
        return self.service.start(NewExperiment(name=name, challengers=challengers or (DIVERSE,), **wanted))

    def versions(self, *, champion: int | None = 1, status: VersionStatus = "approved", numbers: Sequence[int] = (1, 2, 3)) -> None:
        with self.store.transaction() as tx:
            for number in numbers:
                days = (date(2025, 1, 1), date(2025, 1, 20))
                tx.versions.insert(VersionRow(NAME, number, None, f"run-{number}", "memory:", "test", *days, 400, NOON))
                tx.versions.judge(NAME, number, status, {"gates": []})
        if champion is not None:
            self.crown(champion)

    def crown(self, version: int) -> None:
        with self.store.transaction() as tx:
            now = tx.champions.get(NAME)
            assert tx.champions.compare_and_set(NAME, version, seen_epoch=now.epoch if now else 0, deployment_id=uuid4(), since=NOON)

    def row(self, name: str = "diverse") -> ExperimentRow:
        return self.service.get(name)

    def alerts(self) -> list[AlertRow]:
        with self.store.transaction() as tx:
            return list(reversed(tx.alerts.newest(100)))

    def asked(self) -> list[tuple[str, str]]:
        with self.store.transaction() as tx:
            due = tx.actions.due(self.clock.now() + timedelta(days=1), ActionKind.EVALUATE)
        return [(one.action.target, one.action.reason) for one in due]

    def counted(self, *counts: Counts, name: str = "diverse") -> None:
        """Of the store in memory: what a look finds."""
        cast("Any", self.store).tables.counted[name] = list(counts)
