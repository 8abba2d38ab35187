"""Versions, champions and deployments without a database. Serving workers are what a test puts into the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean, stdev
from typing import Any, Literal
from uuid import UUID

from evergreen.adapters.memory.tables import Tables
from evergreen.core.canary import CanaryTally
from evergreen.core.champion import ProjectedAliases, WorkerView
from evergreen.core.clock import wall_now
from evergreen.ports.champions import ChampionRow, DeploymentRow
from evergreen.ports.versions import ShownVersion, Spread, VersionRow, VersionStatus

OPEN_DEPLOYMENTS = ("preparing", "canary", "flipped")


class MemoryVersions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def _rows(self) -> dict[tuple[str, int], VersionRow]:
        return self._tables.versions

    def insert(self, row: VersionRow) -> None:
        self._rows.setdefault((row.model, row.version), row)

    def get(self, model: str, version: int) -> VersionRow | None:
        return self._rows.get((model, version))

    def of_model(self, model: str) -> list[VersionRow]:
        return sorted((row for row in self._rows.values() if row.model == model), key=lambda row: -row.version)

    def page(self, model: str, limit: int, before: int | None = None) -> list[ShownVersion]:
        return [_shown(row) for row in self.of_model(model) if before is None or row.version < before][:limit]

    def judge(self, model: str, version: int, status: VersionStatus, scorecard: Mapping[str, Any]) -> None:
        self._change(model, version, status=status, scorecard=dict(scorecard))

    def mark_stable(self, model: str, version: int) -> None:
        self._change(model, version, stable=True)

    def quarantine(self, model: str, version: int, reason: str) -> None:
        row = self._rows.get((model, version))
        self._change(model, version, quarantined=(row and row.quarantined) or reason, stable=False)

    def _change(self, model: str, version: int, **changes: Any) -> None:
        row = self._rows.get((model, version))
        if row is not None:
            self._rows[model, version] = replace(row, **changes)


class MemoryChampions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def _rows(self) -> dict[str, ChampionRow]:
        return self._tables.champion_rows

    def get(self, model: str) -> ChampionRow | None:
        return self._rows.get(model)

    def lock(self, model: str) -> ChampionRow | None:
        """A transaction here excludes every other."""
        return self._rows.get(model)

    def all(self) -> list[ChampionRow]:
        return [self._rows[model] for model in sorted(self._rows)]

    def compare_and_set(self, model: str, version: int, *, seen_epoch: int, deployment_id: UUID, since: datetime) -> bool:
        row = self._rows.get(model)
        if (0 if row is None else row.epoch) != seen_epoch:
            return False
        self._rows[model] = ChampionRow(model, version, seen_epoch + 1, deployment_id, since)
        return True


class MemoryDeployments:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def _rows(self) -> dict[UUID, DeploymentRow]:
        return self._tables.deployments

    def open_of(self, model: str) -> DeploymentRow | None:
        return next((row for row in self._rows.values() if row.model == model and row.status in OPEN_DEPLOYMENTS), None)

    def get(self, deployment_id: UUID) -> DeploymentRow | None:
        return self._rows.get(deployment_id)

    def history(self, model: str) -> list[DeploymentRow]:
        return [row for row in reversed(self._rows.values()) if row.model == model]

    def start(self, row: DeploymentRow) -> None:
        if self.open_of(row.model) is not None:
            raise ValueError(f"{row.model} has an open deployment already")
        self._rows[row.id] = replace(row, created_at=wall_now())

    def begin_canary(self, deployment_id: UUID, share: float) -> None:
        self._change(deployment_id, status="canary", canary_share=share, canary_from=wall_now())

    def canary_tally(self, deployment_id: UUID) -> CanaryTally:
        return sum((tally for (about, _), tally in self._tables.canary_tallies.items() if about == deployment_id), CanaryTally())

    def end_canary(self, deployment_id: UUID, verdict: str) -> None:
        self._change(deployment_id, canary_verdict=verdict)

    def flipped(self, deployment_id: UUID, workers: Sequence[str], served_from: datetime) -> None:
        model = self._rows[deployment_id].model
        for row in [one for one in self._rows.values() if one.model == model and one.served_from is not None and one.served_to is None]:
            self._rows[row.id] = replace(row, served_to=served_from)
        self._change(deployment_id, status="flipped", required_workers=tuple(workers), served_from=served_from, served_to=None)

    def confirmed(self, deployment_id: UUID) -> None:
        self._change(deployment_id, status="confirmed")

    def closed(self, deployment_id: UUID, status: Literal["cancelled", "reverted"], error: str, served_to: datetime | None = None) -> None:
        self._change(deployment_id, status=status, error=error, served_to=served_to or self._rows[deployment_id].served_to)

    def mark_stable(self, deployment_id: UUID, since: datetime) -> None:
        self._change(deployment_id, stable_from=self._rows[deployment_id].stable_from or since)

    def workers(self, deployment_id: UUID, live_seconds: float) -> list[WorkerView]:
        live = [worker for worker, beat in self._tables.workers.items() if beat > wall_now() - timedelta(seconds=live_seconds)]
        said: dict[str, dict[str, str]] = {worker: {} for worker in live}
        for (worker, about, phase), detail in self._tables.acks.items():
            if about == deployment_id and worker in said:
                said[worker][phase] = detail
        return [WorkerView(worker, frozenset(phases), phases.get("refused", "")) for worker, phases in sorted(said.items())]

    def _change(self, deployment_id: UUID, **changes: Any) -> None:
        self._rows[deployment_id] = replace(self._rows[deployment_id], **changes)


class MemoryProjectedAliases:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def hold(self, model: str) -> None:
        """One transaction at a time is all there is here."""

    def get(self, model: str) -> ProjectedAliases | None:
        return self._tables.projected_aliases.get(model)

    def put(self, model: str, aliases: ProjectedAliases) -> None:
        self._tables.projected_aliases[model] = aliases


def _shown(row: VersionRow) -> ShownVersion:
    card = dict(row.scorecard or {})
    errors = card.pop("baseline_errors", [])
    spread = Spread(len(errors), fmean(errors), stdev(errors)) if len(errors) > 1 else None
    return ShownVersion(row if row.scorecard is None else replace(row, scorecard=card), spread)
