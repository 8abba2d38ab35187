"""Was this entity listed in the last days? `NO` is certain, `MAYBE` is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol


class Seen(StrEnum):
    MAYBE = "maybe"
    """Or the index cannot tell: it was lost, is being rebuilt, or the days asked for are no longer kept."""
    NO = "no"
    """Certainly in none of the days, as far as they are indexed."""


@dataclass(frozen=True)
class DayFilter:
    day: date
    layers: int
    capacity: int
    estimated_items: float
    bits: int
    error: float


@dataclass(frozen=True)
class SeenStats:
    filters: tuple[DayFilter, ...]
    """Of the window, newest first; a day without rows has none."""
    false_positive_rate: float
    """Measured, of the union."""
    ready: bool

    @property
    def total_capacity(self) -> int:
        return sum(found.capacity for found in self.filters)

    @property
    def estimated_items(self) -> int:
        """Per day, so an item listed on three days counts three times."""
        return round(sum(found.estimated_items for found in self.filters))

    @property
    def bits(self) -> int:
        return sum(found.bits for found in self.filters)


class SeenIndex(Protocol):
    def maybe_seen(self, items: Sequence[str], today: date, days: int = 7) -> list[Seen]:
        """Of today and the `days` - 1 before, in order of `items`. Raises Unavailable."""

    def stats(self, today: date, days: int = 7) -> SeenStats:
        """Raises Unavailable."""


class SeenWriter(SeenIndex, Protocol):
    """Only the indexer writes."""

    def is_ready(self) -> bool:
        """False: the index was lost or a rebuild did not finish; only `rebuild` makes it answer NO again."""

    def newest(self) -> date | None: ...

    def add_many(self, items: Mapping[date, Sequence[str]]) -> int:
        """Each to its own day; days that are no longer kept are passed over. Returns how many were new. Safe to repeat, atomic per few
        hundred, also beside other writers. Raises Unavailable, NotFound when there is no index to add to."""

    def begin_rebuild(self) -> None:
        """From here until `end_rebuild` every answer is MAYBE; adds are kept."""

    def replace_day(self, day: date, items: Sequence[str]) -> None:
        """Swap in a day's filter built aside."""

    def end_rebuild(self, newest: date | None) -> None: ...
