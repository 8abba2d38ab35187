"""What drift checks and ingestion found, for people to look at. Every call of a record raises Unavailable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

Row = Mapping[str, Any]


class DriftRecords(Protocol):
    async def timeline(self, model: str | None, limit: int) -> Sequence[Row]:
        """Reports, newest first: without what each feature came to, with the names of those that drifted or lost values."""

    async def heat(self, model: str, windows: int) -> Sequence[Row]:
        """Its newest windows, newest first, each with `cells`: feature, score, statistic, q value, drifted."""

    async def report(self, report_id: UUID) -> Row | None:
        """Whole, but for its profile."""

    async def profiles(self, report_id: UUID) -> Row | None:
        """`reference` and `current` as `core.drift_profile` writes them; None for what was not kept."""

    async def datasets(self) -> Sequence[Row]:
        """Of each: batches, rows, what was set aside, incidents, refusals."""

    async def batches(self, dataset: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""


class KeptPictures(Protocol):
    def exists(self, report_id: UUID) -> bool: ...

    def read(self, report_id: UUID) -> bytes | None:
        """HTML. None: it was not made here."""
