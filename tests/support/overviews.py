"""What `/overview` answers in a busy loop, to be changed by a test."""

from __future__ import annotations

from typing import Any

HOSTILE = "<img src=x onerror=alert(1)>"


AT = "2025-08-14T00:00:06Z"
EVENT = {"id": "e1", "type": "data_drift_detected", "subject": HOSTILE, "time": AT, "received_at": AT, "severity": "high", "outcome": "accepted"}
ANSWER = {
    **{"decision": "m/1", "event_id": "e1", "action": "retrain", "target": HOSTILE, "outcome": "suppressed", "says": "", "stopped_by": "cooldown"},
    **{"allowed_at": AT, "due_at": None, "action_id": None},
}
ACTION = {
    **{"id": "a1", "kind": "retrain", "model": "video_performance", "target": "video_performance", "reason": HOSTILE, "status": "running"},
    **{"due_at": AT, "asking": False},
}


def overview(**changes: Any) -> dict[str, Any]:
    drift = {"report_id": "r1", "version": "video_performance@3", "score": 0.568, "drifted": True, "first_day": "2025-08-07", "last_day": "2025-08-13"}
    model = {"model": "video_performance", "version": "video_performance@4", "since": AT, "stable": False, "workers": 2, "trend": [0.0, 0.568]}
    share = {"name": "action_success", "goal": 0.95, "value": 0.97, "state": "kept", "n": 100, "budget_left": 0.4}
    return {
        "clock": {"now": AT, "mode": "replay", "rate": 60.0},
        "events": {"per_minute": [12, 3, 0], "newest": [{**EVENT, "rule": "drift_high"}, {**EVENT, "type": "unheard_of", "outcome": None, "severity": None}]},
        "decision": {
            **{"model": "m", "seq": 1, "event_id": "e1", "event_type": "data_drift_detected", "decided_at": AT, "recorded_at": AT, "severity": "high"},
            **{"severity_path": ["event: medium", "4 > 3: high"], "rule": "data_drift_detected.high", "outcome": "suppressed", "answers": [ANSWER]},
        },
        "actions": {"pending": 2, "running": 1, "asking": 1, "first": [ACTION, {**ACTION, "status": "pending", "asking": True}]},
        "models": [
            {**model, "drift": {**drift, "time": AT}},
            {**model, "model": "movie_recommender", "version": None, "since": None, "stable": None, "workers": 0, "drift": None, "trend": []},
        ],
        "firing": [{"name": "health:redis", "severity": "high", "said_at": AT}],
        "promises": [
            {**share, "name": "event_handling", "goal": 1.0, "value": 0.136, "budget_left": None},
            share,
            {**share, "name": "availability", "goal": 0.999, "value": 0.99, "state": "broken", "budget_left": -9.0},
        ],
        "missing": [],
        **changes,
    }
