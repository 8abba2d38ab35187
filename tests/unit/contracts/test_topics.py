"""One table says which topic carries which event type with which payload."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from evergreen.contracts import events as e
from evergreen.contracts.actions import DAG_KINDS, TERMINAL, Action, ActionKind, ActionStatus, Cause
from evergreen.contracts.envelope import Event
from evergreen.contracts.errors import InvalidEvent
from evergreen.contracts.topics import CONTROL_TOPICS, DEAD_LETTER, PAYLOADS, STREAM_TYPES, TOPIC_OF, TOPICS, payload_of

WINDOW = {"first_day": "2025-07-24", "last_day": "2025-07-30"}
GOOD: dict[str, dict[str, Any]] = {
    "data_ingested": {"batch_id": "b", "dataset": "videos.KR", "path": "lake/b.parquet", "rows": 350, "window": WINDOW, "sha256": "0" * 64},
    "data_drift_detected": {
        "model_version": "video_performance@1",
        "drift_score": 0.7,
        "affected_features": [{"name": "category_id", "effect": 0.4, "q_value": 0.001, "direction": "up"}],
        "severity": "HIGH",
        "window": WINDOW,
        "n": 110,
    },
    "model_performance_degraded": {
        "model_name": "video_performance",
        "model_version": "video_performance@1",
        "performance_drop": 0.4,
        "current_performance": 0.4,
        "baseline_performance": 0.2,
        "window": WINDOW,
        "n": 200,
        "interval": [0.2, 0.6],
    },
}


def event(event_type: str, data: dict[str, Any]) -> Event:
    return Event(id="1", source="/test", type=event_type, subject="s", time=datetime(2025, 7, 31, tzinfo=UTC), data=data)


def test_names_are_unique_and_each_type_belongs_to_one_topic() -> None:
    names = [topic.name for topic in TOPICS]
    types = [name for topic in TOPICS for name in topic.types]
    assert len(set(names)) == len(names)
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"[a-z]+(\.[a-z]+)+", name) for name in names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in types)


def test_every_type_has_a_payload_and_only_the_timer_has_no_topic() -> None:
    assert set(PAYLOADS) - set(TOPIC_OF) == {"timer_due"}
    assert set(TOPIC_OF) < set(PAYLOADS)


def test_partitions_are_what_consumers_are_sized_for() -> None:
    assert {topic.name: topic.partitions for topic in TOPICS} == {
        "data.ingested": 3,
        "data.processed": 3,
        "data.quality.issues": 2,
        "data.drift.detected": 2,
        "model.training.started": 2,
        "model.training.completed": 2,
        "model.evaluation.completed": 2,
        "model.deployed": 2,
        "model.performance.degraded": 2,
        "prediction.request": 5,
        "prediction.completed": 5,
        "prediction.feedback": 3,
        "system.metrics": 3,
        "system.alerts": 2,
        "system.health": 2,
        "business.user.interaction": 3,
        "business.recommendation.clicked": 3,
        "business.feedback.received": 2,
        "recommendations.updated": 3,
        "push.recommendations": 3,
        "mlops.actions": 3,
        "dead.letter": 2,
    }


def test_high_volume_topics_are_no_control_topics() -> None:
    assert not [name for name in CONTROL_TOPICS if name.startswith(("prediction.", "business.", "recommendations.", "push."))]
    assert DEAD_LETTER not in CONTROL_TOPICS
    assert {TOPIC_OF[name] for name in STREAM_TYPES} <= set(CONTROL_TOPICS)


@pytest.mark.parametrize("event_type", sorted(PAYLOADS))
def test_every_payload_is_frozen_and_refuses_what_it_does_not_know(event_type: str) -> None:
    model = PAYLOADS[event_type]
    assert model.model_config["frozen"] is True
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"surprise": 1})
    assert ("surprise",) in {fault["loc"] for fault in caught.value.errors() if fault["type"] == "extra_forbidden"}


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(InvalidEvent, match="no event type 'model_exploded'") as caught:
        payload_of(event("model_exploded", {}))
    assert caught.value.reason == "unknown_type"


@pytest.mark.parametrize(
    ("event_type", "change", "where"),
    [
        pytest.param("data_ingested", {"colour": "red"}, "data_ingested.colour", id="extra-field"),
        pytest.param("data_ingested", {"rows": -1}, "data_ingested.rows", id="negative-count"),
        pytest.param("data_ingested", {"window": {"first_day": "2025-07-24"}}, "data_ingested.window.last_day", id="half-a-window"),
        pytest.param(
            "data_ingested", {"window": {"first_day": "9999-12-31", "last_day": "2025-07-24"}}, "data_ingested.window.first_day", id="after-every-calendar"
        ),
        pytest.param(
            "data_ingested", {"window": {"first_day": "0001-01-01", "last_day": "2025-07-24"}}, "data_ingested.window.first_day", id="before-every-calendar"
        ),
        pytest.param(
            "data_ingested", {"window": {"first_day": "2025-07-24", "last_day": "9999-12-31"}}, "data_ingested.window.last_day", id="the-last-day-there-is"
        ),
        pytest.param("data_drift_detected", {"drift_score": 1.01}, "data_drift_detected.drift_score", id="score-above-one"),
        pytest.param("data_drift_detected", {"drift_score": float("nan")}, "data_drift_detected.drift_score", id="nan"),
        pytest.param("data_drift_detected", {"model_version": "video_performance"}, "data_drift_detected.model_version", id="version-without-number"),
        pytest.param("model_performance_degraded", {"performance_drop": "much"}, "model_performance_degraded.performance_drop", id="word-for-a-number"),
        pytest.param("model_performance_degraded", {"performance_drop": -0.1}, "model_performance_degraded.performance_drop", id="negative-drop"),
        pytest.param("model_performance_degraded", {"baseline_performance": float("inf")}, "model_performance_degraded.baseline_performance", id="infinity"),
        pytest.param("model_performance_degraded", {"action_required": "PANIC"}, "model_performance_degraded.action_required", id="not-a-word-of-ours"),
    ],
)
def test_a_payload_with_a_mistake_is_refused_and_the_field_named(event_type: str, change: dict[str, Any], where: str) -> None:
    good = event(event_type, GOOD[event_type])
    assert payload_of(good).model_dump(exclude_unset=True)
    with pytest.raises(InvalidEvent, match=re.escape(where)) as caught:
        payload_of(event(event_type, GOOD[event_type] | change))
    assert caught.value.reason == "schema_violation"


@pytest.mark.parametrize(
    ("given", "read"),
    [("HIGH", "high"), (" Critical ", "critical"), ("low", "low"), ("urgent", "medium"), (None, "medium"), (7, "medium")],
    ids=str,
)
def test_severity_is_read_in_any_case_and_is_medium_when_unknown(given: object, read: str) -> None:
    payload = payload_of(event("data_drift_detected", GOOD["data_drift_detected"] | {"severity": given}))
    assert isinstance(payload, e.DataDriftDetected)
    assert payload.severity == read


def test_severity_left_out_is_medium() -> None:
    data = {name: value for name, value in GOOD["data_drift_detected"].items() if name != "severity"}
    assert e.DataDriftDetected.model_validate(data).severity == "medium"


def test_a_payload_survives_the_journey_as_json() -> None:
    payload = e.DataDriftDetected.model_validate(GOOD["data_drift_detected"])
    assert payload_of(event("data_drift_detected", payload.model_dump(mode="json"))) == payload


def test_an_action_travels_whole_in_its_doorbell() -> None:
    now = datetime(2025, 7, 31, tzinfo=UTC)
    cause = Cause(source="/airflow/drift_check", id="1", type="data_drift_detected")
    action = Action(id=UUID(int=1), kind=ActionKind.RETRAIN, model="video_performance", reason="data_drift_high", due_at=now, as_of=now, causes=(cause,))
    data = e.ActionRequested(action=action).model_dump(mode="json")
    assert payload_of(event("action_requested", data)) == e.ActionRequested(action=action)


def test_an_action_without_a_reason_cannot_be_made() -> None:
    now = datetime(2025, 7, 31, tzinfo=UTC)
    with pytest.raises(ValidationError, match="reason"):
        Action(id=UUID(int=1), kind=ActionKind.RETRAIN, reason="", due_at=now, as_of=now)


def test_only_work_for_airflow_rings_its_doorbell() -> None:
    assert set(DAG_KINDS) == set(ActionKind) - {ActionKind.SCALE_UP, ActionKind.SCALE_DOWN, ActionKind.ALERT, ActionKind.MONITOR, ActionKind.IGNORE}
    assert set(ActionStatus) - TERMINAL == {ActionStatus.PENDING, ActionStatus.CLAIMED, ActionStatus.RUNNING}
