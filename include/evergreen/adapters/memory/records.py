"""Events, decisions and what is read from them, without a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.adapters.memory.tables import OPEN, StoredAction, Tables
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.concerns import Catalogue
from evergreen.core.guards import RESPONSES
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, OpenAction, State
from evergreen.ports.records import AlertRow, DecisionRow, EventKey, EventRow, Head, Trained, Work


class MemoryEvents:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, str]:
        return {key: self._tables.events[key].content_hash for key in keys if key in self._tables.events}

    def record(self, rows: Sequence[EventRow]) -> int:
        new = {row.key: row for row in rows if row.key not in self._tables.events}
        self._tables.events |= new
        return len(new)

    def find(self, event_id: str) -> list[EventRow]:
        return [row for row in self._tables.events.values() if row.event.id == event_id]

    def seq(self) -> int:
        return len(self._tables.events)


class MemoryDecisions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock(self, models: Sequence[str]) -> None:
        """A transaction here excludes every other."""

    def heads(self, models: Sequence[str]) -> Mapping[str, Head]:
        ends = {model: list(self.chain(model)) for model in models}
        return {model: Head(rows[-1].seq, rows[-1].hash) for model, rows in ends.items() if rows}

    def append(self, rows: Sequence[DecisionRow]) -> None:
        self._tables.decisions |= {(row.model, row.seq): row for row in rows}

    def of_event(self, source: str, event_id: str) -> list[DecisionRow]:
        return [row for row in self._tables.decisions.values() if (row.event_source, row.event_id) == (source, event_id)]

    def at(self, model: str, seq: int) -> DecisionRow | None:
        return self._tables.decisions.get((model, seq))

    def models(self) -> list[str]:
        return sorted({model for model, _ in self._tables.decisions})

    def chain(self, model: str) -> Iterator[DecisionRow]:
        return iter(sorted((row for row in self._tables.decisions.values() if row.model == model), key=lambda row: row.seq))


class MemoryHistory:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def states(self, models: Sequence[str], catalogue: Catalogue, event_types: Sequence[str], now: datetime) -> dict[str, State]:
        return {model: self._state(model, catalogue) for model in models}

    def caused_by(self, event_id: str) -> list[UUID]:
        return [one.action.id for one in self._tables.actions.values() if any(cause.id == event_id for cause in one.action.causes)]

    def _state(self, model: str, catalogue: Catalogue) -> State:
        rows = [one for one in self._tables.actions.values() if one.action.model == model]
        waiting = tuple(_open(one) for one in rows if one.status in OPEN and one.action.kind is not ActionKind.INGEST)
        state = State(model, datasets=tuple(catalogue.get(model, ())), open=waiting)
        for one in sorted(rows, key=lambda row: row.accepted_at):
            if one.action.kind in RESPONSES and one.status not in (ActionStatus.FAILED, ActionStatus.CANCELLED):
                severity = Severity.parse(one.action.severity)
                state = state.with_accepted(Accepted(one.event_type, one.action.kind, one.action.target, severity, one.accepted_at, one.action.id))
        for row in self._tables.events.values():
            event = row.event
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


class MemoryAlerts:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def record(self, rows: Sequence[AlertRow]) -> None:
        self._tables.alerts |= {row.id: row for row in rows if row.id not in self._tables.alerts}

    def newest(self, limit: int) -> list[AlertRow]:
        return list(reversed(self._tables.alerts.values()))[:limit]


class MemoryTimers:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def last(self) -> Mapping[tuple[str, str], datetime]:
        return dict(self._tables.timers)

    def set(self, timer: str, model: str, last_due: datetime) -> None:
        self._tables.timers[timer, model] = last_due

    def champions(self, catalogue: Catalogue) -> Mapping[str, Trained]:
        return dict(self._tables.champions)


class MemoryPolicies:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        return next(iter(reversed(self._tables.policies.items())), None)

    def activate(self, policy_hash: str, body: Mapping[str, Any]) -> str | None:
        active = self.active()
        if active is not None and active[0] == policy_hash:
            return None
        self._tables.policies.pop(policy_hash, None)
        self._tables.policies[policy_hash] = body
        return active[0] if active else None


class MemoryWork:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def count(self, now: datetime) -> Work:
        decided = {(row.event_source, row.event_id) for row in self._tables.decisions.values()}
        pending = [one.action.due_at for one in self._tables.actions.values() if one.status is ActionStatus.PENDING]
        out = sum(one.status in OPEN and one.status is not ActionStatus.PENDING for one in self._tables.actions.values())
        unsent = sum(one.sent_at is None for one in self._tables.outbox.values())
        later = [due_at for due_at in pending if due_at > now]
        mark = (len(self._tables.events), self._tables.last_message)
        return Work(len(set(self._tables.events) - decided), unsent, len(pending) - len(later), out, min(later, default=None), mark)
