"""Events, decisions and actions as serving shows them: pages, filters, one of them whole, and why. Real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.loop_records import LoopRecords
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.record_pages import ACTIONS, DECISIONS, EVENTS, Listing
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.contracts.api_records import ActionFilter, DecisionFilter, EventFilter, Page
from evergreen.contracts.envelope import derived_id, new_id
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.sql import run

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
MODEL, OTHER = "video_performance", "video_performance_us"
AS_OF = datetime(2025, 7, 25, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Bench:
    store: PostgresStore
    records: LoopRecords

    def event(self, name: str = "data_drift_detected", *, at: datetime = AS_OF, event_id: str | None = None, data: Any = None, **changes: str) -> str:
        facts = {"id": event_id or new_id(), "type": name, "source": changes.get("source", "/airflow/drift_check"), "subject": changes.get("subject", MODEL)}
        run(
            self.store,
            """INSERT INTO events (source, id, type, subject, time, data, content_hash, topic, kafka_partition, kafka_offset)
               VALUES (%s, %s, %s, %s, %s, %s, 'h', 'data.drift.detected', 1, 7)""",
            (facts["source"], facts["id"], name, facts["subject"], at, json.dumps(data or {"n": 7})),
        )
        return facts["id"]

    def decided(self, seq: int, model: str = MODEL, *, outcome: str = "accepted", severity: str = "high", at: datetime = AS_OF, **answer: Any) -> str:
        event_id = self.event(data=answer.pop("data", None))
        said = {"action": "retrain", "target": model, "reason": "data_drift_high", "outcome": outcome, "guards": [], **answer}
        body = json.dumps({"answers": [said], "rule": "drift_high", "severity": {"final": severity, "path": []}}, separators=(",", ":"), sort_keys=True)
        run(
            self.store,
            """INSERT INTO decisions (model, seq, event_source, event_id, event_type, policy_hash, decided_at, severity, rule, outcome, body, prev_hash, hash)
               VALUES (%s, %s, '/airflow/drift_check', %s, 'data_drift_detected', 'p', %s, %s, 'drift_high', %s, %s, 'before', 'x')""",
            (model, seq, event_id, at, severity, outcome, body),
        )
        return event_id

    def action(self, kind: str = "retrain", *, model: str = MODEL, at: datetime = AS_OF, causes: Any = (), **changes: Any) -> UUID:
        action_id = uuid4()
        facts = {"target": model, "status": "pending", "decision_seq": None, "run_id": None, **changes}
        run(
            self.store,
            """INSERT INTO actions (id, action_key, kind, model, target, reason, severity, priority, due_at, as_of, causes, event_type,
                                    decision_seq, accepted_at, status, run_id)
               VALUES (%s, %s, %s, %s, %s, 'data_drift_high', 'high', 'high', %s, %s, %s, 'data_drift_detected', %s, %s, %s, %s)""",
            (
                *(action_id, str(action_id), kind, model, facts["target"], at, AS_OF, json.dumps(list(causes)), facts["decision_seq"], at),
                *(facts["status"], facts["run_id"]),
            ),
        )
        return action_id


@pytest.fixture
async def bench(postgres_settings: Settings) -> AsyncIterator[Bench]:
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    store, postgres = emptied(PostgresStore(dsn)), AsyncPostgres(dsn)
    yield Bench(store, LoopRecords(postgres, [MODEL], "http://airflow"))
    await postgres.close()
    store.close()


async def test_events_are_paged_newest_first_and_each_is_seen_once(bench: Bench) -> None:
    same_time = [bench.event() for _ in range(4)]
    newest = bench.event(at=AS_OF + timedelta(hours=1))
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await bench.records.events(EventFilter(limit=2, cursor=cursor))
        seen += [event.id for event in page.events]
        bench.event(at=AS_OF + timedelta(days=1))  # what comes meanwhile shifts nothing
        cursor, pages = page.next_cursor, pages + 1
    assert seen == [newest, *reversed(same_time)]
    assert pages == 3


async def test_events_are_chosen_by_type_subject_source_and_platform_time(bench: Bench) -> None:
    wanted = bench.event("data_processed", subject="videos.KR", source="/airflow/ingest", at=AS_OF + timedelta(hours=1))
    bench.event("data_processed", subject="videos.US", source="/airflow/ingest")
    bench.event(at=AS_OF + timedelta(hours=2))
    for chosen in (
        EventFilter(type="data_processed", subject="videos.KR"),
        EventFilter(source="/airflow/ingest", since=AS_OF + timedelta(minutes=1)),
        EventFilter(since=AS_OF + timedelta(hours=1), until=AS_OF + timedelta(hours=2)),
    ):
        assert [event.id for event in (await bench.records.events(chosen)).events] == [wanted]
    found = await bench.records.event(wanted)
    assert (found.message, found.data) == ("data.drift.detected[1]@7", {"n": 7})
    with pytest.raises(NotFound, match="evergreen explain"):
        await bench.records.event("nobody")


async def test_decisions_are_paged_and_chosen(bench: Bench) -> None:
    for seq in range(1, 6):
        bench.decided(seq)
    bench.decided(1, "-", outcome="ignored", action="ignore", severity="low", at=AS_OF + timedelta(days=1))
    first = await bench.records.decisions(DecisionFilter(model=MODEL, limit=3))
    second = await bench.records.decisions(DecisionFilter(model=MODEL, limit=3, cursor=first.next_cursor))
    assert [row.seq for row in (*first.decisions, *second.decisions)] == [5, 4, 3, 2, 1]
    assert second.next_cursor is None
    for chosen in (
        DecisionFilter(outcome="ignored"),
        DecisionFilter(action=ActionKind.IGNORE),
        DecisionFilter(severity="low"),
        DecisionFilter(since=AS_OF + timedelta(hours=1)),
        DecisionFilter(model="-", event_type="data_drift_detected"),
    ):
        assert [(row.model, row.seq) for row in (await bench.records.decisions(chosen)).decisions] == [("-", 1)]
    assert (await bench.records.decisions(DecisionFilter(until=AS_OF))).decisions == []


async def test_a_decision_is_shown_whole(bench: Bench) -> None:
    event_id = bench.decided(1)
    found = await bench.records.decision(MODEL, 1)
    assert (found.event_id, found.prev_hash, found.hash) == (event_id, "before", "x")
    assert found.body["answers"][0]["action"] == "retrain"
    with pytest.raises(NotFound):
        await bench.records.decision(MODEL, 2)


async def test_actions_are_paged_and_chosen(bench: Bench) -> None:
    older, newer = bench.action(), bench.action("promote", status="cancelled", at=AS_OF + timedelta(hours=1), model=OTHER)
    first = await bench.records.actions(ActionFilter(limit=1))
    second = await bench.records.actions(ActionFilter(limit=1, cursor=first.next_cursor))
    assert [row.id for row in (*first.actions, *second.actions)] == [str(newer), str(older)]
    assert second.next_cursor is None
    for chosen in (
        ActionFilter(kind=ActionKind.PROMOTE),
        ActionFilter(status=ActionStatus.CANCELLED),
        ActionFilter(model=OTHER),
        ActionFilter(since=AS_OF + timedelta(minutes=1)),
    ):
        assert [row.id for row in (await bench.records.actions(chosen)).actions] == [str(newer)]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "WyIyMDI1LTA3LTI1IiwibSIsIjEiXQ", "WzEsMiwzXQ", "WyIyMDI1LTA3LTI1VDAwOjAwOjAwWiIsIm0iLCItMSJd", "ü"])
async def test_a_cursor_nobody_gave_out_is_refused(bench: Bench, cursor: str) -> None:
    for asked in (
        bench.records.decisions(DecisionFilter(cursor=cursor)),
        bench.records.events(EventFilter(cursor=cursor)),
        bench.records.actions(ActionFilter(cursor=cursor)),
        bench.records.history(MODEL, 3, cursor),
    ):
        with pytest.raises(InvalidRequest, match="previous page"):
            await asked


@pytest.mark.parametrize(
    ("listing", "wanted", "index"),
    [
        pytest.param(EVENTS, EventFilter(), "events_by_time", id="events"),
        pytest.param(EVENTS, EventFilter(type="policy_changed"), "events_by_type", id="events-of-a-type"),
        pytest.param(EVENTS, EventFilter(subject="videos.KR", since=AS_OF), "events_by_subject", id="events-of-a-subject"),
        pytest.param(DECISIONS, DecisionFilter(), "decisions_by_record", id="decisions"),
        pytest.param(ACTIONS, ActionFilter(), "actions_by_time", id="actions"),
    ],
)
async def test_a_page_is_read_from_an_index(bench: Bench, listing: Listing, wanted: Page, index: str) -> None:
    query, values = listing.query(wanted)
    for position, _ in reversed(list(enumerate(values, 1))):
        query = query.replace(f"${position}", "%s")
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # as the planner would with more rows than a test makes
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {query}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan


async def test_a_promotion_is_explained_from_its_cause_to_each_worker(bench: Bench) -> None:
    event_id = bench.decided(1, data={"affected_features": [{"name": "hour", "effect": 0.4, "q_value": 0.01, "direction": "up"}]})
    cause = {"source": "/airflow/drift_check", "id": event_id, "type": "data_drift_detected"}
    action = bench.action("promote", causes=[cause], decision_seq=1, target=f"{MODEL}@2", run_id="run 1", status="succeeded")
    gates = [{"name": "improvement", "passed": True, "detail": "better", "numbers": {}}]
    run(
        bench.store,
        """INSERT INTO model_versions (model, version, run_id, uri, cause, trained_from, trained_to, trained_rows, as_of, status, scorecard)
           VALUES (%s, 2, 'r', 'u', 'c', '2025-01-01', '2025-07-01', 900, %s, 'approved', %s)""",
        (MODEL, AS_OF, json.dumps({"gates": gates})),
    )
    deployment = uuid4()
    run(
        bench.store,
        """INSERT INTO deployments (id, model, version, previous_version, kind, status, epoch, action_id, reason, required_workers, served_from)
           VALUES (%s, %s, 2, 1, 'promote', 'confirmed', 2, %s, 'approved', '["a", "b"]', %s)""",
        (str(deployment), MODEL, str(action), AS_OF),
    )
    for worker in ("a", "b"):
        run(bench.store, "INSERT INTO serving_workers (worker_id, pid) VALUES (%s, 1)", (worker,))
        run(bench.store, "INSERT INTO worker_acks (worker_id, deployment_id, phase) VALUES (%s, %s, 'serving')", (worker, str(deployment)))
    made = bench.event("model_deployed", event_id=derived_id(str(action), "model_deployed", str(deployment)), source="/airflow/promote")
    bench.event("model_deployed", source="/airflow/promote")  # another one's

    found = await bench.records.explain(str(action), "action")

    assert [event.id for event in found.events] == [event_id]
    assert [(column.name, column.effect) for column in found.drifted] == [("hour", 0.4)]
    [fate] = found.actions
    assert (fate.version, fate.gates, fate.run_url) == (f"{MODEL}@2", gates, "http://airflow/dags/promote/runs/run%201")
    [deployed] = fate.deployments
    assert (deployed.version, deployed.previous_version, deployed.workers) == (f"{MODEL}@2", f"{MODEL}@1", ["a", "b"])
    assert [(one.worker, one.phase) for one in deployed.confirmations] == [("a", "serving"), ("b", "serving")]
    assert deployed.confirmations[0].at <= wall_now()
    assert [event.id for event in fate.results] == [made]
    with bench.store.transaction() as tx:
        again = tx.explanations.find(str(action))
    assert [row["id"] for row in again.actions] == [action], "the blocking driver finds the same"


async def test_a_suppressed_event_is_explained_and_others_are_not_found(bench: Bench) -> None:
    guard = {"guard": "cooldown", "passed": False, "detail": "retrain at noon"}
    event_id = bench.decided(1, outcome="suppressed", guards=[guard], allowed_at="2025-07-25T01:00:00+00:00")
    found = await bench.records.explain(event_id, "event")
    assert found.says.endswith("suppressed by cooldown (retrain at noon); allowed again at 2025-07-25T01:00:00+00:00")
    assert found.actions == []
    assert (await bench.records.explain(f"{MODEL}/1")).events[0].id == event_id
    for name, about in ((event_id, "action"), (str(uuid4()), "action"), ("e", "event"), (f"{MODEL}/2", None)):
        with pytest.raises(NotFound, match="evergreen explain"):
            await bench.records.explain(name, about)  # type: ignore[arg-type]


async def test_a_body_somebody_broke_breaks_no_page_and_no_explanation(bench: Bench) -> None:
    event_id = bench.decided(1)
    run(bench.store, "UPDATE decisions SET body = substr(body, 2)")
    assert len((await bench.records.decisions(DecisionFilter(action=ActionKind.RETRAIN))).decisions) == 1
    assert (await bench.records.decision(MODEL, 1)).body == {}
    assert (await bench.records.explain(event_id)).answers == []
