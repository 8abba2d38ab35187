"""What a decision may look at beside its event: a small view of one model's recorded rows. Nothing here is kept between decisions
but rows, so a restart changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL, ActionKind
from evergreen.core.severity import Severity


@dataclass(frozen=True)
class Accepted:
    """The newest accepted action of its kind: a cooldown starts at `at` (platform time). Failed ones are not here."""

    event_type: str
    kind: ActionKind
    target: str
    severity: Severity
    at: datetime
    action_id: UUID | None = None

    @property
    def key(self) -> tuple[str, ActionKind, str, Severity]:
        return (self.event_type, self.kind, self.target, self.severity)


@dataclass(frozen=True)
class OpenAction:
    """An action that is not finished. A pending one can absorb another of the same kind and target."""

    id: UUID
    kind: ActionKind
    target: str
    status: Literal["pending", "running"]
    reason: str
    severity: Severity
    priority: Literal["normal", "high"]
    due_at: datetime
    as_of: datetime
    event_type: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """One model's. `known` is False for a name no domain has: nothing but an alert may follow from it."""

    model: str = NO_MODEL
    known: bool = True
    datasets: tuple[str, ...] = ()
    """That feed it."""
    accepted: tuple[Accepted, ...] = ()
    open: tuple[OpenAction, ...] = ()
    refused_at: datetime | None = None
    """When its newest evaluation refused the candidate; None when the newest one approved or none was made."""
    rows_since_refused: int = 0
    rows_since_retrain: int = 0
    """Rows processed after the `as_of` of the retrain that is running."""

    def newest(self, event_type: str, kind: ActionKind, target: str) -> tuple[Accepted, ...]:
        return tuple(one for one in self.accepted if one.event_type == event_type and one.kind == kind and one.target == target)

    def opened(self, kind: ActionKind, target: str) -> tuple[OpenAction, ...]:
        return tuple(one for one in self.open if one.kind == kind and one.target == target)

    def with_accepted(self, new: Accepted) -> State:
        """In place of the newest of its key, and of what its action was before it was hurried."""
        kept = (one for one in self.accepted if one.key != new.key and (one.action_id is None or one.action_id != new.action_id))
        return replace(self, accepted=(*kept, new))

    def with_open(self, new: OpenAction) -> State:
        return replace(self, open=(*(one for one in self.open if one.id != new.id), new))

    def with_rows(self, rows: int, at: datetime) -> State:
        """More rows were processed at `at`."""
        retraining = [one.as_of for one in self.open if one.kind is ActionKind.RETRAIN and one.status == "running"]
        state = self
        if self.refused_at is not None and at > self.refused_at:
            state = replace(state, rows_since_refused=self.rows_since_refused + rows)
        if retraining and at > max(retraining):
            state = replace(state, rows_since_retrain=self.rows_since_retrain + rows)
        return state

    def with_verdict(self, at: datetime, *, approved: bool, rows_after: int) -> State:
        return replace(self, refused_at=None if approved else at, rows_since_refused=0 if approved else rows_after)
