"""What the recommender worker leaves in Redis for serving, read on serving's own connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_profile_scripts import SHOW
from evergreen.adapters.redis_profiles import LIST_SECONDS, PUSHED, SHOWN, SHOWN_SECONDS, WHOLE, key, reading, taste_of
from evergreen.adapters.redis_wire import Refusal
from evergreen.core.as_of import read_as_of, write_as_of
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.recommending import milliseconds
from evergreen.ports.lists import Known, Listed, MadeList
from evergreen.ports.pushes import Pushed

BEGINNING = "0-0"
POPULAR, POPULAR_SECONDS = "rec:popular", 7 * 24 * 3600
_KEEP = """
-- KEYS: list, profile. ARGV: interactions reflected, list as JSON, its seconds
-- reply: 0: there is one that reflects more, or the user is forgotten | 1
-- Counted as one less: the worker that makes the list of the same interactions takes it for an older one, and pushes its own.
local had = tonumber(redis.call('HGET', KEYS[1], 'n') or '-1')
local n = tonumber(ARGV[1])
if n > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if had > n then return 0 end
redis.call('HSET', KEYS[1], 'n', string.format('%d', math.max(had, n - 1)), 'body', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class _Item(msgspec.Struct):
    item_id: str
    title: str
    score: float
    reason: str


class _Body(msgspec.Struct):
    user_id: str
    as_of: str
    version: str | None
    made: datetime
    items: list[_Item]


_body = msgspec.json.Decoder(_Body).decode
_items = msgspec.json.Decoder(list[_Item]).decode
_encode = msgspec.json.Encoder().encode


class RedisLists:
    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._traces: set[asyncio.Future[Any]] = set()

    async def stored(self, user: str) -> MadeList | None:
        [body] = await self._link.ask(("HGET", key("list", user), "body"))
        return self._read(user, body)

    async def taste(self, user: str, now: datetime) -> Known:
        script, keys, arguments = reading(user)
        reply = await self._link.run_script(script, keys, arguments)
        taste = taste_of(reply, now)
        [whole] = await self._link.ask(("EXISTS", WHOLE)) if not taste.count else [1]
        return Known(taste, whole == 1)

    async def keep(self, user: str, made: MadeList, count: int) -> None:
        body = _Body(user, write_as_of(made.as_of), made.version, made.made, [_Item(*item) for item in made.items])
        await self._link.run_script(_KEEP, [key("list", user), key("profile", user)], [count, _encode(body), LIST_SECONDS])

    async def popular(self) -> Sequence[Listed]:
        [body] = await self._link.ask(("GET", POPULAR))
        try:
            return [Listed(item.item_id, item.title, item.score, item.reason) for item in _items(body or b"[]")]
        except (msgspec.MsgspecError, TypeError):
            return ()

    def show(self, user: str, items: Sequence[str]) -> None:
        now = milliseconds(wall_now())
        told = [now, now - SHOWN_SECONDS * 1000, SHOWN, SHOWN_SECONDS, *items]
        self._leave(self._link.run_script(SHOW, [key("shown", user)], told))

    def keep_popular(self, items: Sequence[Listed]) -> None:
        self._link.tell("SET", POPULAR, _encode([_Item(*item) for item in items]), "EX", POPULAR_SECONDS)

    def _leave(self, trace: Any) -> None:
        """Nobody waits for it, and nobody hears when it fails."""
        task = asyncio.ensure_future(trace)
        self._traces.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Future[Any]) -> None:
        self._traces.discard(task)
        if not task.cancelled():
            task.exception()

    def _read(self, user: str, reply: Any) -> MadeList | None:
        return None if reply is None else read_list(reply, user)


def read_list(body: Any, user: str) -> MadeList | None:
    """As the recommender worker wrote it. None for anything else, another user's too."""
    try:
        found = _body(body)
        as_of = read_as_of(found.as_of)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None
    if found.user_id != user or found.made.tzinfo is None:
        return None
    items = [Listed(item.item_id, item.title, item.score, item.reason) for item in found.items]
    return MadeList(items, found.version, as_of, found.made)


class RedisPushes:
    """A user's pushed lists: a Redis stream, each entry's field `body` one list."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def begin(self, user: str, after: str | None) -> tuple[Sequence[Pushed], str]:
        newest, missed = await self._link.ask_large(
            ("XREVRANGE", key("push", user), "+", "-", "COUNT", 1), ("XRANGE", key("push", user), f"({after or BEGINNING}", "+", "COUNT", PUSHED)
        )
        last = _entries(newest)
        if not last:
            return (), BEGINNING  # whatever comes now is new
        if after is None or _number(after) > _number(last[0].id):
            return last, last[0].id
        found = _entries(missed)
        return found, found[-1].id if found else after

    async def after(self, user: str, place: str, most: int) -> Sequence[Pushed]:
        [found] = await self._link.ask_large(("XRANGE", key("push", user), f"({place}", "+", "COUNT", most))
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
