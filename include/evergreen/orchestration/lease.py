"""A lease between two tasks, as XCom carries it, and the words that go with a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL, Action
from evergreen.ports.storage import Lease

CLAIM_TASK = "claim"
NOTE_LIMIT = 1000
"""Characters Airflow keeps of a run's note."""


def to_xcom(lease: Lease, action: Action, note: str) -> dict[str, Any]:
    return {
        "action_id": str(lease.action_id),
        "token": lease.token,
        "run_id": lease.run_id,
        "kind": action.kind.value,
        "target": action.target,
        "traceparent": action.traceparent,
        "note": note,
    }


def from_xcom(value: Mapping[str, Any]) -> Lease:
    return Lease(UUID(value["action_id"]), value["token"], value["run_id"])


def note_of(action: Action, attempts: int) -> str:
    """What the run does and why: `retrain video_performance · data_drift_high, caused by data_drift_detected 0192… · action 7c1e…`."""
    what = action.kind.value if action.target == NO_MODEL else f"{action.kind} {action.target}"
    causes = ", ".join(f"{cause.type} {cause.id}" for cause in action.causes) or _asked_by(action)
    again = f" · attempt {attempts}" if attempts > 1 else ""
    return f"{what} · {action.reason}, caused by {causes} · action {action.id}{again}"[:NOTE_LIMIT]


def _asked_by(action: Action) -> str:
    who, reason = action.params.get("requested_by"), action.params.get("reason")
    return f"{who}{f': {reason}' if reason else ''}" if who else "the tick"
