"""Table `drift_reports`, one row per champion and window, and the pictures that go with a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from evergreen.ports.model_store import ModelTransaction
from evergreen.ports.storage import Lease

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DriftReport:
    id: UUID
    """The same for the same model, version and window."""
    model: str
    version: int
    first_day: date
    last_day: date
    n: int
    """Rows compared: of the window, and of the days before it where the window alone is shorter than a week."""
    score: float
    drifted: bool
    features: Mapping[str, Any]
    """`results` (per feature, strongest first), `losses` (of features that lost values), `prediction`, `reference` and `current` (days and
    rows), `profile` (the window's rows in the reference's cells), `cost` (method, seconds, rows read), `notes`."""
    action_id: UUID | None
    time: datetime
    report_url: str | None = None


class DriftReports(Protocol):
    def record(self, report: DriftReport) -> bool:
        """False when this window of this version was reported before, by whoever."""

    def get(self, report_id: UUID) -> DriftReport | None: ...

    def of_model(self, model: str, limit: int) -> Sequence[DriftReport]:
        """Newest windows first."""


class DriftTransaction(ModelTransaction, Protocol):
    @property
    def drift_reports(self) -> DriftReports: ...


class DriftStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[DriftTransaction]: ...


class DriftPictures(Protocol):
    """Reports a person can look at, made afterwards: seconds of work that must not delay a decision."""

    def url(self, report_id: UUID) -> str:
        """Where it will be once it is made; known before."""

    def exists(self, report_id: UUID) -> bool: ...

    def make(self, report_id: UUID, reference: pd.DataFrame, current: pd.DataFrame, *, categorical: Sequence[str], title: str) -> bytes:
        """Compares the columns both have, sampled to a bounded size; keeps and returns the HTML. Raises Unavailable when it cannot be made."""
