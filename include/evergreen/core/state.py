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
class Corrective:
    """A retrain, rollback or scaling that was carried out or is under way (failed ones too): storms and daily limits count these."""

    event_type: str
    kind: ActionKind
    target: str
    at: datetime
    """Platform time from which it was due."""
    action_id: UUID


@dataclass(frozen=True)
class Failing:
    """Actions of this kind and target that failed for good since the last one that succeeded."""

    kind: ActionKind
    target: str
    times: int
    at: datetime


@dataclass(frozen=True)
class Champion:
    """Who serves, as the newest `model_deployed` said."""

    version: str
    since: datetime
    kind: Literal["promote", "rollback", "revert"]


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
    corrective: tuple[Corrective, ...] = ()
    failing: tuple[Failing, ...] = ()
    champion: Champion | None = None
    not_stable: tuple[str, ...] = ()
    """Versions that are recorded and no rollback may go to: not stable yet, or quarantined."""
    paused: bool = False
    """`evergreen policy pause`, for every model at once."""
    refused_at: datetime | None = None
    """When its newest evaluation refused the candidate; None when the newest one approved or none was made."""
    rows_since_refused: int = 0
    rows_since_retrain: int = 0
    """Rows processed after the `as_of` of the retrain that is running."""

    def newest(self, event_type: str, kind: ActionKind, target: str) -> tuple[Accepted, ...]:
        return tuple(one for one in self.accepted if one.event_type == event_type and one.kind == kind and one.target == target)

    def opened(self, kind: ActionKind, target: str) -> tuple[OpenAction, ...]:
        return tuple(one for one in self.open if one.kind == kind and one.target == target)

    def waiting(self, action_id: str | None) -> OpenAction | None:
        return next((one for one in self.open if str(one.id) == action_id and one.status == "pending"), None)

    def failed(self, kind: ActionKind, target: str) -> Failing | None:
        return next((one for one in self.failing if one.kind == kind and one.target == target), None)

    def baking(self, version: str | None) -> bool:
        """The version serves and has not earned `stable` yet."""
        return self.champion is not None and self.champion.version == version and version in self.not_stable

    def with_accepted(self, new: Accepted) -> State:
        """In place of the newest of its key, and of what its action was before it was hurried."""
        kept = (one for one in self.accepted if one.key != new.key and (one.action_id is None or one.action_id != new.action_id))
        return replace(self, accepted=(*kept, new))

    def with_corrective(self, new: Corrective) -> State:
        return replace(self, corrective=(*(one for one in self.corrective if one.action_id != new.action_id), new))

    def with_open(self, new: OpenAction) -> State:
        return replace(self, open=(*(one for one in self.open if one.id != new.id), new))

    def without(self, action_id: UUID) -> State:
        """The action was cancelled: as if it had not been accepted."""
        return replace(
            self,
            accepted=tuple(one for one in self.accepted if one.action_id != action_id),
            open=tuple(one for one in self.open if one.id != action_id),
            corrective=tuple(one for one in self.corrective if one.action_id != action_id),
        )

    def with_end(self, kind: ActionKind, target: str, at: datetime, *, failed: bool) -> State:
        """An action of this kind and target failed for good, or succeeded: that ends a row of failures."""
        before = self.failed(kind, target)
        kept = tuple(one for one in self.failing if one is not before)
        if not failed:
            return replace(self, failing=kept)
        return replace(self, failing=(*kept, Failing(kind, target, (before.times if before else 0) + 1, at)))

    def with_champion(self, new: Champion) -> State:
        return replace(self, champion=new)

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
