"""The loop at a glance on real Postgres: every part counted from rows, and quickly beside a day of everybody's numbers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.overview_rows import PostgresOverview
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_overview import Overview
from evergreen.core.clock import wall_now
from evergreen.services.overview import ShowOverview
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.sql import run

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
MODEL = "video_performance"
SERVICES = ("serving", "kafka", "redis", "postgres", "mlflow", "intake", "indexer", "monitor", "recommender", "host", "a1", "a2", "a3", "a4")
EVENT = """INSERT INTO events (source, id, type, subject, time, data, content_hash, produced_at, received_at)
    VALUES ('/test', %(id)s, %(type)s, 'video_performance', %(time)s, '{}', 'h', %(at)s - interval '20 ms', %(at)s)"""
DECISION = """INSERT INTO decisions (model, seq, event_source, event_id, event_type, policy_hash, decided_at, recorded_at, severity, rule, outcome, body,
    prev_hash, hash)
    VALUES ('video_performance', %(seq)s, '/test', %(id)s, %(type)s, 'p', %(time)s, %(at)s + %(took)s, 'high', 'r', %(outcome)s, %(body)s, 'b', 'x')"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Bench:
    store: PostgresStore
    postgres: AsyncPostgres

    def happened(self, seq: int, kind: str, *, ago: timedelta = timedelta(), outcome: str = "accepted", took: float = 0.05) -> None:
        body = {
            "answers": [{"action": "retrain", "target": MODEL, "outcome": outcome, "guards": [{"guard": "cooldown", "passed": outcome == "accepted"}]}],
            "severity": {"final": "high", "path": ["event: medium", "affected_features 4 > 3: high"]},
        }
        at = wall_now() - ago
        facts = {"id": f"e{seq}", "seq": seq, "type": kind, "time": at, "at": at, "took": timedelta(seconds=took), "outcome": outcome, "body": json.dumps(body)}
        run(self.store, EVENT, facts)
        run(self.store, DECISION, facts)

    def acted(self, kind: str, status: str) -> None:
        run(
            self.store,
            """INSERT INTO actions (id, action_key, kind, model, target, reason, severity, priority, due_at, as_of, event_type, accepted_at, status)
               VALUES (gen_random_uuid(), gen_random_uuid()::text, %s, 'video_performance', 'video_performance', 'why', 'high', 'high', now(), now(),
                       'data_drift_detected', now(), %s)""",
            (kind, status),
        )

    def crowned(self, score: float) -> None:
        run(self.store, "INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES ('video_performance', 3, 4, gen_random_uuid(), now())")
        run(self.store, "INSERT INTO serving_workers (worker_id, pid, state, serving) VALUES ('w1', 1, 'ready', %s)", (json.dumps({MODEL: {"version": 3}}),))
        run(self.store, "INSERT INTO serving_workers (worker_id, pid, state, serving) VALUES ('w2', 2, 'ready', %s)", (json.dumps({MODEL: {"version": 2}}),))
        for week, found in enumerate((0.1, score)):
            day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(weeks=week)
            run(
                self.store,
                """INSERT INTO drift_reports (id, model, version, first_day, last_day, n, score, drifted, features, time)
                   VALUES (gen_random_uuid(), 'video_performance', 3, %s, %s, 100, %s, %s, '{"results": []}', %s)""",
                (day, day, found, found > 0.5, day),
            )

    def measured(self, rows: int) -> None:
        """A window of 30 s is published three times."""
        run(self.store, "SELECT ensure_partition('metrics', day::date) FROM unnest(ARRAY[now() - interval '1 day', now()]) day")
        run(
            self.store,
            """INSERT INTO metrics (source, id, time, service, metrics)
               SELECT '/monitor', service || n, now() - n * interval '10 s', service, jsonb_build_object('up', 1.0, 'faults', 0.0, 'workers', 2.0,
                      'requests', 100.0, 'errors', (n / 3 = 7)::int::float, 'cpu_percent', (n / 3)::float / 7, 'mean_seconds', 0.01)
               FROM generate_series(0, %s - 1) n, unnest(%s) service""",
            (rows, list(SERVICES)),
        )

    def overviews(self) -> ShowOverview:
        return ShowOverview(PostgresOverview(self.postgres), [MODEL, "movie_recommender"], wall_now)

    async def overview(self) -> Overview:
        return Overview(**await self.overviews().run())


@pytest.fixture
async def bench(postgres_settings: Settings) -> AsyncIterator[Bench]:
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    found = Bench(emptied(PostgresStore(dsn)), AsyncPostgres(dsn))
    yield found
    await found.postgres.close()
    emptied(found.store).close()


async def test_a_drift_is_seen_with_the_decision_on_it(bench: Bench) -> None:
    bench.happened(1, "data_processed", ago=timedelta(minutes=3, seconds=30), outcome="ignored")
    bench.happened(2, "timer_due")
    bench.happened(3, "data_drift_detected", outcome="suppressed")
    found = await bench.overview()
    assert found.missing == []
    assert found.events is not None
    assert found.events.per_minute[:4] == [2, 0, 0, 1]
    assert len(found.events.per_minute) == 30
    assert [(one.type, one.severity, one.outcome) for one in found.events.newest] == [
        ("data_drift_detected", "high", "suppressed"),
        ("data_processed", "high", "ignored"),
    ]
    assert found.decision is not None
    assert (found.decision.event_type, found.decision.outcome, found.decision.severity_path[-1]) == (
        "data_drift_detected",
        "suppressed",
        "affected_features 4 > 3: high",
    )
    assert [(one.action, one.stopped_by) for one in found.decision.answers] == [("retrain", "cooldown")]


async def test_champions_come_with_their_workers_and_their_drift(bench: Bench) -> None:
    bench.crowned(0.7)
    found = await bench.overview()
    assert found.models is not None
    first, second = found.models
    assert (first.version, first.workers, first.trend) == ("video_performance@3", 1, [0.1, 0.7])
    assert first.drift is not None
    assert (first.drift.score, first.drift.drifted, str(first.drift.last_day)) == (0.7, True, "2026-01-08")
    assert (second.model, second.version) == ("movie_recommender", None)


async def test_open_actions_and_what_fires_are_counted(bench: Bench) -> None:
    for status in ("pending", "running", "claimed", "succeeded", "failed", "cancelled"):
        bench.acted("retrain", status)
    run(
        bench.store,
        "INSERT INTO watches (name, firing, severity, said, said_at) VALUES ('health:redis', true, 'high', 1, now()), ('x', false, 'low', 1, now())",
    )
    found = await bench.overview()
    assert found.actions is not None
    assert (found.actions.pending, found.actions.running, len(found.actions.first)) == (1, 2, 3)
    assert found.actions.first[-1].status == "pending"
    assert found.firing is not None
    assert [one.name for one in found.firing] == ["health:redis"]
    assert found.promises is not None
    assert [(one.name, one.value, one.state) for one in found.promises][1] == ("action_success", 0.5, "broken")


async def test_a_day_of_numbers_is_aggregated_quickly(bench: Bench) -> None:
    """Fourteen services, a row in ten seconds each: 121,000 rows. A window's numbers count once."""
    bench.measured(8_640)
    for seq in range(1, 1_001):
        bench.happened(seq, "data_processed", took=0.05 if seq % 50 else 3.0)
    run(bench.store, "ANALYZE")
    took, overviews = [], bench.overviews()
    for _ in range(5):
        begun = time.perf_counter()
        found = Overview(**await overviews.run())
        took.append(time.perf_counter() - begun)
    assert found.promises is not None
    handling, _, availability = found.promises
    assert (handling.n, handling.state) == (1_000, "broken")
    assert handling.value == pytest.approx(3.02, abs=0.01)
    assert availability.n == 288_000
    assert availability.value == pytest.approx(1 - 1 / 288_000)
    assert sorted(took)[2] < 0.1, took
    print(f"overview: {[round(1000 * one) for one in took]} ms")  # noqa: T201 - a figure


async def test_a_clock_in_replay_is_told(bench: Bench) -> None:
    base = datetime(2025, 7, 24, tzinfo=UTC)
    run(bench.store, "UPDATE platform_clock SET mode = 'replay', base = %s, set_at = now(), rate = 60", (base,))
    found = await bench.overview()
    assert found.clock is not None
    assert (found.clock.mode, found.clock.rate) == ("replay", 60.0)
    assert base <= found.clock.now < base + timedelta(hours=1)
