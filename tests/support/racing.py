"""Promoters and rollbacks that run into each other, on either store: claims, workers that agree, and racers that can die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from evergreen.adapters.memory.deployments import OPEN_DEPLOYMENTS
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.champion import Agreement, Phase
from evergreen.core.clock import FixedClock, wall_now
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.registry import LoadedVersion, ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.services.rollback import Rollback
from tests.support.meanwhile import repeatedly
from tests.support.serving_workers import ServingWorkers, Worker
from tests.support.tiny import NAME, tiny_spec

NOW = datetime(2025, 2, 1, tzinfo=UTC)
AnyStore = MemoryStore | PostgresStore


class Died(BaseException):
    """A kill -9 where it is raised."""


class Mortal(Deploy):
    """Dies when it begins to wait for the phase."""

    dies_at: Phase | None = None

    def _await(self, row: DeploymentRow, phase: Phase) -> Agreement:
        if phase == self.dies_at:
            raise Died
        return super()._await(row, phase)


class AllLoad(MemoryRegistry):
    """Every version loads; nothing is read."""

    def load(self, spec: Any, version: int) -> LoadedVersion:
        return cast("LoadedVersion", None)


@dataclass
class Track:
    store: AnyStore
    clock: FixedClock
    registry: ModelRegistry

    def version(self, number: int, *, against: int | None = None, stable: bool = False) -> None:
        row = VersionRow(NAME, number, None, f"run-{number}", "memory:", "test", date(2025, 1, 1), date(2025, 1, 20), 400, NOW, "candidate")
        with self.store.transaction() as tx:
            tx.versions.insert(row)
            tx.versions.judge(NAME, number, "approved", {"judged_against": against, "gates": []})
            if stable:
                tx.versions.mark_stable(NAME, number)

    def claim(self, kind: ActionKind, target: str, **params: Any) -> ClaimedAction:
        """Claimed as another model's, carried out for this one: as runs overlap whose leases went to others."""
        action = Action(id=uuid4(), kind=kind, model=f"{NAME}-{uuid4()}", target=target, params=params, reason="race", due_at=NOW, as_of=NOW)
        with self.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=NOW)
        claim = CarryOut(self.store, self.clock).claim(kind, f"run-{action.id}", action.id)
        assert claim is not None
        return ClaimedAction(action.model_copy(update={"model": NAME}), claim.lease, claim.attempts)

    def run(self, claim: ClaimedAction, *, dies_at: Phase | None = None) -> dict[str, Any]:
        carry_out, projection = CarryOut(self.store, self.clock), ChampionProjection(self.store, self.registry, [])
        deploy = Mortal(self.store, self.clock, carry_out, projection, min_confirmations=1, confirm_seconds=20.0)
        deploy.dies_at = dies_at
        if claim.action.kind is ActionKind.PROMOTE:
            return dict(Promote(deploy).run(claim))
        return dict(Rollback(self.store, self.registry, deploy, lambda _: tiny_spec()).run(claim))

    def champion(self) -> tuple[int, int]:
        with self.store.transaction() as tx:
            row = tx.champions.get(NAME)
        return (0, 0) if row is None else (row.version, row.epoch)

    def history(self) -> list[DeploymentRow]:
        """Oldest first."""
        with self.store.transaction() as tx:
            return list(reversed(tx.deployments.history(NAME)))

    def open(self) -> int:
        if isinstance(self.store, MemoryStore):
            with self.store.transaction():
                return sum(row.status in OPEN_DEPLOYMENTS for row in self.store.tables.deployments.values())
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM deployments WHERE status NOT IN ('confirmed', 'cancelled', 'reverted')")
            row = cursor.fetchone()
        return int(row[0]) if row else 0


class MemoryWorkers(ServingWorkers):
    """The same workers in the twin's tables."""

    def __init__(self, store: MemoryStore, workers: list[Worker]) -> None:
        super().__init__(cast("PostgresStore", store), workers, every_seconds=0.002)
        self._twin = store

    def _beat(self) -> None:
        with self._twin.transaction():
            tables = self._twin.tables
            for worker in self.workers:
                tables.workers[worker.id] = wall_now()
                for row in tables.deployments.values():
                    if row.status == "preparing":
                        tables.acks[worker.id, row.id, "prepared"] = ""
                for champion in tables.champion_rows.values():
                    tables.acks[worker.id, champion.deployment_id, "serving"] = ""


@contextmanager
def track(store: AnyStore, folder: Path) -> Iterator[Track]:
    """Two live workers that agree to everything."""
    workers = [Worker("a"), Worker("b")]
    playing = MemoryWorkers(store, workers) if isinstance(store, MemoryStore) else ServingWorkers(store, workers, every_seconds=0.005)
    with playing:
        yield Track(store, FixedClock(NOW), AllLoad(folder))


@contextmanager
def sampled(measure: Callable[[], int], every_seconds: float) -> Iterator[list[int]]:
    """What it was, again and again, until the block ends."""
    found = [measure()]
    with repeatedly(lambda: found.append(measure()), every_seconds):
        yield found
