"""Twins of the catalogue, its search and what stands beside them. Each can be told to be away."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from evergreen.adapters.cursors import read_cursor, read_number, write_cursor
from evergreen.adapters.memory.serving import Part
from evergreen.core.rankings import Group
from evergreen.core.spread import Histogram
from evergreen.ports.catalogue import FoundVideos, Groups, Holdings, Spread, SpreadOf, Video
from evergreen.ports.seen_index import Seen, SeenStats

_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(("description", "channel_id", "channel_title", "category_id", "duration", "published_at", "view_count", "like_count")),
    **dict.fromkeys(("comment_count", "first_view_count")),
    "tags": [],
    "region": "KR",
}
_STEPS = {"engagement": (0.0005, 2000), "performance": (0.2, 500)}


class MemoryVideos(Part):
    def __init__(self, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        self.rows: dict[str, Video] = {}
        for row in rows:
            self.put(**row)

    def put(self, video_id: str, title: str, first_seen: date, last_seen: date | None = None, **more: Any) -> None:
        row = {**_NOTHING, "video_id": video_id, "title": title, "first_seen": first_seen, "last_seen": last_seen or first_seen, **more}
        self.rows[video_id] = row

    async def by_keyword(self, keyword: str, limit: int, cursor: str | None) -> FoundVideos:
        wanted = keyword.lower()
        return self._page(lambda row: any(wanted in _spaced(row[name]) for name in ("title", "description")), limit, cursor)

    async def by_channel(self, channel: str, limit: int, cursor: str | None) -> FoundVideos:
        return self._page(lambda row: row["channel_id"] == channel or channel.lower() in (row["channel_title"] or "").lower(), limit, cursor)

    async def video(self, video_id: str) -> Video | None:
        self._answer()
        return self.rows.get(video_id)

    async def spread(self, wanted: SpreadOf) -> Spread:
        self._answer()
        value_of = _engagement if wanted.measure == "engagement" else lambda row: _performance(row, wanted.reference or {})
        chosen = [row for row in self.rows.values() if _among(row, wanted)]
        values = [(row["category_id"], value) for row in chosen if (value := value_of(row)) is not None]
        width, steps = _STEPS[wanted.measure]
        counts = Counter(min(math.floor(value / width), steps - 1) for _, value in values)
        above = 0 if wanted.threshold is None else sum(value >= wanted.threshold for _, value in values)
        categories = Counter(category for category, _ in values if category is not None)
        return Spread(Histogram(width, steps, counts), sum(value for _, value in values), above, categories)

    async def holdings(self) -> Holdings:
        self._answer()
        days = [row["first_seen"] for row in self.rows.values()]
        categories = Counter(row["category_id"] for row in self.rows.values() if row["category_id"] is not None)
        return Holdings(min(days, default=None), max(days, default=None), categories, len(days))

    async def groups(self, wanted: SpreadOf) -> Groups:
        self._answer()
        chosen = [(row, value) for row in self.rows.values() if _among(row, wanted) and (value := _performance(row, wanted.reference or {})) is not None]
        return Groups(_grouped(chosen, lambda row: row["category_id"], wanted), _grouped(chosen, _hour, wanted))

    async def movers(self, wanted: SpreadOf, limit: int) -> Sequence[Video]:
        self._answer()
        chosen = [row for row in self.rows.values() if _among(row, wanted) and row["last_seen"] > row["first_seen"] and _gained(row) > 0]
        return sorted(chosen, key=lambda row: (-_gained(row) / (row["last_seen"] - row["first_seen"]).days, row["video_id"]))[:limit]

    def _page(self, matches: Callable[[Video], bool], limit: int, cursor: str | None) -> FoundVideos:
        self._answer()
        found = sorted((row for row in self.rows.values() if matches(row)), key=_place)
        after = (-math.inf, "") if cursor is None else (read_number((parts := read_cursor(cursor, 2))[0]), parts[1])
        rest = [row for row in found if _place(row) > after]
        page = rest[:limit]
        rank, video_id = _place(page[-1]) if page else (0, "")
        return FoundVideos(page, len(found), write_cursor(str(rank), video_id) if len(rest) > limit else None)


class MemorySearchCache(Part):
    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return None if self.away else self.pages.get(key)

    def put(self, key: str, page: bytes) -> None:
        if not self.away:
            self.pages[key] = page


class MemorySeenDays(Part):
    def __init__(self) -> None:
        self.days: dict[date, set[str]] = {}
        self.found = SeenStats((), 0.0, True)

    async def maybe_seen(self, items: Sequence[str], today: date, days: int = 7) -> list[Seen]:
        self._answer()
        within = [seen for day, seen in self.days.items() if 0 <= (today - day).days < days]
        return [Seen.MAYBE if any(item in seen for seen in within) else Seen.NO for item in items]

    async def stats(self, today: date, days: int = 7) -> SeenStats:
        self._answer()
        return self.found


def _hour(row: Video) -> int | None:
    published = row["published_at"]
    return None if published is None else published.astimezone(ZoneInfo("Asia/Seoul")).hour


def _gained(row: Video) -> int:
    return 0 if row["view_count"] is None or row["first_view_count"] is None else row["view_count"] - row["first_view_count"]


def _grouped(chosen: Sequence[tuple[Video, float]], key: Callable[[Video], int | None], wanted: SpreadOf) -> dict[int, Group]:
    """Each value as the middle of its step, as the real one counts them."""
    width, steps = _STEPS["performance"]
    found: dict[int, Group] = {}
    for row, value in chosen:
        if (place := key(row)) is None:
            continue
        middle = (min(math.floor(value / width), steps - 1) + 0.5) * width
        had = found.get(place, Group(0, 0.0, 0.0, 0))
        found[place] = Group(had.n + 1, had.total + middle, had.squares + middle**2, had.above + (value >= (wanted.threshold or 0.0)))
    return found


def _spaced(text: str | None) -> str:
    return (text or "").lower().translate(str.maketrans("\n\r\t", "   "))


def _place(row: Video) -> tuple[int, str]:
    views = row["view_count"]
    return (1 if views is None else -views, row["video_id"])


def _among(row: Video, wanted: SpreadOf) -> bool:
    in_days = (wanted.first or date.min) <= row["first_seen"] <= (wanted.last or date.max)
    return in_days and (not wanted.categories or row["category_id"] in wanted.categories)


def _engagement(row: Video) -> float | None:
    views, likes, comments = row["view_count"], row["like_count"], row["comment_count"]
    if views is None or likes is None or comments is None:
        return None
    return min((likes + comments) / views, 1.0) if views else 0.0


def _performance(row: Video, reference: Mapping[str, Sequence[float]]) -> float | None:
    views = row["view_count"] if row["first_view_count"] is None else row["first_view_count"]
    if views is None:
        return None
    table, value = reference.get(str(row["category_id"])) or reference["*"], math.log10(max(views, 1))
    place = bisect_right(table, value)
    if place in (0, len(table)):
        return 0.0 if place == 0 else 100.0
    return 100.0 * (place - 1 + (value - table[place - 1]) / (table[place] - table[place - 1])) / (len(table) - 1)
