"""The seen index behind the guarded link: one item, one round trip, an answer or Unavailable in time."""

from __future__ import annotations

from datetime import UTC, datetime

from evergreen.adapters.redis_bloom import AsyncRedisSeenIndex
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.seen_index import Seen as Found
from evergreen.ports.serving import Seen


class LinkedSeenIndex:
    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._index = None if link.client is None else AsyncRedisSeenIndex(link.client)

    async def seen(self, entity: str, now: datetime) -> Seen:
        index = self._index
        if index is None:
            raise Unavailable("no Redis is configured (EVERGREEN_REDIS__URL)")
        found = await self._link.call(lambda _: index.maybe_seen([entity], now.astimezone(UTC).date()))
        return "MAYBE" if found[0] is Found.MAYBE else "NO"
