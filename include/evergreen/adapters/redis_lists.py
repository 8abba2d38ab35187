"""What the recommender worker leaves in Redis for serving, read on serving's own connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_wire import Refusal
from evergreen.core.errors import Unavailable
from evergreen.ports.pushes import Pushed

MISSED_AT_MOST = 50
"""Of a user's lists: as many as are kept."""
BEGINNING = "0-0"


def push_key(user: str) -> str:
    return f"rec:push:{user}"


class RedisPushes:
    """A user's pushed lists: a Redis stream, each entry's field `body` one list."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def begin(self, user: str, after: str | None) -> tuple[Sequence[Pushed], str]:
        newest, missed = await self._link.ask_large(
            ("XREVRANGE", push_key(user), "+", "-", "COUNT", 1), ("XRANGE", push_key(user), f"({after or BEGINNING}", "+", "COUNT", MISSED_AT_MOST)
        )
        last = _entries(newest)
        if not last:
            return (), BEGINNING  # whatever comes now is new
        if after is None or _number(after) > _number(last[0].id):
            return last, last[0].id
        found = _entries(missed)
        return found, found[-1].id if found else after

    async def after(self, user: str, place: str, most: int) -> Sequence[Pushed]:
        [found] = await self._link.ask_large(("XRANGE", push_key(user), f"({place}", "+", "COUNT", most))
        return _entries(found)


def _entries(reply: Any) -> list[Pushed]:
    """An entry without a body is none of ours. Raises Unavailable for what is no stream."""
    if isinstance(reply, Refusal):
        raise Unavailable("Redis holds something else where a user's pushed lists belong") from reply
    found = []
    for entry_id, fields in reply:
        body = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"body")
        if body is not None:
            found.append(Pushed(entry_id.decode(), body))
    return found


def _number(place: str) -> tuple[int, int]:
    milliseconds, _, number = place.partition("-")
    return int(milliseconds), int(number or 0)
