"""One video, and how all of them are spread: aggregated in Postgres, never row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.core.rankings import Group
from evergreen.core.spread import EVERY, Histogram, value_at
from evergreen.ports.catalogue import Groups, Holdings, Spread, SpreadOf, Video

SPREAD_SECONDS = 10.0
"""The whole range of a large catalogue takes longer than a request of the hot path may."""
AT_ONCE = 3
"""Aggregations of one worker."""
_VIDEO = """
SELECT video_id, title, description, channel_id, channel_title, category_id, duration, published_at, tags, view_count, like_count, comment_count,
       first_view_count, region, first_seen, last_seen
FROM videos WHERE video_id = $1
"""

# What is not known has no place: hidden likes, comments turned off. Without views there is no engagement.
_ENGAGEMENT = """
SELECT category_id, least(floor(value / {width})::int, {last}) AS step, count(*) AS n, sum(value) AS total, count(*) FILTER (WHERE value >= $4) AS above
FROM (
    SELECT category_id, least(CASE WHEN view_count = 0 THEN 0.0 ELSE (like_count + comment_count)::float8 / view_count END, 1.0) AS value
    FROM videos
    WHERE first_seen BETWEEN $1 AND $2 AND ($3::int[] IS NULL OR category_id = ANY ($3))
      AND view_count >= 0 AND like_count >= 0 AND comment_count >= 0
) AS found
GROUP BY 1, 2
"""
# The views at which each step of a category's scale begins are known beforehand (OFFSET 0: cut out once per category, not once per row), so a
# row costs one look into an array. Where the count at first
# listing was never told (an older catalogue) the newest one stands in.
_SCALE = """\
LEFT JOIN (
    SELECT category, ($5::float8[])[(place - 1) * {last} + 1 : place * {last}] AS bounds, ($6::float8[])[place] AS threshold
    FROM unnest($4::int[]) WITH ORDINALITY AS of (category, place) OFFSET 0
) AS scale ON scale.category = v.category_id"""
_KNOWN = """\
WHERE first_seen BETWEEN $1 AND $2 AND ($3::int[] IS NULL OR category_id = ANY ($3)) AND coalesce(first_view_count, view_count) IS NOT NULL"""
_PERFORMANCE = f"""
SELECT v.category_id, width_bucket(v.views, coalesce(scale.bounds, $7::float8[])) AS step, count(*) AS n, NULL::float8 AS total,
       count(*) FILTER (WHERE v.views >= coalesce(scale.threshold, $8::float8)) AS above
FROM (
    SELECT category_id, greatest(coalesce(first_view_count, view_count), 1)::float8 AS views FROM videos
    {_KNOWN}
) AS v
{_SCALE}
GROUP BY 1, 2
"""
_PLACED = f"""
SELECT v.category_id, v.hour, width_bucket(v.views, coalesce(scale.bounds, $7::float8[])) AS step, v.views >= coalesce(scale.threshold, $8::float8) AS above
FROM (
    SELECT category_id, date_part('hour', published_at AT TIME ZONE $9)::int AS hour,
           greatest(coalesce(first_view_count, view_count), 1)::float8 AS views
    FROM videos
    {_KNOWN}
) AS v
{_SCALE}
"""
_GROUPS = """
WITH counted AS MATERIALIZED (
    SELECT category_id, hour, count(*) AS n, sum(step) AS total, sum(step * step) AS squares, count(*) FILTER (WHERE above) AS above
    FROM ({placed}) AS placed GROUP BY 1, 2
)
SELECT category_id, hour, sum(n)::bigint AS n, sum(total)::float8 AS total, sum(squares)::float8 AS squares, sum(above)::bigint AS above,
       grouping(category_id) AS of_hour
FROM counted GROUP BY GROUPING SETS ((category_id), (hour))
"""
_MOVERS = """
SELECT video_id, title, channel_id, channel_title, category_id, duration, published_at, view_count, like_count, comment_count,
       first_view_count, region, first_seen, last_seen
FROM videos
WHERE first_seen BETWEEN $1 AND $2 AND ($3::int[] IS NULL OR category_id = ANY ($3)) AND last_seen > first_seen AND view_count > first_view_count
ORDER BY (view_count - first_view_count)::float8 / (last_seen - first_seen) DESC, video_id LIMIT $4
"""
_HOLDINGS = "SELECT category_id, count(*) AS n, min(first_seen) AS first, max(first_seen) AS last FROM videos GROUP BY category_id"
_AGGREGATED = """
WITH counted AS MATERIALIZED ({counted})
SELECT step, category_id, sum(n)::bigint AS n, sum(total)::float8 AS total, sum(above)::bigint AS above, grouping(step) AS of_category
FROM counted GROUP BY GROUPING SETS ((step), (category_id))
"""
_STEPS = {"engagement": (0.0005, 2000), "performance": (0.2, 500)}
"""Width and number of the fine steps."""


@dataclass(frozen=True)
class _Scale:
    """Of a reference distribution, in views."""

    categories: Sequence[int]
    bounds: Sequence[float]
    """Of one category after the other, where each step but the first begins."""
    every: Sequence[float]


class Scales:
    """The scale of the reference asked for last: it changes with the champion."""

    def __init__(self) -> None:
        self._kept: tuple[Mapping[str, Sequence[float]], _Scale] | None = None

    def of(self, reference: Mapping[str, Sequence[float]]) -> _Scale:
        if self._kept is None or self._kept[0] is not reference:
            self._kept = (reference, _scale(reference))
        return self._kept[1]


def _scale(reference: Mapping[str, Sequence[float]]) -> _Scale:
    own = [name for name in reference if name != EVERY]
    every = _bounds(reference[EVERY])
    return _Scale([int(name) for name in own], [bound for name in own for bound in _bounds(reference[name])], every)


def _bounds(quantiles: Sequence[float]) -> list[float]:
    _, steps = _STEPS["performance"]
    return [_views(quantiles, step / steps) for step in range(1, steps)]


def _views(quantiles: Sequence[float], share: float) -> float:
    """From how many views on a video stands at this share or above. A hair lower, for the power is not exact."""
    return 0.0 if share <= 0 else 10 ** value_at(quantiles, share) * (1 - 1e-12)


def spread_query(wanted: SpreadOf, scales: Scales) -> tuple[str, list[object]]:
    width, steps = _STEPS[wanted.measure]
    counted = _ENGAGEMENT if wanted.measure == "engagement" else _PERFORMANCE
    query = _AGGREGATED.format(counted=counted.format(width=width, last=steps - 1))
    return query, [*_part(wanted), *([wanted.threshold] if wanted.reference is None else _on_scale(wanted, scales))]


def groups_query(wanted: SpreadOf, scales: Scales, zone: str) -> tuple[str, list[object]]:
    """Of performance, with a reference."""
    _, steps = _STEPS["performance"]
    query = _GROUPS.format(placed=_PLACED.format(last=steps - 1))
    return query, [*_part(wanted), *_on_scale(wanted, scales), zone]


def _part(wanted: SpreadOf) -> list[object]:
    return [wanted.first or date.min, wanted.last or date.max, list(wanted.categories) or None]


def _on_scale(wanted: SpreadOf, scales: Scales) -> list[object]:
    reference = wanted.reference or {}
    scale, thresholds = scales.of(reference), {name: _threshold(quantiles, wanted.threshold) for name, quantiles in reference.items()}
    every = thresholds.pop(EVERY)
    return [scale.categories, scale.bounds, list(thresholds.values()), scale.every, every]


def _threshold(quantiles: Sequence[float], threshold: float | None) -> float | None:
    return None if threshold is None else _views(quantiles, threshold / 100)


class PostgresCatalogue:
    def __init__(self, postgres: AsyncPostgres, zone: str) -> None:
        """`zone`: whose clock tells the hour of publication."""
        self._postgres = postgres
        self._zone = zone
        self._scales = Scales()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def _aggregated(self, query: str, *values: Any) -> Sequence[Any]:
        """A few at a time: whoever drags a filter must not take the connections of those who predict."""
        async with self._turns:
            return await self._postgres.fetch_planned(query, *values, seconds=SPREAD_SECONDS)

    async def video(self, video_id: str) -> Video | None:
        return await self._postgres.fetch_row(_VIDEO, video_id)

    async def spread(self, wanted: SpreadOf) -> Spread:
        query, values = spread_query(wanted, self._scales)
        rows = await self._aggregated(query, *values)
        by_step = [row for row in rows if not row["of_category"]]
        histogram = Histogram(*_STEPS[wanted.measure], {row["step"]: row["n"] for row in by_step})
        return Spread(
            histogram=histogram,
            total=histogram.total if wanted.measure == "performance" else sum(row["total"] for row in by_step),
            above=sum(row["above"] for row in by_step),
            categories={row["category_id"]: row["n"] for row in rows if row["of_category"] and row["category_id"] is not None},
        )

    async def holdings(self) -> Holdings:
        rows = await self._aggregated(_HOLDINGS)
        return Holdings(
            first=min((row["first"] for row in rows), default=None),
            last=max((row["last"] for row in rows), default=None),
            categories={row["category_id"]: row["n"] for row in rows if row["category_id"] is not None},
            videos=sum(row["n"] for row in rows),
        )

    async def groups(self, wanted: SpreadOf) -> Groups:
        query, values = groups_query(wanted, self._scales, self._zone)
        rows = await self._aggregated(query, *values)
        return Groups(
            categories={row["category_id"]: _group(row) for row in rows if not row["of_hour"] and row["category_id"] is not None},
            hours={row["hour"]: _group(row) for row in rows if row["of_hour"] and row["hour"] is not None},
        )

    async def movers(self, wanted: SpreadOf, limit: int) -> Sequence[Video]:
        return await self._aggregated(_MOVERS, *_part(wanted), limit)


def _group(row: Mapping[str, Any]) -> Group:
    """From whole steps to the middles of them."""
    width, _ = _STEPS["performance"]
    n, total, squares = row["n"], row["total"], row["squares"]
    return Group(n, (total + n / 2) * width, (squares + total + n / 4) * width**2, row["above"])
