"""The middle of the loop on real parts, one action after the other: train, judge, promote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from evergreen.adapters.mlflow_registry import MlflowRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import DataDriftDetected, Window
from evergreen.core.clock import FixedClock
from evergreen.ports.experiments import NoExperiments
from evergreen.ports.model import ModelSpec
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.evaluate import Evaluate
from evergreen.services.model_work import ModelWork
from evergreen.services.promote import Promote
from evergreen.services.retrain import Retrain
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.serving_workers import ServingWorkers, Worker
from tests.support.tiny import FrameLake


@dataclass
class Bench:
    store: PostgresStore
    clock: FixedClock
    registry: MlflowRegistry
    lake: FrameLake
    spec: ModelSpec

    @property
    def carry_out(self) -> CarryOut:
        return CarryOut(self.store, self.clock)

    @property
    def work(self) -> ModelWork:
        return ModelWork(self.store, self.clock, self.carry_out, self.registry, self.lake, lambda _: self.spec)

    def claim(self, kind: ActionKind, target: str, as_of: datetime, *, reason: str = "test", causes: tuple[Cause, ...] = ()) -> ClaimedAction:
        self.clock.at = as_of
        action = Action(id=uuid4(), kind=kind, model=self.spec.name, target=target, reason=reason, due_at=as_of, as_of=as_of, causes=causes)
        with self.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=as_of)
        claim = self.carry_out.claim(kind, f"run-{action.id}", action.id)
        assert claim is not None
        return claim

    def retrain(self, claim: ClaimedAction) -> dict[str, Any]:
        return dict(self.retrainer().run(claim))

    def retrainer(self) -> Retrain:
        return Retrain(self.work)

    def evaluate(self, version: str, as_of: datetime) -> dict[str, Any]:
        return dict(Evaluate(self.work, NoExperiments()).run(self.claim(ActionKind.EVALUATE, version, as_of)))

    def promote(self, version: str, as_of: datetime) -> dict[str, Any]:
        projection = ChampionProjection(self.store, self.registry, [self.spec.name])
        deploy = Deploy(self.store, self.clock, self.carry_out, projection, min_confirmations=1, confirm_seconds=20)
        with ServingWorkers(self.store, [Worker("a"), Worker("b")]):
            return dict(Promote(deploy).run(self.claim(ActionKind.PROMOTE, version, as_of)))

    def drift(self, version: str, first_day: date, at: datetime) -> Cause:
        """A drift the way intake keeps it."""
        window = Window(first_day=first_day, last_day=first_day)
        payload = DataDriftDetected(model_version=version, drift_score=0.9, affected_features=(), window=window, n=100)
        event = Event(id=str(uuid4()), source="/airflow/drift_check", type="data_drift_detected", subject="x", time=at, data=payload.model_dump(mode="json"))
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events (source, id, type, subject, time, data, content_hash) VALUES (%s, %s, %s, %s, %s, %s, 'x')",
                (event.source, event.id, event.type, event.subject, event.time, json.dumps(event.data)),
            )
        return Cause(source=event.source, id=event.id, type=event.type)


@contextmanager
def training_bench(settings: Settings, folder: Path, lake: FrameLake, spec: ModelSpec, now: datetime) -> Iterator[Bench]:
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value()))
    registry = MlflowRegistry(settings.mlflow.tracking_uri, cache=folder / "cache", key=bytes(range(32)))
    yield Bench(store, FixedClock(now), registry, lake, spec)
    store.close()
