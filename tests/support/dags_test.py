"""A home with real Postgres, Kafka and MLflow, a first champion, and one recorded `action_requested` per kind; and `airflow dags test` on it.

Only Airflow's metadata is private: a SQLite in the test's own AIRFLOW_HOME."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.bootstrap import Parts
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind
from evergreen.contracts.envelope import derived_id
from evergreen.contracts.events import DataIngested, Window
from evergreen.core.release import released_at
from evergreen.domains.videos.simulator import simulate
from evergreen.environment import child_environment
from evergreen.local_stack.airflow import airflow_environment
from evergreen.local_stack.credentials import load_credentials
from evergreen.local_stack.home import Home
from evergreen.ports.storage import ActionRow
from evergreen.services.carry_out import request_event
from evergreen.settings import Settings
from tests.support.claims import claimed

MODEL, DATASET = "video_performance", "videos.KR"
FIRST_DAY, LAST_DAY = date(2025, 4, 28), date(2025, 6, 22)
"""What the first version may know; the week after it is the batch that `ingest` takes in."""
NEXT_WEEK = Window(first_day=LAST_DAY + timedelta(days=1), last_day=LAST_DAY + timedelta(days=7))
ASKED = {"timeout_seconds": 14400, "default": "reject"}
"""As the policy asks for a person's word: nobody is there to give it."""
SECONDS = 110
"""A cold run takes 10-50 s."""


@dataclass
class DagsTest:
    settings: Settings
    airflow_home: Path

    @property
    def parts(self) -> Parts:
        serving = self.settings.serving.model_copy(update={"min_confirmations": 0})
        return Parts(self.settings.model_copy(update={"serving": serving}))

    def environment(self) -> dict[str, str]:
        credentials = load_credentials(Home(self.settings.home))
        airflow = airflow_environment(self.settings, credentials, airflow_home=self.airflow_home)
        return child_environment(self.settings.home) | airflow | {"EVERGREEN_SERVING__MIN_CONFIRMATIONS": "0"}

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """TERM does not stop a run that hangs: KILL does."""
        command = ["timeout", "-k", "10", str(SECONDS), sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(command, env=self.environment(), cwd=self.airflow_home, capture_output=True, text=True, check=False)

    def run(self, kind: ActionKind, *arguments: str) -> str:
        """The run's note. Fails with the end of the log when the run is not green."""
        done = self.airflow("dags", "test", kind.value, *arguments)
        with sqlite3.connect(self.airflow_home / "airflow.db") as database:
            query = """SELECT r.state, n.content FROM dag_run r LEFT JOIN dag_run_note n ON n.dag_run_id = r.id
                       WHERE r.dag_id = ? ORDER BY r.id DESC LIMIT 1"""
            state, note = database.execute(query, (kind.value,)).fetchone() or ("no run", None)
        assert (done.returncode, state) == (0, "success"), f"{kind}: exit {done.returncode}, {state}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return str(note)

    def row(self, action: Action) -> ActionRow:
        with self.parts.store.transaction() as tx:
            return tx.actions.require(action.id)


def prepare(settings: Settings, airflow_home: Path) -> tuple[DagsTest, Mapping[ActionKind, Action]]:
    """Champion 1 serves and is stable; Kafka holds a request of every kind, which Postgres knows nothing of."""
    bench = DagsTest(settings, airflow_home)
    migrated = bench.airflow("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    parts = bench.parts
    known = _batch(settings.home, Window(first_day=FIRST_DAY, last_day=LAST_DAY))
    as_of = released_at(LAST_DAY)
    _carry_out(parts, ActionKind.INGEST, known.model_dump(mode="json"), as_of, target=known.batch_id)
    _carry_out(parts, ActionKind.RETRAIN, {}, as_of, model=MODEL, target=MODEL)
    _carry_out(parts, ActionKind.PROMOTE, {"forced": True, "reason": "first"}, as_of, model=MODEL, target=f"{MODEL}@1")
    with parts.store.transaction() as tx:
        tx.versions.mark_stable(MODEL, 1)  # as its bake would: only to such a version does anything go back
    actions = _recorded(_batch(settings.home, NEXT_WEEK))
    publisher = KafkaPublisher(settings.kafka)
    publisher.publish_all([request_event(action, action.as_of) for action in actions.values()])
    publisher.close()
    return bench, actions


def _carry_out(parts: Parts, kind: ActionKind, params: Mapping[str, Any], as_of: datetime, *, model: str = NO_MODEL, target: str) -> None:
    parts.use_case(kind)(claimed(parts.store, parts.clock, kind, params, model=model, target=target, as_of=as_of))


def _batch(home: Path, window: Window) -> DataIngested:
    rows = simulate(FIRST_DAY, window.last_day, seed=11)
    rows = rows[rows["list_date"].dt.date >= window.first_day]
    path = home / "data" / f"{window.first_day}.parquet"
    rows.to_parquet(path, index=False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return DataIngested(batch_id=f"{DATASET}.{window.first_day}", dataset=DATASET, path=str(path), rows=len(rows), window=window, sha256=sha256)


def _recorded(batch: DataIngested) -> dict[ActionKind, Action]:
    """In the order in which each finds what the one before it made."""
    week = NEXT_WEEK.model_dump(mode="json")
    wanted: dict[ActionKind, tuple[str, str, dict[str, Any]]] = {
        ActionKind.INGEST: (NO_MODEL, batch.batch_id, batch.model_dump(mode="json")),
        ActionKind.DRIFT_CHECK: (MODEL, MODEL, {"dataset": DATASET, "windows": [week]}),
        ActionKind.PERFORMANCE_CHECK: (MODEL, MODEL, {}),
        ActionKind.RETRAIN: (MODEL, MODEL, {}),
        ActionKind.EVALUATE: (MODEL, f"{MODEL}@2", {}),
        ActionKind.PROMOTE: (MODEL, f"{MODEL}@2", {"forced": True, "reason": "recorded", "approval": ASKED}),
        ActionKind.ROLLBACK: (MODEL, MODEL, {"from_version": f"{MODEL}@2", "to_version": f"{MODEL}@1", "approval": ASKED}),
        ActionKind.MAINTENANCE: (NO_MODEL, NO_MODEL, {}),
    }
    as_of = released_at(NEXT_WEEK.last_day)
    return {
        kind: Action(id=UUID(derived_id("dags-test", kind)), kind=kind, model=model, target=target, params=params, reason="recorded", due_at=as_of, as_of=as_of)
        for kind, (model, target, params) in wanted.items()
    }
