"""Who was asked, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from evergreen.adapters.memory.tables import Tables
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.approval import Answered
from evergreen.ports.approvals import ApprovalRow
from evergreen.ports.storage import Lease


class MemoryApprovals:
    def __init__(self, tables: Tables) -> None:
        self._rows = tables.approvals
        self._actions = tables.actions

    def ask(self, row: ApprovalRow) -> None:
        self._rows[row.action_id, row.token] = row

    def answer(self, lease: Lease, answered: Answered, at: datetime) -> None:
        row = self._rows.get((lease.action_id, lease.token))
        if row is not None:
            changed = replace(row, answer=answered.answer, how=answered.how, who=answered.who, comment=answered.comment, answered_at=at)
            self._rows[row.action_id, row.token] = changed

    def of_action(self, action_id: UUID) -> list[ApprovalRow]:
        return sorted((row for row in self._rows.values() if row.action_id == action_id), key=lambda row: row.token)

    def waiting(self, kind: ActionKind, run_id: str) -> Lease | None:
        for row in self._rows.values():
            held = self._actions.get(row.action_id)
            if held is None or (held.token, held.status, held.action.kind) != (row.token, ActionStatus.CLAIMED, kind):
                continue
            if row.run_id == run_id and row.answered_at is None:
                return Lease(row.action_id, row.token, run_id)
        return None
