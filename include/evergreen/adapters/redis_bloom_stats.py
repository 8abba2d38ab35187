"""What the seen index in Redis holds, and what it says of one video, for whoever may wait (adapters/redis_bloom.py has the layout)."""

from __future__ import annotations

from datetime import date
from typing import Any

from redis.exceptions import ResponseError

from evergreen.adapters.redis_bloom_question import DEFAULT_NAMESPACE, Layout
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.seen_window import WINDOW_DAYS, estimated_items, layer, layer_error, union_error, window_of
from evergreen.ports.seen_index import DayFilter, SeenStats


class RedisSeenStats:
    """Two round trips: which days there are, then every bitmap's set bits. Raises Unavailable."""

    def __init__(self, link: RedisLink, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._link = link
        self._layout = Layout(namespace)

    async def stats(self, today: date, days: int = WINDOW_DAYS) -> SeenStats:
        try:
            status, found = await self._link.call(self._state)
            layers = {date.fromisoformat(day.decode()): int(count) for day, count in found.items()}
            used = [(day, index) for day in window_of(today, days) if day in layers for index in range(layers[day])]
            counted = await self._link.call(lambda client: self._bits_set(client, used))
        except (ResponseError, ValueError, AttributeError, TypeError) as error:
            raise Unavailable("the seen index in Redis cannot be read") from error
        filters = tuple(_day(day, [counted[(day, index)] for index in range(layers[day])]) for day in window_of(today, days) if day in layers)
        return SeenStats(filters, union_error(one.error for one in filters), status == b"ready")

    async def _state(self, client: Any) -> tuple[Any, dict[Any, Any]]:
        async with client.pipeline(transaction=False) as pipe:
            pipe.hget(self._layout.state, "status")
            pipe.hgetall(self._layout.days)
            status, days = await pipe.execute()
        return status, days

    async def _bits_set(self, client: Any, used: list[tuple[date, int]]) -> dict[tuple[date, int], int]:
        if not used:
            return {}
        async with client.pipeline(transaction=False) as pipe:
            for day, index in used:
                pipe.bitcount(self._layout.bitmap(day, index))
            return dict(zip(used, map(int, await pipe.execute()), strict=True))


def _day(day: date, bits_set: list[int]) -> DayFilter:
    used = [layer(index) for index in range(len(bits_set))]
    return DayFilter(
        day=day,
        layers=len(used),
        capacity=sum(of.capacity for of in used),
        estimated_items=sum(estimated_items(count, of) for count, of in zip(bits_set, used, strict=True)),
        bits=sum(of.bits for of in used),
        error=union_error(layer_error(count, of) for count, of in zip(bits_set, used, strict=True)),
    )
