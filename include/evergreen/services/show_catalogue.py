"""What the catalogue holds, what moves in it and what does well: the lists beside a dashboard's curves.

Performance is on the scale of `services.show_spread`. Hours are of publication, in the local time of the model's region."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from evergreen.core.generations import FEATURES, Generations
from evergreen.core.rankings import ranked
from evergreen.ports.catalogue import Holdings, SpreadOf, Video, VideoCatalogue
from evergreen.services.search import shown
from evergreen.services.show_spread import HIGHEST, CategoryName, Placing, checked, most_first, named

KEPT_SECONDS = 60.0
"""For which what the catalogue holds is believed, unless a batch is indexed before."""


class ShowHoldings:
    def __init__(self, catalogue: VideoCatalogue, names: Mapping[int, CategoryName], generations: Generations, now: Callable[[], datetime]) -> None:
        self._catalogue = catalogue
        self._names = names
        self._generations = generations
        self._now = now
        self._kept: tuple[int, float, Holdings] | None = None

    async def run(self) -> dict[str, Any]:
        """Raises Unavailable. `today`: by platform time, in UTC as list days are."""
        found = await self._holdings()
        return {
            "first_day": found.first,
            "last_day": found.last,
            "today": self._now().astimezone(UTC).date(),
            "videos": found.videos,
            "categories": [{**named(self._names, number), "n": count} for number, count in sorted(found.categories.items(), key=most_first)],
        }

    async def _holdings(self) -> Holdings:
        generation, now = self._generations.of(FEATURES), time.monotonic()
        if self._kept is None or self._kept[0] != generation or self._kept[1] < now:
            self._kept = generation, now + KEPT_SECONDS, await self._catalogue.holdings()
        return self._kept[2]


class ShowRankings:
    def __init__(self, catalogue: VideoCatalogue, placing: Placing, names: Mapping[int, CategoryName]) -> None:
        self._catalogue = catalogue
        self._placing = placing
        self._names = names

    async def run(self, wanted: SpreadOf) -> dict[str, Any]:
        """Raises InvalidRequest, NoChampion, Unavailable."""
        placed, version = await self._placing.on_scale(wanted)
        found, highest = await self._catalogue.groups(placed), HIGHEST[wanted.measure]
        categories, hours = ranked(found.categories, highest=highest), ranked(found.hours, highest=highest)
        return {
            "first_day": wanted.first,
            "last_day": wanted.last,
            "threshold": wanted.threshold,
            "categories": [{**named(self._names, one.key), **_figures(asdict(one))} for one in categories],
            "hours": [{"hour": one.key, **_figures(asdict(one))} for one in hours],
            "model_version": version,
        }


def _figures(ranking: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ranking.items() if name != "key"}


class ShowMovers:
    def __init__(self, catalogue: VideoCatalogue) -> None:
        self._catalogue = catalogue

    async def run(self, wanted: SpreadOf, limit: int) -> dict[str, Any]:
        """Raises InvalidRequest, Unavailable."""
        checked(wanted)
        rows = await self._catalogue.movers(wanted, limit)
        return {"first_day": wanted.first, "last_day": wanted.last, "movers": [_mover(row) for row in rows]}


def _mover(row: Video) -> dict[str, Any]:
    first, gained = row["first_view_count"], row["view_count"] - row["first_view_count"]
    days = (row["last_seen"] - row["first_seen"]).days
    return {**shown(row), "first_view_count": first, "days": days, "gained_per_day": gained / days, "growth": gained / first if first else None}
