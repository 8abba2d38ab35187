"""The features of one video from what is known of it: the one definition, run row by row in training and in serving.

Plain Python on purpose: training loops over it (about 30 µs a row), serving calls it without a data frame, and both give the same bits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from evergreen.domains.videos.names import CHANNEL_FEATURES, COUNT_FEATURES, FEATURES, TITLE_FEATURES
from evergreen.domains.videos.parse import parse_day, parse_duration, parse_flag

NAN = math.nan
_FIRST_YEAR, _LAST_YEAR = 1, 9999
"""Within them every instant has a place in every zone; the outer ones overflow in some."""
_UNKNOWN: dict[str, float] = dict.fromkeys((*FEATURES, *COUNT_FEATURES), NAN)
NO_HISTORY: Mapping[str, float] = {"channel_videos": 0.0}
"""What the feature store says of a channel it has never seen: known to be new, not unknown."""

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "title_words": re.compile(r"\S+"),
    "title_hangul": re.compile("[\uac00-\ud7a3\u3131-\u318e]"),
    "title_latin": re.compile("[A-Za-z]"),
    "title_kana": re.compile("[\u3041-\u30ff]"),
    "title_han": re.compile("[\u4e00-\u9fff]"),
    "title_digits": re.compile(r"\d"),
    "title_marks": re.compile(r"[^\w\s]"),
    "title_upper": re.compile("[A-Z]"),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "hour": (0, 23),
    "day_of_week": (0, 6),
    "age_hours": (-48, math.inf),  # the list's day is a file date: some hours below zero are normal
    "channel_mean_log_views": (-math.inf, math.inf),
    "channel_last_log_views": (-math.inf, math.inf),
    "channel_days_since": (1, math.inf),
}


def row_features(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, float]:
    """Every name of FEATURES and COUNT_FEATURES; NaN = not known. `given` holds batch columns, facts and features, any subset.

    What can be derived from a fact is: a given weekend flag never outvotes the publication time. A value out of its range counts as not known.
    """
    row = _UNKNOWN.copy()
    for name, value in given.items():
        if name in _UNKNOWN:
            row[name] = _number(name, value)
    row["is_live"] = _flag(given.get("is_live"))
    if isinstance(given.get("duration"), str):
        row["duration"] = _not_negative(parse_duration(given["duration"]))
    row.update(_calendar(given, row, zone))
    if isinstance(title := given.get("title"), str):
        row.update(title_shape(title))
    row.update(_channel(given, row))
    row.update(_ratios(row))
    return row


def whole_row(row: Mapping[str, float]) -> dict[str, float]:
    """`row_features` again, from what is known of it."""
    return {**_UNKNOWN, **row}


def title_shape(title: str) -> dict[str, float]:
    shape = {name: float(len(pattern.findall(title))) for name, pattern in _SHAPES.items()}
    return {"title_length": float(len(title)), **shape}


def log_views(view_count: float) -> float:
    """The target's unit: log10, where no view counts as one."""
    return math.log10(max(view_count, 1.0))


def _number(name: str, value: Any) -> float:
    if value is None or isinstance(value, str | bool):
        return float(value) if isinstance(value, bool) else NAN
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return NAN
    low, high = _RANGES.get(name, (0, math.inf))
    return number if math.isfinite(number) and low <= number <= high else NAN


def _flag(value: Any) -> float:
    flag = None if value is None else parse_flag(value)
    return NAN if flag is None else float(flag)


def _not_negative(number: float | None) -> float:
    return number if number is not None and number >= 0 and math.isfinite(number) else NAN


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value != value:  # NaT is a datetime that differs from itself
        return None
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return aware if _FIRST_YEAR < aware.year < _LAST_YEAR else None


def _day(value: Any) -> date | None:
    if isinstance(value, str):
        return parse_day(value)
    if isinstance(value, datetime):
        return value.date() if value == value else None
    return value if isinstance(value, date) else None


def _calendar(given: Mapping[str, Any], row: Mapping[str, float], zone: ZoneInfo) -> dict[str, float]:
    published, listed = _instant(given.get("published_at")), _day(given.get("list_date"))
    derived: dict[str, float] = {}
    weekday = row["day_of_week"]
    if published is not None:
        local = published.astimezone(zone)
        weekday = float(local.weekday())
        derived = {"hour": float(local.hour), "day_of_week": weekday}
        if listed is not None:
            midnight = datetime(listed.year, listed.month, listed.day, tzinfo=UTC)
            derived["age_hours"] = (midnight - published).total_seconds() / 3600
    if weekday == weekday:
        derived["is_weekend"] = float(weekday >= 5)
    return derived


def _channel(given: Mapping[str, Any], row: Mapping[str, float]) -> dict[str, float]:
    """Days since the channel was last listed. History that reaches the list's day or beyond is the future: it counts as not known."""
    last, listed = _day(given.get("channel_last_listed")), _day(given.get("list_date"))
    if last is None or listed is None:
        return {}
    if last >= listed:
        return dict.fromkeys(CHANNEL_FEATURES, NAN)
    return {"channel_days_since": float((listed - last).days)}


def _ratios(row: Mapping[str, float]) -> dict[str, float]:
    """From the counts where they are known. No views: no engagement, not an infinite one."""
    views, likes, comments = row["view_count"], row["like_count"], row["comment_count"]
    if views != views:
        return {}
    if views == 0:
        return {"like_view_ratio": 0.0, "comment_view_ratio": 0.0, "engagement_rate": 0.0}
    derived = {"like_view_ratio": likes / views, "comment_view_ratio": comments / views, "engagement_rate": (likes + comments) / views}
    return {name: value for name, value in derived.items() if value == value}


assert set(_SHAPES) | {"title_length"} == set(TITLE_FEATURES)  # noqa: S101 - fixed at import: names.py and the patterns name the same shapes
