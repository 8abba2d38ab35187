"""Table `actions` as intake writes it: many new ones at once, and changes to one that waits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import execute_values

from evergreen.contracts.actions import ActionKind
from evergreen.ports.records import Absorbed, NewAction

_COLUMNS = (
    "id, action_key, kind, model, target, params, reason, severity, priority, due_at, as_of, causes, traceparent, "
    "event_type, decision_seq, accepted_at, status, result, released, rung_at, finished_at"
)
_OF_STATUS = {"pending": ("pending",), "running": ("claimed", "running")}


class PostgresPlannedActions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[NewAction], *, rung: bool) -> None:
        if not rows:
            return
        template = f"({', '.join(['%s'] * 19)}, CASE WHEN %s THEN clock_timestamp() END, CASE WHEN %s THEN clock_timestamp() END)"
        with self._connection.cursor() as cursor:
            statement = f"INSERT INTO actions ({_COLUMNS}) VALUES %s ON CONFLICT (action_key) DO NOTHING"
            execute_values(cursor, statement, [_values(row, rung=rung) for row in rows], template=template, page_size=500)

    def hold_claims(self, kinds: Iterable[ActionKind]) -> None:
        with self._connection.cursor() as cursor:
            for kind in sorted(kinds):
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('claim:' || %s))", (kind.value,))

    def absorb(self, row: Absorbed, *, accepted_at: datetime | None) -> bool:
        change = row.absorption
        causes = json.dumps([cause.model_dump(mode="json") for cause in row.causes])
        with self._connection.cursor() as cursor:
            cursor.execute(
                """UPDATE actions SET causes = causes || %s::jsonb, reason = %s, severity = %s, priority = %s, due_at = %s, as_of = %s, params = %s,
                       accepted_at = coalesce(%s, accepted_at), released = released OR %s WHERE id = %s AND status = ANY(%s)""",
                (
                    *(causes, change.reason, change.severity, change.priority, change.due_at, change.as_of, json.dumps(dict(change.params))),
                    *(accepted_at, change.runs_now, change.into, list(_OF_STATUS[change.status])),
                ),
            )
            return cursor.rowcount == 1

    def release(self, action_ids: Sequence[UUID]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE actions SET released = true, rung_at = clock_timestamp() WHERE id = ANY(%s)", (list(action_ids),))

    def cancel(self, action_id: UUID, error: str) -> bool:
        with self._connection.cursor() as cursor:
            statement = "UPDATE actions SET status = 'cancelled', error = %s, finished_at = clock_timestamp() WHERE id = %s AND status = 'pending'"
            cursor.execute(statement, (error, action_id))
            return cursor.rowcount == 1


def _values(row: NewAction, *, rung: bool) -> tuple[Any, ...]:
    action = row.action
    finished = row.done is not None
    return (
        *(action.id, row.key, action.kind.value, action.model, action.target, json.dumps(action.params, ensure_ascii=False), action.reason),
        *(action.severity, action.priority, action.due_at, action.as_of, json.dumps([cause.model_dump(mode="json") for cause in action.causes])),
        *(action.traceparent, row.event_type, row.decision_seq, row.accepted_at, "succeeded" if finished else "pending"),
        *(None if row.done is None else json.dumps(dict(row.done), ensure_ascii=False), rung or finished, rung and not finished, finished),
    )
