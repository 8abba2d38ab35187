"""A declared model beside the videos in one home: what is known, decided and remembered of the videos is the same as without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from evergreen.bootstrap import Parts
from evergreen.cli.row_batches import row_batches
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.envelope import Event, encode
from evergreen.contracts.events import DataProcessed
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.release import released_at, week_batches
from evergreen.domains.videos.simulator import simulate
from evergreen.ports.messaging import Received
from evergreen.services.announce import Announce
from evergreen.services.training import train_candidate
from evergreen.settings import Settings
from tests.support.claims import emptied, said
from tests.support.events import event, features
from tests.support.strangers import sales, write_folder
from tests.support.worker_processes import trained_version

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
FIRST, DAYS, BATCH_DAYS = date(2025, 6, 1), 42, 14
LAST = FIRST + timedelta(days=DAYS - 1)
NOW = released_at(LAST)
VIDEOS, FLATS = "video_performance", "flats"
TABLES: Mapping[str, str] = {
    "catalogue": "SELECT video_id, title, view_count, first_seen::text, last_seen::text FROM videos ORDER BY 1",
    "features": "SELECT entity, features::text, as_of::text FROM online_features WHERE model = %(model)s ORDER BY 1",
    "decisions": "SELECT event_type, severity, rule, outcome FROM decisions WHERE model = %(model)s ORDER BY seq",
    "actions": "SELECT kind, target, reason, status FROM actions WHERE model = %(model)s ORDER BY 1, 2, 3",
    "schedule": "SELECT timer, model, last_due::text FROM timers WHERE model <> 'flats' ORDER BY 1, 2",
}


class Dated(Parts):
    @cached_property
    def clock(self) -> FixedClock:  # type: ignore[override]
        return FixedClock(NOW)


@dataclass
class Home:
    """With a lake and models of its own, on parts that are shared."""

    parts: Dated
    sent: list[Event] = field(default_factory=list)

    def publish(self, said: Event) -> None:
        self.sent.append(said)

    def taken_in(self, *events: Event) -> None:
        messages = [Received(TOPIC_OF[one.type], 0, at, b"key", encode(one), (), wall_now(), wall_now()) for at, one in enumerate(events)]
        self.parts.intake.take_in.run(messages)

    def batch(self, dataset: str, rows: pd.DataFrame, first: date, last: date) -> None:
        """Announced, taken in, made findable."""
        parts, before = self.parts, len(self.processed())
        Announce(self, parts.clock, parts.settings.home / "inbox").run(dataset, rows, first, last)  # type: ignore[arg-type]
        self.taken_in(self.sent[-1])
        claim = parts.carry_out.claim(ActionKind.INGEST, f"run-{self.sent[-1].id}")
        assert claim is not None
        parts.use_case(ActionKind.INGEST)(claim)
        for one in self.processed()[before:]:
            parts.index_batch.run(DataProcessed.model_validate(one.data))
            self.taken_in(one)

    def processed(self) -> list[Event]:
        return [one for one in said(self.parts.store, "/airflow/ingest") if one.type == "data_processed"]

    def rows(self, table: str, model: str = VIDEOS) -> Sequence[tuple[Any, ...]]:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(TABLES[table], {"model": model})
            return cursor.fetchall()

    def bloom(self) -> dict[bytes, bytes]:
        redis: Any = self.parts.redis
        return {key: redis.get(key) for key in redis.keys("*") if redis.type(key) == b"string" and key.startswith(b"{bloom:")}


def declared(home: Path) -> Path:
    """The folder of a stranger's data, and its model in the home."""
    source = write_folder(home / "data" / "sales", sales(DAYS, first=FIRST), drop="quick")
    command = ["new-model", FLATS, "--from", str(source), "--time", "Sold at", "--target", "Price"]
    done = subprocess.run([sys.executable, "-m", "evergreen.cli.main", "--home", str(home), *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return source


def played(settings: Settings, folder: Path, *, beside: bool) -> Home:
    """Six weeks of lists, and beside them of flats; then both drift, the flats first, and a day's timers come due."""
    source = declared(folder) if beside else None
    home = Home(Dated(settings.model_copy(update={"home": folder})))
    emptied(home.parts.store)
    home.parts.redis.flushdb()
    home.parts.seen_index.end_rebuild(None)
    lists = simulate(FIRST, LAST, seed=4)
    flats = [] if source is None else row_batches(source, home.parts.declared(FLATS), first=FIRST, last=LAST, batch_days=BATCH_DAYS, today=LAST, say=print)
    for at, (first, last) in enumerate(week_batches(FIRST, LAST, FIRST, BATCH_DAYS)):
        if flats:
            home.batch(f"{FLATS}.rows", flats[at].rows, flats[at].first_day, flats[at].last_day)
        home.batch("videos.KR", lists[lists["list_date"].dt.date.between(first, last)].drop(columns="load_error", errors="ignore"), first, last)
    for model in (VIDEOS, FLATS) if beside else (VIDEOS,):
        with home.parts.store.transaction() as tx:
            tx.versions.insert(trained_version(model, 1))
            tx.champions.compare_and_set(model, 1, seen_epoch=0, deployment_id=uuid4(), since=NOW)
    for model, dataset in ((FLATS, f"{FLATS}.rows"), (VIDEOS, "videos.KR")) if beside else ((VIDEOS, "videos.KR"),):
        drift: dict[str, Any] = {"model_version": f"{model}@1", "drift_score": 0.7, "affected_features": features(4), "severity": "high"}
        home.taken_in(event("data_drift_detected", at=NOW, subject=dataset, **drift))
    for _ in range(2):
        home.parts.intake.tick.run()
        home.parts.clock.at += timedelta(days=1)
    return home


def test_what_is_known_and_decided_of_the_videos_is_the_same_with_and_without(stack_settings: Settings, tmp_path: Path) -> None:
    seen, figures = [], []
    for beside in (False, True):
        home = played(stack_settings, tmp_path / str(beside), beside=beside)
        seen.append({name: home.rows(name) for name in TABLES} | {"bloom": home.bloom()})
        made = train_candidate(home.parts.spec(VIDEOS), home.parts.lake.silver("videos.KR"), NOW)
        figures.append((made.dataset_hash, made.metrics))
    alone, both = seen
    assert all(alone.values()), [name for name, rows in alone.items() if not rows]
    for name, rows in alone.items():
        assert both[name] == rows, name
    assert figures[0] == figures[1]
    _their_own_is_theirs(home)


def _their_own_is_theirs(home: Home) -> None:
    assert next(iter(home.parts.specs)) == VIDEOS
    theirs = home.rows("actions", FLATS)
    assert {kind for kind, *_ in theirs} >= {"drift_check", "retrain"}
    assert all(str(target).startswith(FLATS) for _, target, *_ in theirs)
    assert not [target for _, target, *_ in home.rows("actions") if FLATS in str(target)]
    assert {kind for kind, *_ in home.rows("decisions", FLATS)} >= {"data_processed", "data_drift_detected"}
    assert home.rows("features", FLATS) == []
