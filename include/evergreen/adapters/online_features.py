"""The online feature store as serving reads it: Redis' copy first, then Postgres, the truth; then what the catalogue knows of a video."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, time
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.feature_copies import copy_key
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.serving import StoredFeatures

TTL_SECONDS = 600
_STORE = "SELECT features, as_of FROM online_features WHERE model = $1 AND entity = $2"
# The catalogue has no words for "no tags known", so it says nothing of them.
_CATALOGUE = """
SELECT title, channel_id, channel_title, category_id, duration, published_at, length(description) AS description_length,
       view_count, like_count, comment_count, first_seen AS list_date, last_seen
FROM videos WHERE video_id = $1
"""


class _Copy(msgspec.Struct):
    features: dict[str, Any]
    as_of: datetime


_decode = msgspec.json.Decoder(_Copy).decode


class OnlineFeatureStore:
    """Guarantee: never older than TTL_SECONDS behind Postgres. A copy that cannot be read is passed over."""

    def __init__(self, postgres: AsyncPostgres, link: RedisLink) -> None:
        self._postgres = postgres
        self._link = link

    async def get(self, model: str, entity: str) -> StoredFeatures | None:
        copy = await self._copied(model, entity)
        if copy is not None:
            return copy
        row = await self._postgres.fetch_row(_STORE, model, entity)
        if row is None:
            return await self._catalogued(entity)
        stored = StoredFeatures(row["features"], row["as_of"])
        await self._copy(model, entity, stored)
        return stored

    async def _catalogued(self, entity: str) -> StoredFeatures | None:
        row = await self._postgres.fetch_row(_CATALOGUE, entity)
        if row is None:
            return None
        known = {name: _plain(value) for name, value in row.items() if value is not None and name != "last_seen"}
        return StoredFeatures(known, datetime.combine(row["last_seen"], time(), UTC))

    async def _copied(self, model: str, entity: str) -> StoredFeatures | None:
        try:
            body = await self._link.call(lambda client: client.get(copy_key(model, entity)))
            copy = None if body is None else _decode(body)
        except (Unavailable, ResponseError, msgspec.MsgspecError):
            return None
        return None if copy is None or copy.as_of.tzinfo is None else StoredFeatures(copy.features, copy.as_of)

    async def _copy(self, model: str, entity: str, stored: StoredFeatures) -> None:
        body = json.dumps({"features": dict(stored.features), "as_of": stored.as_of.isoformat()})
        seconds = int(TTL_SECONDS * (1 - 0.15 * random.random()))
        try:
            await self._link.call(lambda client: client.set(copy_key(model, entity), body, ex=seconds))
        except (Unavailable, ResponseError):
            return  # the next one asks Postgres again


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
