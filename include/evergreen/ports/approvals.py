"""Table `approvals`: who was asked whether an action may be carried out, and what was answered."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from evergreen.contracts.actions import ActionKind
from evergreen.core.approval import Answered, AnswerWord, How
from evergreen.ports.policy_records import Pauses
from evergreen.ports.storage import Lease, Transaction


@dataclass(frozen=True)
class ApprovalRow:
    """Times are wall time."""

    action_id: UUID
    token: int
    run_id: str
    subject: str
    asked_at: datetime
    until: datetime
    by_default: AnswerWord
    answer: AnswerWord | None = None
    how: How | None = None
    who: str = ""
    comment: str = ""
    answered_at: datetime | None = None


class Approvals(Protocol):
    def ask(self, row: ApprovalRow) -> None:
        """Asking again under the same claim takes the place of the first time."""

    def answer(self, lease: Lease, answered: Answered, at: datetime) -> None: ...

    def of_action(self, action_id: UUID) -> list[ApprovalRow]:
        """Oldest first."""

    def waiting(self, kind: ActionKind, run_id: str) -> Lease | None:
        """The claim of a run whose question nobody has answered."""


class ApprovalTransaction(Transaction, Protocol):
    @property
    def approvals(self) -> Approvals: ...
    @property
    def pauses(self) -> Pauses: ...


class ApprovalStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ApprovalTransaction]: ...
