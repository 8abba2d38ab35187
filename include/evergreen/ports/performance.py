"""Predictions joined with what came true, and the reports on finished windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from evergreen.core.experiment_verdict import Counts


@dataclass(frozen=True)
class LabelledPrediction:
    """The newest prediction of an entity made before its outcome was told, and the newest outcome."""

    entity: str
    time: datetime
    predicted: float
    label: float | None
    """In the target's units as the recorder worked it out; None: only the outcome is known."""
    outcome: Mapping[str, Any]
    features: Mapping[str, Any]
    """As given to the model: the spec's feature names among them."""
    shadow_version: int | None = None
    shadow_predicted: float | None = None


@dataclass(frozen=True)
class PerformanceReport:
    model: str
    version: int
    first_day: date
    last_day: date
    n: int
    coverage: float
    """Share of the window's predicted entities whose outcome is known."""
    current: float
    baseline: float
    drop_low: float
    drop_high: float
    degraded: bool
    time: datetime
    action_id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AskedPrediction:
    """A prediction whose interval is known; of an entity the newest."""

    entity: str
    time: datetime
    predicted: float
    lower: float
    upper: float
    told: bool
    """An outcome came since."""


@dataclass(frozen=True)
class PerformanceEstimate:
    """What the metric can be expected to be on predictions of which few outcomes are known. Never a reason to act."""

    model: str
    version: int
    first_day: date
    last_day: date
    n: int
    coverage: float
    estimated: float
    low: float
    high: float
    baseline: float
    """Measured on its held-out rows."""
    time: datetime
    action_id: UUID | None = None


class Performance(Protocol):
    def labelled(
        self, model: str, version: int, *, since: datetime, until: datetime, limit: int, before: datetime | None = None, oldest: bool = False
    ) -> Sequence[LabelledPrediction]:
        """Newest (or oldest) first, one per entity, nothing outside [since, until]; of predictions made `before` then only."""

    def counts(self, model: str, version: int, *, since: datetime, until: datetime, before: datetime | None = None) -> tuple[int, int]:
        """(entities predicted, entities of them with an outcome told until then); of predictions made `before` then only."""

    def asked(self, model: str, version: int, *, since: datetime, until: datetime, limit: int) -> Sequence[AskedPrediction]:
        """Newest first, of the newest `limit` predictions with an interval; told or not by `until`."""

    def record_estimate(self, estimate: PerformanceEstimate) -> bool:
        """False when the version has one with this newest day."""

    def last_estimate(self, model: str, version: int) -> PerformanceEstimate | None: ...

    def record(self, report: PerformanceReport) -> bool:
        """False when this window was reported before, by whoever."""

    def last(self, model: str, version: int, *, since: datetime) -> PerformanceReport | None:
        """Of the reports made since then the newest."""

    def degraded_from(self, model: str, version: int, since: datetime) -> date | None:
        """First day of the earliest degraded window reported since then."""

    def clicks(self, model: str, version: int, *, since: datetime, until: datetime, within: timedelta) -> Counts:
        """On the version's lists that were shown in [since, until), each `within` this time."""
