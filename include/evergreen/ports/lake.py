"""The data lake: bronze (batches as received, quarantine), silver (one clean row per entity and day), gold (features, aggregates)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from evergreen.core.errors import DataRejected

if TYPE_CHECKING:
    import pandas as pd


class BatchRejected(DataRejected):
    """A whole batch that cannot be used. `kind`: `missing_file`, `hash_mismatch`, `unreadable`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class TableUpkeep:
    table: str
    files_before: int
    files_after: int
    """Live files after compaction."""
    vacuumed: int
    """Files no version within the kept time refers to, deleted."""


class Lake(Protocol):
    def read_batch(self, path: str, sha256: str | None = None) -> pd.DataFrame:
        """An announced batch. Raises BatchRejected when the file is missing, is not the announced one or is cut short."""

    def keep_bronze(self, dataset: str, batch_id: str, received: pd.DataFrame, quarantined: pd.DataFrame) -> str:
        """The batch as received and its quarantined rows (column `reason`). Idempotent; returns the bronze path."""

    def keep_rejected(self, dataset: str, batch_id: str, reason: Mapping[str, Any]) -> str:
        """Why a whole batch was refused, beside the quarantined rows of others. Idempotent; returns the path."""

    def merge_silver(self, dataset: str, rows: pd.DataFrame) -> None:
        """Upsert by the dataset's key; the same rows again change nothing. Atomic: readers see all of the rows or none."""

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        """Clean rows whose day lies in the window, both ends inclusive. Empty frame with the right columns when there are none."""

    def set_aside(self, dataset: str) -> pd.DataFrame:
        """Keys of the rows ever set aside, as silver would have them: the scope's columns, entity and day, each key once. Rows whose key
        cannot be read are not among them; a key may have come to silver since."""

    def quarantined(self, dataset: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """(batch, its rows set aside with their `reason`), by the batch's name."""

    def write_gold(self, dataset: str, tables: Mapping[str, pd.DataFrame], *, first_day: date, last_day: date) -> None:
        """Replace the dataset's days of the window in each gold table; rows of other days in the frames are left out."""

    def gold(self, dataset: str, table: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        """Rows of a gold table; an empty frame without columns before it was first written."""

    def compact(self, *, keep_versions_for: timedelta) -> list[TableUpkeep]:
        """Small files joined, files no kept version refers to deleted. Safe beside readers and writers."""

    def drop_bronze(self, dataset: str, batch_ids: list[str]) -> int:
        """Forget received batches; silver stays. Returns how many there were."""
