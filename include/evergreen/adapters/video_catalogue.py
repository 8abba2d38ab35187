"""One video, and how all of them are spread: aggregated in Postgres, never row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.core.spread import Histogram
from evergreen.ports.catalogue import Spread, SpreadOf, Video
from evergreen.ports.serving import StoredFeatures

SPREAD_SECONDS = 10.0
"""The whole range of a large catalogue takes longer than a request of the hot path may."""
EVERY_CATEGORY = "*"
_VIDEO = """
SELECT video_id, title, description, channel_id, channel_title, category_id, duration, published_at, tags, view_count, like_count, comment_count,
       first_view_count, region, first_seen, last_seen
FROM videos WHERE video_id = $1
"""
_FEATURES = "SELECT entity, features, as_of FROM online_features WHERE model = $1 AND entity = ANY ($2::text[])"

# What is not known has no place: hidden likes, comments turned off. Without views there is no engagement.
_ENGAGEMENT = """
    SELECT category_id, least(CASE WHEN view_count = 0 THEN 0.0 ELSE (like_count + comment_count)::float8 / view_count END, 1.0) AS value
    FROM videos
    WHERE first_seen BETWEEN $1 AND $2 AND ($3::int[] IS NULL OR category_id = ANY ($3))
      AND view_count >= 0 AND like_count >= 0 AND comment_count >= 0
"""
# Linear between the quantiles, as the score of a prediction is (domains/videos/card.py, `share_below`). Where the count at first listing was
# never told (an older catalogue) the newest one stands in.
_PERFORMANCE = """
    SELECT category_id, CASE
        WHEN place = 0 THEN 0.0
        WHEN place = cardinality(quantiles) THEN 100.0
        ELSE 100.0 * (place - 1 + (views - quantiles[place]) / (quantiles[place + 1] - quantiles[place])) / (cardinality(quantiles) - 1)
    END AS value
    FROM (
        SELECT v.category_id, v.views, coalesce(r.quantiles, $5::float8[]) AS quantiles, width_bucket(v.views, coalesce(r.quantiles, $5::float8[])) AS place
        FROM (
            SELECT category_id, log(greatest(coalesce(first_view_count, view_count), 1)::float8) AS views FROM videos
            WHERE first_seen BETWEEN $1 AND $2 AND ($3::int[] IS NULL OR category_id = ANY ($3)) AND coalesce(first_view_count, view_count) IS NOT NULL
        ) AS v
        LEFT JOIN jsonb_to_recordset($6::jsonb) AS r (category integer, quantiles float8[]) ON r.category = v.category_id
    ) AS placed
"""
_AGGREGATED = """
WITH counted AS (
    SELECT category_id, least(floor(value / {width})::int, {last}) AS step, count(*) AS n, sum(value) AS total,
           count(*) FILTER (WHERE value >= $4::float8) AS above
    FROM ({values}) AS found GROUP BY 1, 2
)
SELECT step, category_id, sum(n)::bigint AS n, sum(total)::float8 AS total, sum(above)::bigint AS above, grouping(step) AS of_category
FROM counted GROUP BY GROUPING SETS ((step), (category_id))
"""
_STEPS = {"engagement": (0.0005, 2000, _ENGAGEMENT), "performance": (0.1, 1000, _PERFORMANCE)}
"""Width and number of the fine steps."""


def spread_query(wanted: SpreadOf) -> tuple[str, list[object]]:
    width, steps, values = _STEPS[wanted.measure]
    query = _AGGREGATED.format(width=width, last=steps - 1, values=values)
    bound: list[object] = [wanted.first or date.min, wanted.last or date.max, list(wanted.categories) or None, wanted.threshold]
    if wanted.reference is not None:
        bound += [list(wanted.reference[EVERY_CATEGORY]), _tables(wanted.reference)]
    return query, bound


class PostgresCatalogue:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def video(self, video_id: str) -> Video | None:
        return await self._postgres.fetch_row(_VIDEO, video_id)

    async def spread(self, wanted: SpreadOf) -> Spread:
        query, values = spread_query(wanted)
        rows = await self._postgres.fetch_planned(query, *values, seconds=SPREAD_SECONDS)
        width, steps, _ = _STEPS[wanted.measure]
        by_step = [row for row in rows if not row["of_category"]]
        return Spread(
            histogram=Histogram(width, steps, {row["step"]: row["n"] for row in by_step}),
            total=sum(row["total"] for row in by_step),
            above=sum(row["above"] for row in by_step),
            categories={row["category_id"]: row["n"] for row in rows if row["of_category"] and row["category_id"] is not None},
        )


class StoredFeaturesOfMany:
    """Table `online_features`, in one query."""

    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]:
        if not entities:
            return {}
        rows = await self._postgres.fetch(_FEATURES, model, list(entities))
        return {row["entity"]: StoredFeatures(row["features"], row["as_of"]) for row in rows}


def _tables(reference: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    return [{"category": int(name), "quantiles": list(quantiles)} for name, quantiles in reference.items() if name != EVERY_CATEGORY]
