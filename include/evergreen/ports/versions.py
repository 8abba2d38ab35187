"""Tables `model_versions` and `change_points`: what was trained, how it was judged, and since when the world is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from evergreen.contracts.actions import Cause

VersionStatus = Literal["candidate", "approved", "refused"]


@dataclass(frozen=True)
class VersionRow:
    model: str
    version: int
    action_id: UUID | None
    run_id: str
    uri: str
    cause: str
    trained_from: date
    trained_to: date
    trained_rows: int
    as_of: datetime
    status: VersionStatus = "candidate"
    stable: bool = False
    quarantined: str | None = None
    """Why it must neither be promoted nor rolled back to."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    scorecard: Mapping[str, Any] | None = None
    cost_seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


class Spread(NamedTuple):
    """Of the errors a version made on the rows that judged it."""

    n: int
    mean: float
    deviation: float
    """Of a sample."""


class ShownVersion(NamedTuple):
    row: VersionRow
    """Its score card without `baseline_errors`: a number for each row."""
    errors: Spread | None
    """None: fewer than two are kept."""


class Versions(Protocol):
    def insert(self, row: VersionRow) -> None:
        """Once per (model, version); a repeat changes nothing."""

    def get(self, model: str, version: int) -> VersionRow | None: ...

    def of_model(self, model: str) -> Sequence[VersionRow]:
        """Newest first."""

    def page(self, model: str, limit: int, before: int | None = None) -> Sequence[ShownVersion]:
        """Newest first, those with a lower number than `before`."""

    def judge(self, model: str, version: int, status: VersionStatus, scorecard: Mapping[str, Any]) -> None: ...

    def mark_stable(self, model: str, version: int) -> None: ...

    def quarantine(self, model: str, version: int, reason: str) -> None:
        """Also no longer stable."""


class ChangePoints(Protocol):
    def record(self, model: str, champion_version: int, day: date, action_id: UUID, time: datetime) -> None:
        """Once per champion version: the first one stays."""

    def days(self, model: str) -> Sequence[date]:
        """Oldest first."""

    def drifted_since(self, causes: Sequence[Cause], version_name: str) -> date | None:
        """First day of the earliest drifted window among the causing events that speak of this version."""
