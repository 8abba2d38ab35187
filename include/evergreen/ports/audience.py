"""Users of the recommender as somebody sees them who looks after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class ActiveUser(NamedTuple):
    user: str
    interactions: int
    """Reflected in the profile; 0: known from batches alone."""
    active_at: datetime | None


class Boost(NamedTuple):
    item: str
    cause: str
    until: datetime
    """Wall time."""


class Activity(NamedTuple):
    id: str
    at: datetime
    kind: str
    items: Sequence[str]


@dataclass(frozen=True)
class Traces:
    """What is kept of a user beside the taste."""

    boosts: Sequence[Boost]
    """Those that end last first."""
    activity: Sequence[Activity]
    """Newest first; nothing where the last one is an hour old."""
    counts: Mapping[str, int]
    """Recorded interactions by kind, whenever they were."""


class Audience(Protocol):
    """Each raises Unavailable."""

    async def known(self, part: str, most: int) -> Sequence[ActiveUser]:
        """Newest first, of the newest 20,000 those whose id holds `part`, in whatever case; then those whom batches know and whose id begins with it."""

    async def traces(self, user: str) -> Traces: ...
