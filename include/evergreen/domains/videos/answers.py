"""One prediction in serving's words. Units: probabilities in [0, 1], scores and percentiles 0-100, views as counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.domains.videos import card as cards
from evergreen.domains.videos.names import FEATURES

_TOP = 5
_MAX_DEVIATION = 3.0
_MAX_LOG_VIEWS = 12.0


def make_answer(row: Mapping[str, float], heads: Mapping[str, float], card: Mapping[str, Any]) -> dict[str, Any]:
    """`row`: features as used, NaN = not known. `heads`: primary (log10 views), width, confidence, viral, still_listed, growth (log10 of the factor)."""
    predicted = heads["primary"]
    score = round(100.0 * cards.share_below(predicted, _distribution(row, card)), 2)
    asked = {name for columns in card["features"].values() for name in columns}
    return {
        "prediction": predicted,
        "prediction_lower": predicted - heads["width"],
        "prediction_upper": predicted + heads["width"],
        "predicted_views": _views(predicted),
        "interval": {"lower": _views(predicted - heads["width"]), "upper": _views(predicted + heads["width"]), "coverage": card["interval"]["nominal"]},
        "confidence": round(heads["confidence"], 4),
        "performance_score": score,
        "percentile": round(100.0 - score, 2),
        "viral_probability": round(heads["viral"], 4),
        "still_listed_probability": _known(heads["still_listed"], 4),
        "predicted_growth": _known(10 ** heads["growth"] - 1.0, 4),
        "growth_potential": _growth_potential(heads, card),
        "trend_prediction": _trend(heads, card),
        "view_count": _count(row["view_count"]),
        "like_count": _count(row["like_count"]),
        "comment_count": _count(row["comment_count"]),
        "engagement_rate": _known(row["engagement_rate"], 6),
        "key_factors": key_factors(row, card),
        "features_used": [name for name in row if name in asked and row[name] == row[name]],
        "features_imputed": [name for name in row if name in asked and row[name] != row[name]],
    }


def key_factors(row: Mapping[str, float], card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The features that mattered most for this answer: importance in training x how far the value lies from the usual one.

    Distance is |value - median| in interquartile ranges, at most 3; for the category 1 - its share in training. A cheap proxy (a few µs), not an
    attribution of the trees. Weights sum to 1; a feature that is not known or just usual has none.
    """
    pull = {name: card["importances"].get(name, 0.0) * _deviation(name, row[name], card) for name in FEATURES}
    total = sum(pull.values())
    strongest = sorted((name for name in pull if pull[name] > 0), key=lambda name: (-pull[name], name))[:_TOP]
    return [{"feature": name, "value": row[name], "weight": round(pull[name] / total, 4)} for name in strongest]


def _deviation(name: str, value: float, card: Mapping[str, Any]) -> float:
    median, spread = card["medians"].get(name), card["spreads"].get(name)
    if value != value or median is None:
        return 0.0
    if name == "category_id":
        return 1.0 - float(card["category_shares"].get(str(int(value)), 0.0))
    if not spread:
        return 0.0 if value == median else 1.0
    return min(abs(value - float(median)) / float(spread), _MAX_DEVIATION)


def _distribution(row: Mapping[str, float], card: Mapping[str, Any]) -> list[float]:
    """The views' distribution of the video's category; over all where the category is not known or was rare in training."""
    tables: Mapping[str, list[float]] = card["distributions"]
    category = row["category_id"]
    own = tables.get(str(int(category))) if category == category else None
    return own if own is not None else tables[cards.EVERY_CATEGORY]


def _growth_potential(heads: Mapping[str, float], card: Mapping[str, Any]) -> str | None:
    """Which third of the predicted next-day growths seen in training the prediction falls in; None when training had no growth to learn from."""
    low, high = card["growth"]["low"], card["growth"]["high"]
    if low is None:
        return None
    return "low" if heads["growth"] < low else "high" if heads["growth"] > high else "medium"


def _trend(heads: Mapping[str, float], card: Mapping[str, Any]) -> str | None:
    """rising: more growth and more staying on the list than usual in training; falling: less of both; steady: anything between."""
    usual_growth, usual_stay = card["growth"]["median"], card["still_listed"]["base_rate"]
    if usual_growth is None or usual_stay is None:
        return None
    grows, stays = heads["growth"] > usual_growth, heads["still_listed"] > usual_stay
    return "rising" if grows and stays else "falling" if not grows and not stays else "steady"


def _views(log_views: float) -> int:
    return round(10 ** min(log_views, _MAX_LOG_VIEWS))


def _known(value: float, digits: int) -> float | None:
    return round(value, digits) if value == value else None


def _count(value: float) -> int | None:
    return int(value) if value == value else None
