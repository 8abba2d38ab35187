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


class ShowSpread:
    def __init__(self, catalogue: VideoCatalogue, models: ServedModels, model: str, names: Mapping[int, CategoryName]) -> None:
        self._catalogue = catalogue
        self._models = models
        self._model = model
        self._names = names

    async def run(self, wanted: SpreadOf) -> dict[str, Any]:
        """Raises InvalidRequest, NoChampion (performance only), Unavailable."""
        if wanted.first is not None and wanted.last is not None and wanted.first > wanted.last:
            raise InvalidRequest(f"from: {wanted.first} is after {wanted.last} (to)")
        highest = HIGHEST[wanted.measure]
        if wanted.threshold is not None and not 0 <= wanted.threshold <= highest:
            raise InvalidRequest(f"threshold: {wanted.measure} lies between 0 and {highest:g}")
        version = None
        if wanted.measure == "performance":
            loaded = (await self._models.champion(self._model)).loaded
            if not loaded.reference:
                raise NoChampion(f"{loaded.name} keeps no distribution of its training data: performance cannot be placed until another version serves")
            wanted, version = replace(wanted, reference=loaded.reference), loaded.name
        return self._said(wanted, await self._catalogue.spread(wanted), version)

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
            "categories": [self._category(number, count) for number, count in sorted(found.categories.items(), key=_most_first)],
            "model_version": version,
        }

    def _category(self, number: int, count: int) -> dict[str, Any]:
        name = self._names.get(number)
        return {"category_id": number, "name_ko": None if name is None else name.ko, "name_en": None if name is None else name.en, "n": count}


def _most_first(category: tuple[int, int]) -> tuple[int, int]:
    return -category[1], category[0]
