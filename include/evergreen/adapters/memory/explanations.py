"""The rows that explain a name, without a database. Deployments and versions have no twin here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from evergreen.adapters.memory.tables import StoredAction, Tables
from evergreen.core.explanation import Found, event_record, resulting_ids
from evergreen.core.fate import Related
from evergreen.ports.records import DecisionRow, EventRow

Row = dict[str, Any]


class MemoryExplanations:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, name: str) -> Found:
        model, _, seq = name.rpartition("/")
        decision = self._tables.decisions.get((model, int(seq))) if model and seq.isdecimal() else None
        if decision is not None:
            actions = [one for one in self._tables.actions.values() if str(one.action.id) in decision.body]
            return self._found("decision", name, self._events([decision.event_id]), [decision], actions)
        action = self._tables.actions.get(UUID(name)) if _is_uuid(name) else None
        if action is not None:
            events = self._events([cause.id for cause in action.action.causes])
            return self._found("action", name, events, self._decisions(events), [action])
        events = self._events([name])
        actions = [one for one in self._tables.actions.values() if any(cause.id == name for cause in one.action.causes)]
        return self._found("event", name, events, self._decisions(events), actions)

    def _events(self, ids: Sequence[str]) -> list[EventRow]:
        return [row for row in self._tables.events.values() if row.event.id in ids]

    def _decisions(self, events: Sequence[EventRow]) -> list[DecisionRow]:
        keys = {row.key for row in events}
        return [row for row in self._tables.decisions.values() if (row.event_source, row.event_id) in keys]

    def _found(self, about: Any, name: str, events: Sequence[EventRow], decisions: Sequence[DecisionRow], actions: Sequence[StoredAction]) -> Found:
        rows = [_action(one) for one in actions]
        made_by = {event_id: str(row["id"]) for row in rows for event_id in resulting_ids(row, Related())}
        results = [(made_by[one.event.id], event_record(_event(one))) for one in self._events(list(made_by))]
        asked = [vars(row) for row in self._tables.approvals.values() if row.action_id in {row["id"] for row in rows}]
        recorded = {row.key: row.received_at for row in self._tables.events.values()}
        told = [vars(row) | {"recorded_at": recorded[row.event_source, row.event_id]} for row in decisions]
        return Found(about, name, [_event(row) for row in events], told, rows, Related(approvals=asked, results=results))


def _event(row: EventRow) -> Row:
    facts = {name: getattr(row.event, name) for name in ("id", "source", "type", "subject", "time", "data")}
    return facts | {"topic": row.topic, "kafka_partition": row.partition, "kafka_offset": row.offset, "received_at": row.received_at}


def _action(one: StoredAction) -> Row:
    facts = one.action.model_dump(mode="json") | {"id": one.action.id, "due_at": one.action.due_at, "as_of": one.action.as_of}
    fate = {name: getattr(one, name) for name in ("event_type", "decision_seq", "accepted_at", "attempts", "run_id", "result", "error")}
    return facts | fate | {"status": one.status.value}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
