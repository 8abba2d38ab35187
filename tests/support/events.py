"""Events as the loop's parts say them, with whatever a test wants to say differently."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evergreen.contracts.envelope import Event, new_id

NOON = datetime(2025, 8, 6, 3, 0, tzinfo=UTC)
"""Noon in Seoul."""
MODEL = "video_performance"
WEEK = {"first_day": "2025-07-30", "last_day": "2025-08-05"}

_DATA: dict[str, dict[str, Any]] = {
    "data_ingested": {"batch_id": "b1", "dataset": "videos.KR", "path": "/data/b1.parquet", "rows": 1400, "window": WEEK, "sha256": "0" * 64},
    "data_processed": {"batch_id": "b1", "dataset": "videos.KR", "rows": 1400, "quarantined": 0, "window": WEEK},
    "data_quality_issue": {"dataset": "videos.KR", "batch_id": "b1", "kind": "nulls", "severity": "medium"},
    "data_drift_detected": {"model_version": f"{MODEL}@1", "drift_score": 0.2, "affected_features": [], "severity": "low", "window": WEEK, "n": 200},
    "model_training_started": {"model_name": MODEL, "action_id": "a", "reason": "data_drift_high", "window": WEEK},
    "model_training_completed": {
        **{"model_name": MODEL, "model_version": f"{MODEL}@2", "reason": "data_drift_high", "window": WEEK, "rows": 900},
        **{"metrics": {"mae": 0.2}, "cost_seconds": 3.5, "run_id": "r"},
    },
    "model_evaluation_completed": {
        **{"model_name": MODEL, "model_version": f"{MODEL}@2", "champion_version": f"{MODEL}@1", "approved": True, "window": WEEK, "n": 110},
        "gates": [{"name": "improvement", "passed": True, "detail": "better by 20 %"}],
    },
    "model_deployed": {
        **{"model_name": MODEL, "model_version": f"{MODEL}@2", "previous_version": f"{MODEL}@1", "epoch": 2, "kind": "promote"},
        **{"reason": "data_drift_high", "confirmed_by": ["w1", "w2"]},
    },
    "model_performance_degraded": {
        **{"model_name": MODEL, "model_version": f"{MODEL}@2", "performance_drop": 0.07, "current_performance": 0.25, "baseline_performance": 0.23},
        **{"severity": "medium", "window": WEEK, "n": 200, "interval": [0.05, 0.12]},
    },
    "system_alert": {"title": "Disk full", "message": "90 %", "severity": "high", "timestamp": NOON.isoformat(), "source_event": "-"},
    "service_recovered": {"service_name": "serving"},
    "service_health_check_failed": {"service_name": "redis", "severity": "high"},
    "system_overload": {"service_name": "serving", "measured": 95.0, "bound": 90.0, "severity": "critical"},
    "prediction_latency_high": {"service_name": "serving", "measured": 0.3, "bound": 0.25, "severity": "high"},
    "system_load_low": {"service_name": "serving", "measured": 0.1, "bound": 0.3, "severity": "low"},
    "policy_changed": {"old_hash": None, "new_hash": "0" * 64, "who": "tester"},
    "action_requested": {
        "action": {
            **{"id": "7c1e0a56-0000-4000-8000-000000000000", "kind": "retrain", "model": MODEL, "target": MODEL, "reason": "manual"},
            **{"due_at": NOON.isoformat(), "as_of": NOON.isoformat()},
        }
    },
    "action_completed": {"action_id": "a", "kind": "ingest", "model": "-", "run_id": "r"},
    "action_failed": {"action_id": "a", "kind": "ingest", "model": "-", "attempts": 3, "error": "boom"},
    "timer_due": {"timer": "performance_check", "model": MODEL, "due_at": NOON.isoformat()},
}


def features(count: int) -> list[dict[str, Any]]:
    return [{"name": f"f{number}", "effect": 0.3, "q_value": 0.001} for number in range(count)]


def event(event_type: str, *, at: datetime = NOON, event_id: str | None = None, source: str = "/test", subject: str | None = None, **changes: Any) -> Event:
    data = {**_DATA[event_type], **changes}
    who = subject or str(data.get("model_name") or data.get("dataset") or data.get("service_name") or data.get("model") or MODEL)
    return Event(id=event_id or new_id(), source=source, type=event_type, subject=who, time=at, data=data)
