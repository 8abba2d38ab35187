"""Weekly lists through ingest, drift check and policy: the break is drift and nothing else, a bad day is an incident and nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters.evidently_report import EvidentlyReports
from evergreen.adapters.memory.lake import MemoryLake
from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import Window
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Unavailable
from evergreen.core.release import released_at, week_batches
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.alerts import AlertRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.check_drift import CheckDrift
from evergreen.services.ingest import Ingest
from evergreen.settings import Settings, load_settings
from tests.support.claims import claimed, emptied, said
from tests.support.intake_bench import Bench

pytestmark = pytest.mark.connected
HISTORY, TRAINED_TO, BREAK, END = date(2025, 2, 23), date(2025, 6, 15), date(2025, 7, 24), date(2025, 7, 30)
WEEKS = week_batches(date(2025, 6, 16), END, BREAK)
SPEC, DATASET = video_spec("KR"), video_dataset("KR")


@pytest.fixture(scope="module")
def lists() -> pd.DataFrame:
    """Korea's where they are there, else the simulator's."""
    real = load_settings(with_stack=False).test_data / "youtube" / "trending_KR_2025-02_2026-02.parquet"
    rows = load_lists(real, "KR") if real.is_file() else simulate(HISTORY, END, seed=1, break_on=BREAK)
    return rows[rows["list_date"] <= pd.Timestamp(END)].reset_index(drop=True)


def spoilt(lists: pd.DataFrame, days: Iterable[date]) -> pd.DataFrame:
    hit = lists["list_date"].dt.date.isin(list(days)) & (np.random.default_rng(7).random(len(lists)) < 0.5)
    bad = lists.copy()
    bad.loc[hit, ["view_count", "like_count", "comment_count"]] = pd.NA
    return bad


class Story:
    def __init__(self, store: PostgresStore, folder: Path) -> None:
        self.store, self.clock, self.lake = store, FixedClock(released_at(TRAINED_TO)), MemoryLake({DATASET.name: DATASET})
        carry_out = CarryOut(store, self.clock)
        self.ingest = Ingest(store, self.lake, carry_out, self.clock, {DATASET.name: DATASET})
        self.drift = CheckDrift(store, self.clock, carry_out, self.lake, lambda _: SPEC, _lost, EvidentlyReports(folder / "pictures", folder))
        self.folder = folder

    def play(self, lists: pd.DataFrame, weeks: Sequence[tuple[date, date]]) -> list[Event]:
        """The history in one batch, the champion of it, then week by week. What both steps said, in order."""
        self._take_in(lists, HISTORY, TRAINED_TO)
        row = VersionRow(SPEC.name, 1, None, "run-1", "uri", "bootstrap", HISTORY, TRAINED_TO, 1500, self.clock.now())
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            tx.versions.insert(row)
            cursor.execute(
                "INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%s, 1, 1, gen_random_uuid(), %s)", (SPEC.name, self.clock.now())
            )
        for first, last in weeks:
            self.clock.at = released_at(last)
            self._take_in(lists, first, last)
            params = {"dataset": DATASET.name, "windows": [{"first_day": str(first), "last_day": str(last)}]}
            self.drift.run(claimed(self.store, self.clock, ActionKind.DRIFT_CHECK, params, model=SPEC.name, target=SPEC.name))
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT event_id FROM outbox WHERE event_id IS NOT NULL ORDER BY seq")
            order = {found: place for place, (found,) in enumerate(cursor.fetchall())}
        return sorted((*said(self.store, "/airflow/ingest"), *said(self.store, "/airflow/drift_check")), key=lambda event: order[event.id])

    def _take_in(self, lists: pd.DataFrame, first: date, last: date) -> None:
        rows = lists[lists["list_date"].between(pd.Timestamp(first), pd.Timestamp(last))].reset_index(drop=True)
        batch = announced(self.folder, rows, Window(first_day=first, last_day=last))
        self.ingest.run(claimed(self.store, self.clock, ActionKind.INGEST, batch, target=batch["batch_id"]))


def announced(folder: Path, rows: pd.DataFrame, window: Window) -> Mapping[str, Any]:
    path = folder / f"{window.first_day}.parquet"
    rows.to_parquet(path, index=False)
    about = {"batch_id": str(window.first_day), "dataset": DATASET.name, "path": str(path), "rows": len(rows)}
    return about | {"window": window.model_dump(mode="json"), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _lost(spec: ModelSpec, version: int) -> LoadedVersion:
    raise Unavailable("no registry here: features are weighted equally")


def decided(events: list[Event]) -> tuple[Counter[ActionKind], list[AlertRow]]:
    """What the default policy makes of them, one after the other as they came."""
    store = MemoryStore()
    bench = Bench(store)
    for event in events:
        bench.clock.at = event.time
        bench.send(event)
    with bench.store.transaction() as tx:
        alerts = tx.alerts.unsettled(100)
    kinds = Counter(one.action.kind for one in store.tables.actions.values() if one.action.model == SPEC.name)
    return kinds, [row for row in alerts if row.model == SPEC.name and row.grouping.endswith("data_quality_issue")]


def test_the_break_is_drift_and_no_quality_issue(story: Story, lists: pd.DataFrame):
    events = story.play(lists, WEEKS)
    assert [event.data for event in events if event.type == "data_quality_issue" and event.data["severity"] != "low"] == []
    [drift] = [event for event in events if event.type == "data_drift_detected"]
    assert drift.data["window"] == {"first_day": str(BREAK), "last_day": str(END)}
    kinds, quality = decided(events)
    assert kinds[ActionKind.RETRAIN] == 1
    assert quality == []


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_bad_day_in_a_calm_week_is_an_incident_that_ends_and_never_a_retrain(story: Story, lists: pd.DataFrame, days: int):
    first = WEEKS[2][0]
    events = story.play(spoilt(lists, [first + timedelta(days=day) for day in range(days)]), WEEKS[:-1])
    quality = [(event.data["kind"], event.data["severity"], event.data["batch_id"]) for event in events if event.type == "data_quality_issue"]
    assert [one for one in quality if one[1] != "low" or one[0] == "incident_over"] == [
        ("incident", "high", str(first)),
        ("incident_over", "low", str(WEEKS[3][0])),
    ]
    assert [event for event in events if event.type == "data_drift_detected"] == []
    kinds, alerts = decided(events)
    assert kinds[ActionKind.RETRAIN] == 0
    assert [row.resolves for row in alerts] == [False, True]


@pytest.fixture
def story(postgres_settings: Settings, tmp_path: Path) -> Story:
    return Story(emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value())), tmp_path)
