"""Maintenance against real Postgres and Delta tables: old data goes, open work stays, loose ends are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind
from evergreen.contracts.envelope import derived_id
from evergreen.core.clock import FixedClock
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate
from evergreen.ports.batches import BatchRow
from evergreen.ports.index import MetricsRow
from evergreen.services.carry_out import CarryOut, request_event
from evergreen.services.maintain import Maintenance
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied

pytestmark = pytest.mark.connected
DATASETS = {"videos.KR": video_dataset("KR")}
NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)


@dataclass
class Bench:
    store: PostgresStore
    lake: DeltaLake
    clock: FixedClock

    def keep_house(self, *, replaying: bool = False) -> Mapping[str, Any]:
        service = Maintenance(self.store, self.clock, CarryOut(self.store, self.clock), self.lake, lambda: replaying)
        return service.run(claimed(self.store, self.clock, ActionKind.MAINTENANCE, {}))

    def measure(self, age: timedelta) -> None:
        with self.store.transaction() as tx:
            tx.stream.metrics([MetricsRow("/monitor", str(uuid4()), NOW - age, "serving", {"cpu": 0.5})])

    def count(self, query: str) -> int:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def run(self, statement: str, *values: object) -> None:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def receive(self, batch_id: str, age: timedelta) -> Path:
        rows = simulate(date(2025, 7, 1), date(2025, 7, 1), seed=1)
        path = self.lake.keep_bronze("videos.KR", batch_id, rows, rows.head(0))
        row = BatchRow("videos.KR", batch_id, "sha", date(2025, 7, 1), date(2025, 7, 1), len(rows), 0, [], path, "accepted", False, NOW - age)
        with self.store.transaction() as tx:
            tx.batches.record(row)
        return Path(path)


def test_partitions_older_than_their_retention_go_and_others_stay(bench: Bench):
    for age in (0, 13, 14, 15, 30):
        bench.measure(timedelta(days=age))
    assert bench.keep_house()["dropped"]["metrics"] == 2
    assert bench.count("SELECT count(*) FROM metrics") == 3
    assert bench.keep_house()["dropped"]["metrics"] == 0


def test_in_replay_mode_nothing_is_judged_old(bench: Bench):
    bench.measure(timedelta(days=300))
    kept = bench.receive("b1", timedelta(days=300))
    assert bench.keep_house(replaying=True)["dropped"] == "nothing: the clock replays"
    assert bench.count("SELECT count(*) FROM metrics") == 1
    assert kept.is_file()


def test_old_bronze_goes_and_its_row_says_so(bench: Bench):
    old, young = bench.receive("old", timedelta(days=181)), bench.receive("young", timedelta(days=179))
    assert bench.keep_house()["dropped"]["bronze"] == 1
    assert not old.exists()
    assert young.exists()
    assert bench.count("SELECT count(*) FROM batches WHERE bronze_path = ''") == 1
    assert bench.keep_house()["dropped"]["bronze"] == 0


def test_the_doorbell_of_an_open_action_is_kept_to_ring_again(bench: Bench):
    actions = [Action(id=uuid4(), kind=ActionKind.INGEST, target=name, reason="test", due_at=NOW, as_of=NOW) for name in ("open", "done")]
    with bench.store.transaction() as tx:
        for action in actions:
            tx.actions.insert(action, key=action.target, event_type="test", accepted_at=NOW)
            tx.outbox.publish(request_event(action, NOW))
    bench.run("UPDATE actions SET status = 'succeeded' WHERE target = 'done'")
    bench.run("UPDATE outbox SET sent_at = clock_timestamp() - interval '8 days'")
    assert bench.keep_house()["dropped"]["outbox"] == 1
    assert bench.count(f"SELECT count(*) FROM outbox WHERE event_id = '{derived_id(actions[0].id, 'action_requested')}'") == 1


def test_silences_and_answers_kept_for_repeats_go_after_a_while(bench: Bench):
    for age in (89, 91):
        until = NOW - timedelta(days=age)
        bench.run("INSERT INTO silences (id, up_to, until, who, reason, created_time) VALUES (%s, 'low', %s, 'kim', 'x', %s)", uuid4(), until, until)
        asked = timedelta(days=age - 83)
        bench.run("INSERT INTO keyed_requests (id, content, asked_at) VALUES (%s, 'x', clock_timestamp() - %s)", uuid4(), asked)
    assert bench.keep_house(replaying=True)["dropped"] == "nothing: the clock replays"
    dropped = bench.keep_house()["dropped"]
    assert (dropped["silences"], dropped["keyed_requests"]) == (1, 1)
    assert (bench.count("SELECT count(*) FROM silences"), bench.count("SELECT count(*) FROM keyed_requests")) == (1, 1)


def test_small_files_are_joined_and_no_row_is_lost(bench: Bench):
    rows = simulate(date(2025, 7, 1), date(2025, 7, 12), seed=1)
    for _, day in rows.groupby("list_date"):
        bench.lake.merge_silver("videos.KR", day)
    before = bench.lake.silver("videos.KR")
    [table] = bench.keep_house()["lake"]
    assert (table["table"], table["files_after"]) == ("silver/videos", 1)
    assert table["files_before"] > 1
    assert bench.lake.silver("videos.KR").equals(before)


def test_loose_ends_are_counted(bench: Bench):
    healthy = bench.keep_house()["loose_ends"]
    assert set(healthy) == {"events_undecided", "outbox_unsent", "leases_run_out", "actions_unclaimed", "batches_unindexed"}
    assert not any(healthy.values())
    bench.receive("never-indexed", timedelta(0))
    action = Action(id=uuid4(), kind=ActionKind.INGEST, target="stuck", reason="test", due_at=NOW, as_of=NOW)
    with bench.store.transaction() as tx:
        tx.actions.insert(action, key="stuck", event_type="test", accepted_at=NOW)
        tx.outbox.publish(request_event(action, NOW))
    bench.run(
        "INSERT INTO events (source, id, type, subject, time, data, content_hash, received_at) VALUES ('/app', '1', 'data_ingested', 'x', %s, '{}', '', %s)",
        NOW,
        datetime(2020, 1, 1, tzinfo=UTC),
    )
    for table, column in (("batches", "recorded_at"), ("outbox", "created_at"), ("actions", "created_at")):
        bench.run(f"UPDATE {table} SET {column} = clock_timestamp() - interval '1 hour'")
    bench.run("UPDATE actions SET rung_at = clock_timestamp() - interval '1 hour' WHERE status = 'pending'")
    counted = bench.keep_house()["loose_ends"]
    assert counted == {"events_undecided": 1, "outbox_unsent": counted["outbox_unsent"], "leases_run_out": 0, "actions_unclaimed": 1, "batches_unindexed": 1}
    assert counted["outbox_unsent"] >= 1


def test_only_the_application_may_drop_partitions_and_only_of_the_three_tables(bench: Bench, postgres_settings: Settings):
    import psycopg2

    with psycopg2.connect(postgres_settings.postgres.readonly_dsn.get_secret_value()) as reader, reader.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT drop_partitions('metrics', '2030-01-01')")
        reader.rollback()
    with pytest.raises(psycopg2.errors.RaiseException, match="no partitioned table events"):
        bench.run("SELECT drop_partitions('events', '2030-01-01')")


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Bench:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    return Bench(store, DeltaLake(tmp_path / "lake", DATASETS), FixedClock(NOW))
