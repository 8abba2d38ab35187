"""A bench for promotions and rollbacks: real tables, the registry's twin, serving workers played by a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.clock import FixedClock
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow, VersionStatus
from evergreen.services.candidates import Origin, new_version
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.services.rollback import Rollback
from evergreen.services.training import train_candidate
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said
from tests.support.serving_workers import ServingWorkers, Worker
from tests.support.tiny import NAME, tiny_rows, tiny_spec

NOW = datetime(2025, 2, 1, tzinfo=UTC)


@dataclass
class Bench:
    store: PostgresStore
    clock: FixedClock
    registry: MemoryRegistry
    workers: list[Worker]

    @property
    def carry_out(self) -> CarryOut:
        return CarryOut(self.store, self.clock)

    @property
    def projection(self) -> ChampionProjection:
        return ChampionProjection(self.store, self.registry, [NAME])

    def deploy(self, *, confirm_seconds: float = 3.0, min_confirmations: int = 1) -> Deploy:
        return Deploy(self.store, self.clock, self.carry_out, self.projection, min_confirmations=min_confirmations, confirm_seconds=confirm_seconds)

    def version(self, number: int, status: VersionStatus = "approved", *, against: int | None = None, stable: bool = False) -> None:
        row = VersionRow(NAME, number, None, f"run-{number}", "memory:", "test", date(2025, 1, 1), date(2025, 1, 20), 400, NOW, status, stable, scorecard=None)
        with self.store.transaction() as tx:
            tx.versions.insert(row)
            if status != "candidate":
                tx.versions.judge(NAME, number, status, {"judged_against": against, "gates": []})
            if stable:
                tx.versions.mark_stable(NAME, number)

    def registered(self, numbers: int) -> None:
        spec = tiny_spec()
        candidate = train_candidate(spec, tiny_rows(30), NOW)
        for _ in range(numbers):
            self.registry.register(new_version(spec, candidate, Origin(uuid4(), "test", NOW), 0.1))

    def promote(self, number: int, deploy: Deploy | None = None, **params: Any) -> dict[str, Any]:
        return dict(Promote(deploy or self.deploy()).run(self.claim(ActionKind.PROMOTE, number, **params)))

    def roll_back(self, **params: Any) -> dict[str, Any]:
        claim = claimed(self.store, self.clock, ActionKind.ROLLBACK, {"from_version": None, "to_version": None, **params}, model=NAME, target=NAME)
        return dict(Rollback(self.store, self.registry, self.deploy(), lambda _: tiny_spec()).run(claim))

    def claim(self, kind: ActionKind, number: int, **params: Any) -> ClaimedAction:
        return claimed(self.store, self.clock, kind, params, model=NAME, target=f"{NAME}@{number}")

    def champion(self) -> tuple[int, int] | None:
        with self.store.transaction() as tx:
            row = tx.champions.get(NAME)
        return None if row is None else (row.version, row.epoch)

    def history(self) -> list[DeploymentRow]:
        with self.store.transaction() as tx:
            return list(tx.deployments.history(NAME))

    def heard_of(self) -> list[str]:
        """Workers that were ever heard of."""
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT worker_id FROM serving_workers ORDER BY 1")
            return [worker for (worker,) in cursor.fetchall()]

    def status(self, claim: ClaimedAction) -> ActionStatus:
        with self.store.transaction() as tx:
            return tx.actions.require(claim.action.id).status

    def deployed(self) -> list[dict[str, Any]]:
        return [event.data for source in ("promote", "rollback") for event in said(self.store, f"/airflow/{source}") if event.type == "model_deployed"]


@contextmanager
def deploy_bench(settings: Settings, folder: Path) -> Iterator[Bench]:
    """Two live workers, "a" and "b"."""
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value(), max_connections=12))
    workers = [Worker("a"), Worker("b")]
    with ServingWorkers(store, workers):
        yield Bench(store, FixedClock(NOW), MemoryRegistry(folder), workers)
    store.close()
