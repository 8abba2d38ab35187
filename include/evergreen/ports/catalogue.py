"""The catalogue of videos as people look into it: searched, shown, and aggregated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

from evergreen.core.rankings import Group
from evergreen.core.spread import Histogram

Video = Mapping[str, Any]
"""A row of table `videos`, by column."""
Measure = Literal["engagement", "performance"]
LONGEST_KEYWORD = 200


@dataclass(frozen=True)
class FoundVideos:
    rows: Sequence[Video]
    """Most views first, no views known last, then by id."""
    total: int
    """Of all pages."""
    next_cursor: str | None


class VideoSearch(Protocol):
    """Case does not matter; every character but white space (any is a space) stands for itself. Each call raises Unavailable, and
    InvalidRequest for a cursor of something else."""

    async def by_keyword(self, keyword: str, limit: int, cursor: str | None) -> FoundVideos:
        """Anywhere in title or description. `keyword`: as `core.keywords` makes it."""

    async def by_channel(self, channel: str, limit: int, cursor: str | None) -> FoundVideos:
        """The channel with this very id, and channels with this anywhere in their name."""


@dataclass(frozen=True)
class SpreadOf:
    measure: Measure
    first: date | None = None
    """Videos first listed from then on."""
    last: date | None = None
    categories: Sequence[int] = ()
    """None: all."""
    threshold: float | None = None
    """In the measure's unit."""
    reference: Mapping[str, Sequence[float]] | None = None
    """For performance: quantiles of log10 views in even steps from 0 to 100 %, by category id and `*`."""


@dataclass(frozen=True)
class Spread:
    """Aggregated where the rows are."""

    histogram: Histogram
    total: float
    """Of all values."""
    above: int
    """Values from the threshold on."""
    categories: Mapping[int, int]
    """How many videos of each."""


@dataclass(frozen=True)
class Holdings:
    """What there is to look at."""

    first: date | None
    """The first day a video was listed first; None without videos."""
    last: date | None
    categories: Mapping[int, int]
    """How many videos of each."""
    videos: int
    """Those of no known category too."""


@dataclass(frozen=True)
class Groups:
    """Performance by what people choose when they publish."""

    categories: Mapping[int, Group]
    hours: Mapping[int, Group]
    """Of publication, 0-23, in the local time of the model's region."""


class VideoCatalogue(Protocol):
    """Each call raises Unavailable."""

    async def video(self, video_id: str) -> Video | None: ...

    async def spread(self, wanted: SpreadOf) -> Spread: ...

    async def holdings(self) -> Holdings: ...

    async def groups(self, wanted: SpreadOf) -> Groups:
        """With the reference of performance."""

    async def movers(self, wanted: SpreadOf, limit: int) -> Sequence[Video]:
        """Videos on more than one day's list: the most views gained per day since the first, most first, then by id."""


class SearchCache(Protocol):
    """Never raises: what is away has nothing."""

    async def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, page: bytes) -> None:
        """Never waits."""
