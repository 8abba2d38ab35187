"""Table `approvals`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import RealDictCursor

from evergreen.contracts.actions import ActionKind
from evergreen.core.approval import Answered
from evergreen.ports.approvals import ApprovalRow
from evergreen.ports.storage import Lease

_COLUMNS = "action_id, token, run_id, subject, asked_at, until, by_default, answer, how, who, comment, answered_at"
_NAMES = tuple(_COLUMNS.split(", "))


class PostgresApprovals:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def ask(self, row: ApprovalRow) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO approvals ({_COLUMNS}) VALUES ({", ".join(f"%({name})s" for name in _NAMES)})
                    ON CONFLICT (action_id, token) DO UPDATE SET ({_COLUMNS}) = ROW (excluded.*)""",
                vars(row),
            )

    def answer(self, lease: Lease, answered: Answered, at: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE approvals SET answer = %s, how = %s, who = %s, comment = %s, answered_at = %s WHERE action_id = %s AND token = %s",
                (answered.answer, answered.how, answered.who, answered.comment, at, lease.action_id, lease.token),
            )

    def of_action(self, action_id: UUID) -> list[ApprovalRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM approvals WHERE action_id = %s ORDER BY token", (action_id,))
            return [ApprovalRow(**found) for found in cursor.fetchall()]

    def waiting(self, kind: ActionKind, run_id: str) -> Lease | None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT a.id, a.token FROM approvals p JOIN actions a ON a.id = p.action_id AND a.token = p.token
                   WHERE p.run_id = %s AND p.answered_at IS NULL AND a.kind = %s AND a.status = 'claimed'""",
                (run_id, kind.value),
            )
            found: tuple[UUID, int] | None = cursor.fetchone()
        return None if found is None else Lease(found[0], found[1], run_id)
