"""What decisions look at, read from the rows that were recorded, without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from evergreen.adapters.memory.tables import OPEN, StoredAction, Tables
from evergreen.contracts import events as e
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.contracts.topics import payload_of
from evergreen.core.concerns import Catalogue
from evergreen.core.evolution import with_event
from evergreen.core.proposal import CORRECTIVE, RESPONSES
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Corrective, OpenAction, State

HORIZON = timedelta(days=1)


class MemoryHistory:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def states(self, models: Sequence[str], catalogue: Catalogue, event_types: Sequence[str], now: datetime) -> dict[str, State]:
        return {model: self._state(model, catalogue, now) for model in models}

    def caused_by(self, event_id: str) -> list[UUID]:
        return [one.action.id for one in self._tables.actions.values() if any(cause.id == event_id for cause in one.action.causes)]

    def typical_durations(self) -> Mapping[ActionKind, timedelta]:
        """No wall times are kept here."""
        return {}

    def _state(self, model: str, catalogue: Catalogue, now: datetime) -> State:
        rows = [one for one in self._tables.actions.values() if one.action.model == model]
        waiting = tuple(_open(one) for one in rows if one.status in OPEN and one.action.kind is not ActionKind.INGEST)
        state = State(model, datasets=tuple(catalogue.get(model, ())), open=waiting, paused=self._tables.paused)
        state = replace(state, not_stable=self._tables.not_stable.get(model, ()), corrective=_corrective(rows, now))
        for one in sorted(rows, key=lambda row: row.accepted_at):
            if one.action.kind in RESPONSES and one.status not in (ActionStatus.FAILED, ActionStatus.CANCELLED):
                severity = Severity.parse(one.action.severity)
                state = state.with_accepted(Accepted(one.event_type, one.action.kind, one.action.target, severity, one.accepted_at, one.action.id))
        for row in self._tables.events.values():
            event, payload = row.event, payload_of(row.event)
            ended = isinstance(payload, e.ActionFailed | e.ActionCompleted) and payload.model == model and event.time > now - HORIZON
            if ended or (isinstance(payload, e.ModelDeployed) and payload.model_name == model):
                state = with_event(state, event.time, payload)
            if event.type == "model_evaluation_completed" and event.data["model_name"] == model:
                after = event.data.get("rows_after_as_of", 0) + self._processed(catalogue.get(model, ()), event.time)
                state = state.with_verdict(event.time, approved=event.data["approved"], rows_after=after)
            elif event.type == "data_processed" and event.data["dataset"] in catalogue.get(model, ()):
                retraining = [one.as_of for one in waiting if one.kind is ActionKind.RETRAIN and one.status == "running"]
                if retraining and event.time > max(retraining):
                    state = State(**{**vars(state), "rows_since_retrain": state.rows_since_retrain + event.data["rows"]})
        return state

    def _processed(self, datasets: Sequence[str], since: datetime) -> int:
        rows = (row.event for row in self._tables.events.values() if row.event.type == "data_processed" and row.event.time > since)
        return sum(int(event.data["rows"]) for event in rows if event.data["dataset"] in datasets)


def _corrective(rows: Sequence[StoredAction], now: datetime) -> tuple[Corrective, ...]:
    counted = [
        Corrective(one.event_type, one.action.kind, one.action.target, one.accepted_at, one.action.id)
        for one in rows
        if one.action.kind in CORRECTIVE and one.event_type != "manual" and one.status is not ActionStatus.CANCELLED and one.accepted_at > now - HORIZON
    ]
    return tuple(sorted(counted, key=lambda one: (one.at, str(one.action_id))))


def _open(one: StoredAction) -> OpenAction:
    action = one.action
    return OpenAction(
        id=action.id,
        kind=action.kind,
        target=action.target,
        status="pending" if one.status is ActionStatus.PENDING else "running",
        reason=action.reason,
        severity=Severity.parse(action.severity),
        priority=action.priority,
        due_at=action.due_at,
        as_of=action.as_of,
        event_type=one.event_type,
        params=action.params,
    )
