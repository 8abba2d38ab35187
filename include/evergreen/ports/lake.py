"""The data lake: bronze (batches as received, quarantine), silver (one clean row per entity and day), gold (features, aggregates)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Lake(Protocol):
    def read_batch(self, path: str) -> pd.DataFrame:
        """An announced batch. Raises DataRejected when the file is missing, cut short or not in a known schema."""

    def keep_bronze(self, dataset: str, batch_id: str, received: pd.DataFrame, quarantined: pd.DataFrame) -> str:
        """The batch as received and its quarantined rows (column `reason`). Idempotent; returns the bronze path."""

    def merge_silver(self, dataset: str, rows: pd.DataFrame) -> None:
        """Upsert by the dataset's key; the same rows again change nothing."""

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        """Clean rows whose day lies in the window, both ends inclusive. Empty frame with the right columns when there are none."""

    def write_gold(self, dataset: str, tables: Mapping[str, pd.DataFrame], *, first_day: date, last_day: date) -> None:
        """Replace the days of the window in each gold table."""
