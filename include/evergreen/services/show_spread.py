"""How engagement and performance are spread over the catalogue: what a dashboard draws.

`engagement`: (likes + comments) / views. `performance`: where a video's views at first listing stand among its category's in the serving
champion's training data, 0-100: the scale of `performance_score`, so a prediction can be drawn on the curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from evergreen.core.errors import InvalidRequest, NoChampion
from evergreen.core.spread import curve, median
from evergreen.ports.catalogue import Measure, Spread, SpreadOf, VideoCatalogue
from evergreen.ports.serving import ServedModels

HIGHEST: Mapping[Measure, float] = {"engagement": 1.0, "performance": 100.0}


@dataclass(frozen=True)
class CategoryName:
    ko: str
    en: str


class Placing:
    """What every look at a part of the catalogue begins with: filters that mean something, and the champion's scale."""

    def __init__(self, models: ServedModels, model: str) -> None:
        self._models = models
        self._model = model

    async def on_scale(self, wanted: SpreadOf) -> tuple[SpreadOf, str | None]:
        """With the reference, and whose it is. Raises InvalidRequest, NoChampion (performance only)."""
        checked(wanted)
        if wanted.measure != "performance":
            return wanted, None
        loaded = (await self._models.champion(self._model)).loaded
        if not loaded.reference:
            raise NoChampion(f"{loaded.name} keeps no distribution of its training data: performance cannot be placed until another version serves")
        return replace(wanted, reference=loaded.reference), loaded.name


def checked(wanted: SpreadOf) -> None:
    """Raises InvalidRequest."""
    if wanted.first is not None and wanted.last is not None and wanted.first > wanted.last:
        raise InvalidRequest(f"from: {wanted.first} is after {wanted.last} (to)")
    highest = HIGHEST[wanted.measure]
    if wanted.threshold is not None and not 0 <= wanted.threshold <= highest:
        raise InvalidRequest(f"threshold: {wanted.measure} lies between 0 and {highest:g}")


class ShowSpread:
    def __init__(self, catalogue: VideoCatalogue, placing: Placing, names: Mapping[int, CategoryName]) -> None:
        self._catalogue = catalogue
        self._placing = placing
        self._names = names

    async def run(self, wanted: SpreadOf) -> dict[str, Any]:
        """Raises InvalidRequest, NoChampion (performance only), Unavailable."""
        placed, version = await self._placing.on_scale(wanted)
        return self._said(placed, await self._catalogue.spread(placed), version)

    def _said(self, wanted: SpreadOf, found: Spread, version: str | None) -> dict[str, Any]:
        n = found.histogram.n
        return {
            "metric": wanted.measure,
            "first_day": wanted.first,
            "last_day": wanted.last,
            "n": n,
            **asdict(curve(found.histogram, cut=wanted.measure == "engagement")),
            "threshold": wanted.threshold,
            "share_above": None if wanted.threshold is None or n == 0 else found.above / n,
            "mean": None if n == 0 else found.total / n,
            "median": median(found.histogram),
            "categories": [{**named(self._names, number), "n": count} for number, count in sorted(found.categories.items(), key=most_first)],
            "model_version": version,
        }


def named(names: Mapping[int, CategoryName], number: int) -> dict[str, Any]:
    name = names.get(number)
    return {"category_id": number, "name_ko": None if name is None else name.ko, "name_en": None if name is None else name.en}


def most_first(category: tuple[int, int]) -> tuple[int, int]:
    return -category[1], category[0]
