"""What an event itself changes in the state, before anything is decided on it: the recorded rows will say the same."""

from __future__ import annotations

from datetime import UTC, datetime

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL, ActionKind
from evergreen.core.proposal import CORRECTIVE
from evergreen.core.state import Champion, State


def with_event(state: State, at: datetime, payload: e.Payload) -> State:
    """`at`: the event's time."""
    if isinstance(payload, e.DataProcessed):
        return state.with_rows(payload.rows, at)
    if isinstance(payload, e.ModelEvaluationCompleted) and state.model != NO_MODEL:
        return state.with_verdict(at, approved=payload.approved, rows_after=payload.rows_after_as_of)
    if isinstance(payload, e.ModelDeployed) and state.model != NO_MODEL:
        return state.with_champion(Champion(payload.model_version, at.astimezone(UTC), payload.kind))
    if isinstance(payload, e.ActionFailed | e.ActionCompleted) and payload.kind in CORRECTIVE:
        failed = isinstance(payload, e.ActionFailed)
        return state.with_end(ActionKind(payload.kind), payload.target, at.astimezone(UTC), failed=failed)
    return state
