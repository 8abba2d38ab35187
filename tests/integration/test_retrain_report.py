"""The report put together from real tables: approved, refused, first, submitted, rolled back; and what a message makes the indexer attach."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.contracts.envelope import Event, encode
from evergreen.contracts.events import AffectedFeature, DataDriftDetected, ModelDeployed, ModelEvaluationCompleted, ModelPerformanceDegraded, Payload, Window
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.evaluation import Interval, Scorecard, Segment, better, gate, segments
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.messaging import Received
from evergreen.ports.versions import VersionRow
from evergreen.services.retrain_report import RetrainReports
from tests.support.tiny import NAME, tiny_spec

pytestmark = pytest.mark.connected
NOW = datetime(2025, 8, 11, 1, tzinfo=UTC)
DAYS = Window(first_day=date(2025, 7, 24), last_day=date(2025, 7, 30))


@pytest.fixture
def reports(store: PostgresStore, tmp_path: Path) -> RetrainReports:
    return RetrainReports(store, MemoryRegistry(tmp_path), lambda _: tiny_spec())


def _event(type_: str, payload: Payload) -> Event:
    return Event(id=str(uuid4()), source="/airflow/x", type=type_, subject=NAME, time=NOW, data=payload.model_dump(mode="json"))


def _caused(store: PostgresStore, *events: Event) -> Action:
    causes = tuple(Cause(source=event.source, id=event.id, type=event.type) for event in events)
    action = Action(id=uuid4(), kind=ActionKind.RETRAIN, model=NAME, target=NAME, reason="data_drift_high", due_at=NOW, as_of=NOW, causes=causes)
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        for event in events:
            cursor.execute(
                "INSERT INTO events (source, id, type, subject, time, data, content_hash) VALUES (%s, %s, %s, %s, %s, %s, 'x')",
                (event.source, event.id, event.type, event.subject, event.time, json.dumps(event.data)),
            )
        tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=NOW)
    return action


def _version(store: PostgresStore, number: int, *, action: Action | None = None, cause: str = "data_drift_high", approved: bool | None = True) -> None:
    row = VersionRow(NAME, number, None if action is None else action.id, f"run-{number}", "memory:", cause, DAYS.first_day, date(2025, 8, 3), 812, NOW)
    gates = (
        gate("artifact", True, "verified", seconds=1.2, peak_mb=310.0),
        better(Interval(-0.31, -0.42, -0.18), 0.214, 0.31, margin=0.02, min_improvement=0.02),
        segments([Segment("10", 60, -0.33), Segment("24", 50, 1 / 3 if approved is False else -0.33)], margin=0.15, min_rows=30),
    )
    card = Scorecard(row.name, "tiny@1" if number > 1 else "median", gates, DAYS.first_day, DAYS.last_day, 110)
    with store.transaction() as tx:
        tx.versions.insert(row)
        if approved is not None:
            tx.versions.judge(NAME, number, "approved" if approved else "refused", card.to_json())


def _deployed(store: PostgresStore, number: int, kind: Any, reason: str) -> None:
    row = DeploymentRow(uuid4(), NAME, number, None, kind, "preparing", number, None, False, reason)
    with store.transaction() as tx:
        tx.deployments.start(row)
        tx.deployments.flipped(row.id, ("a",), NOW)
        tx.deployments.confirmed(row.id)
        tx.champions.compare_and_set(NAME, number, seen_epoch=number - 1, deployment_id=row.id, since=NOW)


def _drift() -> Event:
    feature = AffectedFeature(name="<b>x</b>", effect=0.52, q_value=1e-9, direction="lower: median 61 -> 16")
    return _event("data_drift_detected", DataDriftDetected(model_version="tiny@1", drift_score=0.71, affected_features=(feature,), window=DAYS, n=110))


def test_a_retrain_after_drift_says_what_had_changed_and_how_it_compares(store: PostgresStore, reports: RetrainReports) -> None:
    degraded = ModelPerformanceDegraded(
        model_name=NAME,
        model_version="tiny@1",
        performance_drop=0.75,
        current_performance=0.38,
        baseline_performance=0.21,
        window=DAYS,
        n=200,
        interval=(0.43, 1.1),
    )
    _version(store, 2, action=_caused(store, _drift(), _event("model_performance_degraded", degraded)))
    with store.transaction() as tx:
        tx.change_points.record(NAME, 1, DAYS.first_day, uuid4(), NOW)
    text = reports.html("tiny@2").decode()
    for words in (
        *("tiny@2:", "approved", "Approved and not promoted.", "drift score 0.71 over 110 rows of 2025-07-24 … 2025-07-30", "&lt;b&gt;x&lt;/b&gt;"),
        *("distance 0.52, lower: median 61 -&gt; 16", "+75.0% [+43.0%, +110.0%] over 200 outcomes", "known to have changed, 2025-07-24", "mae_y: 0.2140"),
        *("against 0.3100 of tiny@1", "-42.0% to -18.0%", "110 rows of 2025-07-24 … 2025-07-30, which it has not seen", "1.2 s, 310 MB"),
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("number", "cause", "approved", "words"),
    [
        pytest.param(1, "bootstrap", True, ("approved", "bootstrap", "of median", "Nothing is recorded as changed."), id="first"),
        pytest.param(2, "data_drift_high", False, ("refused by segments", "Not promoted.", "24 (50 rows) worse by 33.3%"), id="refused"),
        pytest.param(2, "submitted", None, ("not judged yet", "submitted", "Waits for its verdict.", "Not compared."), id="submitted"),
    ],
)
def test_other_beginnings_and_ends(
    store: PostgresStore, reports: RetrainReports, number: int, cause: str, approved: bool | None, words: tuple[str, ...]
) -> None:
    _version(store, number, cause=cause, approved=approved)
    text = reports.html(f"tiny@{number}").decode()
    assert [one for one in words if one not in text] == []


def test_what_became_of_it_is_told_after_each_deployment(store: PostgresStore, reports: RetrainReports) -> None:
    _version(store, 1, cause="bootstrap")
    _deployed(store, 1, "promote", "approved by the gates")
    assert "Serves, in bake." in reports.html("tiny@1").decode()
    _version(store, 2)
    _deployed(store, 2, "promote", "approved by the gates")
    assert "Served and was replaced." in reports.html("tiny@1").decode()
    with store.transaction() as tx:
        tx.versions.quarantine(NAME, 2, "12 % worse <script>")
    text = reports.html("tiny@2").decode()
    assert "Quarantined: 12 % worse &lt;script&gt;" in text
    assert "promote</td><td>confirmed</td><td>2025-08-11 01:00" in text


def _received(event: Event) -> Received:
    return Received("model.deployed", 0, 0, None, encode(event), [], NOW)


def test_messages_attach_the_page_of_every_version_they_speak_of(store: PostgresStore, reports: RetrainReports) -> None:
    _version(store, 1)
    _version(store, 2)
    deployed = ModelDeployed(
        model_name=NAME, model_version="tiny@2", previous_version="tiny@1", epoch=2, kind="promote", reason="approved", confirmed_by=("a", "b")
    )
    unknown = ModelEvaluationCompleted(model_name=NAME, model_version="tiny@9", champion_version=None, approved=False, window=None, n=0, gates=())
    broken = Received("model.deployed", 0, 1, None, b"{", [], NOW)
    messages = [broken, _received(_event("model_evaluation_completed", unknown)), _received(_event("model_deployed", deployed))]
    assert reports.of_messages(messages) == ()
    files = reports._registry.files  # type: ignore[attr-defined]
    assert files == {f"run-{number}/report.html": reports.html(f"tiny@{number}") for number in (1, 2)}


def test_while_the_registry_is_away_the_message_is_not_done(store: PostgresStore, reports: RetrainReports, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise Unavailable("MLflow does not answer")

    _version(store, 1)
    monkeypatch.setattr(reports._registry, "attach", away)
    evaluated = ModelEvaluationCompleted(model_name=NAME, model_version="tiny@1", champion_version=None, approved=True, window=None, n=0, gates=())
    with pytest.raises(Unavailable):
        reports.of_messages([_received(_event("model_evaluation_completed", evaluated))])


def test_a_version_that_is_not_there_has_no_report(reports: RetrainReports) -> None:
    with pytest.raises(NotFound):
        reports.html("tiny@7")
