"""Table `experiments` in memory. What is counted of one is put there by the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from evergreen.adapters.memory.tables import Tables
from evergreen.core.experiment_verdict import Counts, Found
from evergreen.ports.experiments import ExperimentRow, ExperimentStatus


class MemoryExperiments:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def start(self, row: ExperimentRow) -> bool:
        if row.plan.name in self._tables.experiments or any(one.plan.model == row.plan.model for one in self.running()):
            return False
        self._tables.experiments[row.plan.name] = row
        return True

    def get(self, name: str) -> ExperimentRow | None:
        return self._tables.experiments.get(name)

    def newest(self, limit: int, model: str | None = None) -> list[ExperimentRow]:
        rows = [row for row in self._tables.experiments.values() if model in (None, row.plan.model)]
        return sorted(sorted(rows, key=lambda row: row.plan.name), key=lambda row: row.started_time, reverse=True)[:limit]

    def running(self) -> list[ExperimentRow]:
        return sorted((row for row in self._tables.experiments.values() if row.status == "running"), key=lambda row: row.plan.model)

    def last_with(self, model: str, version: int) -> ExperimentRow | None:
        rows = [row for row in self._over() if row.plan.model == model and version in row.plan.versions - {row.plan.variants[0].version}]
        return rows[-1] if rows else None

    def looked(self, name: str, at: datetime, found: Found) -> None:
        row = self._tables.experiments[name]
        if row.status == "running":
            self._tables.experiments[name] = replace(row, looked_time=at, found=found)

    def end(self, name: str, status: ExperimentStatus, *, at: datetime, by: str, reason: str) -> bool:
        row = self._tables.experiments[name]
        if row.status != "running":
            return False
        self._tables.experiments[name] = replace(row, status=status, ended_time=at, ended_by=by, end_reason=reason)
        return True

    def counts(self, row: ExperimentRow, now: datetime) -> Sequence[Counts]:
        return self._tables.counted.get(row.plan.name, [Counts() for _ in row.plan.variants])

    def unasked(self) -> list[ExperimentRow]:
        return [row for row in self._over() if row.status == "finished" and row.plan.name not in self._tables.asked]

    def asked(self, name: str) -> None:
        self._tables.asked[name] = True

    def _over(self) -> list[ExperimentRow]:
        return sorted((row for row in self._tables.experiments.values() if row.ended_time is not None), key=lambda row: str(row.ended_time))
