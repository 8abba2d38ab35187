"""What the heads say of a video, in serving's words. Units: probabilities in [0, 1], scores and percentiles 0-100, views as counts.

Plain Python over one row at a time: a worker answers without pandas or scikit-learn, and what a version's card fixes is worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from evergreen.domains.videos import scales
from evergreen.domains.videos.names import COUNT_FEATURES, FEATURES, zone_of
from evergreen.domains.videos.row import row_features, whole_row
from evergreen.ports.model import Heads, Rows

COLUMNS: tuple[str, ...] = (*FEATURES, *COUNT_FEATURES)
"""Of a row as the heads see it."""
_TOP = 5
_MAX_DEVIATION = 3.0
_MAX_LOG_VIEWS = 12.0


class VideoAnswers:
    """A loaded version's answers, whatever evaluates its heads. Pure: no I/O, no clock."""

    def __init__(self, heads: Heads, card: Mapping[str, Any], region: str) -> None:
        self._heads = heads
        self._card = card
        self._zone = ZoneInfo(zone_of(region))
        asked = {name for columns in card["features"].values() for name in columns}
        self._asked = [name for name in COLUMNS if name in asked]
        self._factors = [_Factor(name, card) for name in FEATURES if card["importances"].get(name, 0.0) > 0]
        self._growth = card["growth"]

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        """Per request: predicted views with interval and confidence, scores, chances, trend and what they rest on."""
        whole = [row_features(request, self._zone) for request in requests] if rows is None else [whole_row(row) for row in rows]
        values = [[row[name] for name in COLUMNS] for row in whole]
        if len(values) == 1:
            return [self._answer(whole[0], self._heads.one(values[0]))]
        said = {name: column.tolist() for name, column in self._heads.many(values).items()} if values else {}
        return [self._answer(row, {name: column[at] for name, column in said.items()}) for at, row in enumerate(whole)]

    def _answer(self, row: Mapping[str, float], said: Mapping[str, float]) -> dict[str, Any]:
        predicted, stratum = said["primary"], self._card["interval"]["strata"][scales.stratum_of(row["channel_videos"])]
        lower, upper = predicted - stratum["width"], predicted + stratum["width"]
        score = score_of(predicted, row, self._card["distributions"])
        still, growth = self._chance("still_listed", said), said.get("growth", self._usual_growth())
        return {
            "prediction": predicted,
            "prediction_lower": lower,
            "prediction_upper": upper,
            "predicted_views": _views(predicted),
            "interval": {"lower": _views(lower), "upper": _views(upper), "coverage": self._card["interval"]["nominal"]},
            "confidence": round(stratum["confidence"], 4),
            "performance_score": score,
            "percentile": round(100.0 - score, 2),
            "viral_probability": round(self._chance("viral", said), 4),
            "still_listed_probability": _known(still, 4),
            "predicted_growth": _known(10**growth - 1.0, 4),
            "growth_potential": self._growth_potential(growth),
            "trend_prediction": self._trend(growth, still),
            "view_count": _count(row["view_count"]),
            "like_count": _count(row["like_count"]),
            "comment_count": _count(row["comment_count"]),
            "engagement_rate": _known(row["engagement_rate"], 6),
            "key_factors": self._key_factors(row),
            "features_used": [name for name in self._asked if row[name] == row[name]],
            "features_imputed": [name for name in self._asked if row[name] != row[name]],
        }

    def _chance(self, head: str, said: Mapping[str, float]) -> float:
        """Calibrated. A head with too few labels when it was trained says what was usual then."""
        chance = said.get(head)
        if chance is not None:
            return scales.calibrated(chance, self._card[head])
        usual = self._card[head]["base_rate"]
        return scales.NAN if usual is None else float(usual)

    def _usual_growth(self) -> float:
        return scales.NAN if self._growth["median"] is None else float(self._growth["median"])

    def _growth_potential(self, growth: float) -> str | None:
        """Which third of the predicted next-day growths seen in training the prediction falls in; None when training had no growth to learn from."""
        low, high = self._growth["low"], self._growth["high"]
        if low is None:
            return None
        return "low" if growth < low else "high" if growth > high else "medium"

    def _trend(self, growth: float, still: float) -> str | None:
        """rising: more growth and more staying on the list than usual in training; falling: less of both; steady: anything between."""
        usual_growth, usual_stay = self._growth["median"], self._card["still_listed"]["base_rate"]
        if usual_growth is None or usual_stay is None:
            return None
        grows, stays = growth > usual_growth, still > usual_stay
        return "rising" if grows and stays else "falling" if not grows and not stays else "steady"

    def _key_factors(self, row: Mapping[str, float]) -> list[dict[str, Any]]:
        """The features that mattered most for this answer: importance in training x how far the value lies from the usual one.

        A cheap proxy (a few µs), not an attribution of the trees. Weights sum to 1; a feature that is not known or just usual has none."""
        pulls = [(pull, factor.name) for factor in self._factors if (pull := factor.pull(row[factor.name])) > 0]
        total = sum(pull for pull, _ in pulls)
        pulls.sort(key=lambda one: (-one[0], one[1]))
        return [{"feature": name, "value": row[name], "weight": round(pull / total, 4)} for pull, name in pulls[:_TOP]]


class _Factor:
    """Distance is |value - median| in interquartile ranges, at most 3; for the category 1 - its share in training."""

    def __init__(self, name: str, card: Mapping[str, Any]) -> None:
        self.name = name
        self._importance = float(card["importances"][name])
        median = card["medians"].get(name)
        self._median = None if median is None else float(median)
        self._spread = float(card["spreads"].get(name) or 0.0)
        self._shares: Mapping[str, float] | None = card["category_shares"] if name == "category_id" else None

    def pull(self, value: float) -> float:
        return self._importance * self._deviation(value)

    def _deviation(self, value: float) -> float:
        if value != value or self._median is None:
            return 0.0
        if self._shares is not None:
            return 1.0 - float(self._shares.get(str(int(value)), 0.0))
        if not self._spread:
            return 0.0 if value == self._median else 1.0
        return min(abs(value - self._median) / self._spread, _MAX_DEVIATION)


def score_of(log_views: float, row: Mapping[str, float], tables: Mapping[str, Sequence[float]]) -> float:
    """0-100: where these views stand in the distribution of the video's category; of all where the category is not known or was rare in training."""
    category = row["category_id"]
    own = tables.get(str(int(category))) if category == category else None
    return round(100.0 * scales.share_below(log_views, own if own is not None else tables[scales.EVERY_CATEGORY]), 2)


def _views(log_views: float) -> int:
    return round(10 ** min(log_views, _MAX_LOG_VIEWS))


def _known(value: float, digits: int) -> float | None:
    return round(value, digits) if value == value else None


def _count(value: float) -> int | None:
    return int(value) if value == value else None
