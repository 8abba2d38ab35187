"""Table `actions`: claims with lease and fencing token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2.extensions
import psycopg2.extras

from evergreen.adapters.postgres.pauses import FREE
from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.errors import Fenced, NotFound
from evergreen.ports.storage import MAX_ATTEMPTS, ActionRow, ClaimedAction, Lease

_ACTION = "id, kind, model, target, params, reason, severity, priority, due_at, as_of, causes, traceparent"
_ROW = f"{_ACTION}, action_key, event_type, status, accepted_at, attempts, token, run_id, result, error"

_CLAIMABLE = f"status = 'pending' AND released AND {FREE} AND due_at <= %(now)s AND coalesce(retry_at <= clock_timestamp(), true)"


class PostgresActions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def insert(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None = None) -> bool:
        return self._insert(action, key, event_type, accepted_at, decision_seq, ActionStatus.PENDING, None)

    def record_done(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None, result: Mapping[str, Any]) -> bool:
        return self._insert(action, key, event_type, accepted_at, decision_seq, ActionStatus.SUCCEEDED, result)

    def _insert(
        self,
        action: Action,
        key: str,
        event_type: str,
        accepted_at: datetime,
        decision_seq: int | None,
        status: ActionStatus,
        result: Mapping[str, Any] | None,
    ) -> bool:
        values = action.model_dump(mode="json")
        values |= {"params": json.dumps(values["params"]), "causes": json.dumps(values["causes"]), "due_at": action.due_at, "as_of": action.as_of}
        values |= {"action_key": key, "event_type": event_type, "accepted_at": accepted_at, "decision_seq": decision_seq, "status": status.value}
        values |= {"result": None if result is None else json.dumps(dict(result))}
        names = ", ".join(values)
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO actions ({names}, finished_at) VALUES ({", ".join(f"%({name})s" for name in values)},
                    CASE WHEN %(status)s = 'succeeded' THEN clock_timestamp() END) ON CONFLICT (action_key) DO NOTHING""",
                values,
            )
            return cursor.rowcount == 1

    def claim(self, kind: ActionKind, run_id: str, now: datetime, lease_for: timedelta, action_id: UUID | None = None) -> ClaimedAction | None:
        with self._cursor() as cursor:
            # Two claimers at once would each see the other's (kind, model) as free.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('claim:' || %s))", (kind.value,))
            cursor.execute(f"SELECT {_ROW} FROM actions WHERE run_id = %s AND kind = %s AND status IN ('claimed', 'running') FOR UPDATE", (run_id, kind.value))
            held = cursor.fetchone()
            if held is not None:
                row = _row(held)
                return ClaimedAction(row.action, Lease(row.action.id, row.token, run_id), row.attempts)
            cursor.execute(
                f"""UPDATE actions SET status = 'claimed', run_id = %(run)s, token = token + 1, attempts = attempts + 1, retry_at = NULL,
                        claimed_at = clock_timestamp(), lease_until = clock_timestamp() + %(lease)s
                    WHERE id = (
                        SELECT id FROM actions a
                        WHERE kind = %(kind)s AND {_CLAIMABLE}
                          AND (%(id)s::uuid IS NULL OR id = %(id)s)
                          AND NOT EXISTS (SELECT FROM actions o WHERE o.kind = a.kind AND o.model = a.model AND o.status IN ('claimed', 'running'))
                        ORDER BY priority = 'high' DESC, due_at, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
                    RETURNING {_ROW}""",
                {"run": run_id, "lease": lease_for, "kind": kind.value, "now": now, "id": action_id},
            )
            claimed = cursor.fetchone()
        if claimed is None:
            return None
        row = _row(claimed)
        return ClaimedAction(row.action, Lease(row.action.id, row.token, run_id), row.attempts)

    def renew(self, lease: Lease, lease_for: timedelta) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """UPDATE actions SET lease_until = clock_timestamp() + %s
                   WHERE id = %s AND token = %s AND status IN ('claimed', 'running')""",
                (lease_for, lease.action_id, lease.token),
            )
            return cursor.rowcount == 1

    def start(self, lease: Lease) -> None:
        self._change(lease, "status = 'running', started_at = coalesce(started_at, clock_timestamp())", ())

    def finish(self, lease: Lease, status: ActionStatus, *, result: Mapping[str, Any] | None = None, error: str | None = None) -> None:
        encoded = None if result is None else json.dumps(dict(result), default=str)
        self._change(lease, "status = %s, result = %s, error = %s, finished_at = clock_timestamp(), lease_until = NULL", (status.value, encoded, error))

    def retry_later(self, lease: Lease, *, error: str, wait: timedelta) -> None:
        self._change(lease, "status = 'pending', error = %s, retry_at = clock_timestamp() + %s, lease_until = NULL, rung_at = NULL", (error, wait))

    def put_off(self, lease: Lease, *, until: datetime, why: str) -> None:
        self._change(lease, "status = 'pending', error = %s, due_at = %s, as_of = %s, attempts = 0, lease_until = NULL, rung_at = NULL", (why, until, until))

    def _change(self, lease: Lease, assignments: str, values: tuple[object, ...]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE actions SET {assignments} WHERE id = %s AND token = %s AND status IN ('claimed', 'running')",
                (*values, lease.action_id, lease.token),
            )
            if cursor.rowcount != 1:
                raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token})")

    def get(self, action_id: UUID) -> ActionRow | None:
        with self._cursor() as cursor:
            cursor.execute(f"SELECT {_ROW} FROM actions WHERE id = %s", (action_id,))
            found = cursor.fetchone()
        return None if found is None else _row(found)

    def open_of(self, kind: ActionKind, model: str) -> list[ActionRow]:
        with self._cursor() as cursor:
            cursor.execute(
                f"""SELECT {_ROW} FROM actions WHERE kind = %s AND model = %s AND status IN ('pending', 'claimed', 'running')
                    ORDER BY due_at, created_at, id""",
                (kind.value, model),
            )
            return [_row(found) for found in cursor.fetchall()]

    def expire_leases(self) -> list[ActionRow]:
        with self._cursor() as cursor:
            cursor.execute(
                f"""UPDATE actions SET status = 'pending', lease_until = NULL, rung_at = NULL, token = token + 1, error = 'lease expired',
                        retry_at = clock_timestamp() + least(power(2, attempts), 60) * interval '1 second'
                    WHERE status IN ('claimed', 'running') AND lease_until < clock_timestamp() AND attempts < {MAX_ATTEMPTS}
                    RETURNING {_ROW}"""
            )
            returned = cursor.fetchall()
            cursor.execute(
                f"""SELECT {_ROW} FROM actions
                    WHERE status IN ('claimed', 'running') AND lease_until < clock_timestamp() AND attempts >= {MAX_ATTEMPTS} FOR UPDATE"""
            )
            return [_row(found) for found in [*returned, *cursor.fetchall()]]

    def due(self, now: datetime, kind: ActionKind | None = None, rung_before: timedelta | None = None) -> list[ActionRow]:
        with self._cursor() as cursor:
            cursor.execute(
                f"""SELECT {_ROW} FROM actions WHERE {_CLAIMABLE}
                      AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                      AND (%(ago)s::interval IS NULL OR coalesce(rung_at < clock_timestamp() - %(ago)s::interval, true))
                    ORDER BY priority = 'high' DESC, due_at, created_at, id""",
                {"now": now, "kind": None if kind is None else kind.value, "ago": rung_before},
            )
            return [_row(found) for found in cursor.fetchall()]

    def quiet(self, now: datetime, rung_before: timedelta) -> list[ActionRow]:
        with self._cursor() as cursor:
            cursor.execute(
                f"""SELECT DISTINCT ON (kind, model) {_ROW} FROM actions
                    WHERE status = 'pending' AND {FREE} AND due_at <= %s AND coalesce(retry_at <= clock_timestamp(), true)
                      AND coalesce(rung_at < clock_timestamp() - %s, true)
                    ORDER BY kind, model, priority = 'high' DESC, due_at, created_at, id""",
                (now, rung_before),
            )
            return [_row(found) for found in cursor.fetchall()]

    def out(self) -> set[tuple[ActionKind, str]]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT kind, model FROM actions WHERE status IN ('claimed', 'running')")
            return {(ActionKind(kind), model) for kind, model in cursor.fetchall()}

    def mark_rung(self, action_ids: Sequence[UUID]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE actions SET rung_at = clock_timestamp() WHERE id = ANY(%s)", (list(action_ids),))

    def mark_all_rung(self, kind: ActionKind, model: str, now: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE actions SET rung_at = clock_timestamp() WHERE kind = %s AND model = %s AND status = 'pending' AND due_at <= %s",
                (kind.value, model, now),
            )

    def require(self, action_id: UUID) -> ActionRow:
        row = self.get(action_id)
        if row is None:
            raise NotFound(f"no action {action_id}")
        return row

    def _cursor(self) -> psycopg2.extras.RealDictCursor:
        return self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)


def _row(found: Mapping[str, Any]) -> ActionRow:
    names = [name.strip() for name in _ACTION.split(",")]
    return ActionRow(
        action=Action.model_validate({name: found[name] for name in names}),
        action_key=found["action_key"],
        event_type=found["event_type"],
        status=ActionStatus(found["status"]),
        accepted_at=found["accepted_at"],
        attempts=found["attempts"],
        token=found["token"],
        run_id=found["run_id"],
        result=found["result"],
        error=found["error"],
    )
