"""Table `batches`: what was announced and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from evergreen.ports.storage import Lease, Transaction


@dataclass(frozen=True)
class BatchRow:
    dataset: str
    batch_id: str
    sha256: str
    first_day: date
    last_day: date
    rows: int
    """Clean rows in silver."""
    quarantined: int
    issues: Sequence[Mapping[str, Any]]
    bronze_path: str
    status: Literal["accepted", "rejected"]
    """Rejected: nothing of it is in silver; announced again, it is tried again."""
    incident: bool
    """Its quality was bad enough to say so; the first good one after all of them ends the incident."""
    ingested_time: datetime
    """Platform time."""


class Batches(Protocol):
    def get(self, dataset: str, batch_id: str) -> BatchRow | None: ...

    def open_incidents(self, dataset: str) -> Sequence[BatchRow]:
        """Bad batches that no good one has followed: taken in after them, of the same days or later ones. By first day."""

    def record(self, row: BatchRow) -> None:
        """Insert, or replace the row of the same dataset and batch id."""

    def ingested_before(self, time: datetime) -> Sequence[BatchRow]:
        """Taken in before platform time `time`, with something still in bronze, oldest first."""

    def forget_bronze(self, dataset: str, batch_ids: Sequence[str]) -> None:
        """Their received files are gone: `bronze_path` becomes empty."""


class BatchTransaction(Transaction, Protocol):
    @property
    def batches(self) -> Batches: ...


class BatchStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[BatchTransaction]: ...
