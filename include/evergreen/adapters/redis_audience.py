"""Users of the recommender, from Redis; how much they did, from table `interactions`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_profiles import ACTIVE_USERS, key
from evergreen.adapters.redis_wire import Refusal
from evergreen.core.boosts import FACTORS
from evergreen.core.clock import wall_now
from evergreen.core.earlier import entity_of
from evergreen.core.errors import Unavailable
from evergreen.core.recommending import ACTIVITY, MODEL, milliseconds
from evergreen.ports.audience import ActiveUser, Activity, Boost, Traces

_FIND = """
-- KEYS: active users. ARGV: text in lower case, how many at most
-- reply: user, when he was last active, user, ...
local found, from = {}, 0
while true do
  local page = redis.call('ZREVRANGE', KEYS[1], from, from + 999, 'WITHSCORES')
  for at = 1, #page, 2 do
    if string.find(string.lower(page[at]), ARGV[1], 1, true) then
      found[#found + 1], found[#found + 2] = page[at], page[at + 1]
      if #found >= 2 * tonumber(ARGV[2]) then return found end
    end
  end
  if #page == 0 then return found end
  from = from + 1000
end
"""
_LOADED = """
SELECT entity FROM online_features
WHERE model = $1 AND entity >= $2 AND entity <= $3 AND starts_with(entity, $2) AND NOT substr(entity, 6) = ANY($4::text[])
ORDER BY entity LIMIT $5
"""
_LAST = "\U0010ffff"
_COUNTS = "SELECT kind, count(*) AS n FROM interactions WHERE user_id = $1 GROUP BY kind"


class RedisAudience:
    def __init__(self, link: RedisLink, postgres: AsyncPostgres) -> None:
        self._link, self._postgres = link, postgres

    async def known(self, part: str, most: int) -> Sequence[ActiveUser]:
        reply = await self._link.run_script(_FIND, [ACTIVE_USERS], [part.lower(), most])
        users = [user.decode() for user in reply[::2]]
        counts = _sound(await self._link.ask(*(("HGET", key("profile", user), "n") for user in users))) if users else []
        told = zip(users, counts, reply[1::2], strict=True)
        active = [ActiveUser(user, int(count or 0), _instant(at)) for user, count, at in told]
        if len(active) == most:
            return active
        rows = await self._postgres.fetch(_LOADED, MODEL, entity_of(part), entity_of(part) + _LAST, users, most - len(active))
        return [*active, *(ActiveUser(row["entity"].removeprefix(entity_of("")), 0, None) for row in rows)]

    async def traces(self, user: str) -> Traces:
        boosts, activity = _sound(
            await self._link.ask_large(
                ("ZREVRANGEBYSCORE", key("boost", user), "+inf", milliseconds(wall_now()), "WITHSCORES"),
                ("ZREVRANGE", key("stream", user), 0, ACTIVITY - 1),
            )
        )
        rows = await self._postgres.fetch(_COUNTS, user)
        named = ((*name.decode().partition(":"), until) for name, until in zip(boosts[::2], boosts[1::2], strict=True))
        return Traces(
            boosts=[Boost(item, cause, _instant(until)) for cause, _, item, until in named if cause in FACTORS],
            activity=[_activity(json.loads(line)) for line in activity],
            counts={row["kind"]: row["n"] for row in rows},
        )


def _sound(replies: Sequence[Any]) -> Sequence[Any]:
    """Raises Unavailable for a key that holds something else."""
    for reply in replies:
        if isinstance(reply, Refusal):
            raise Unavailable("Redis holds something else where what is known of a user belongs") from reply
    return replies


def _activity(line: dict[str, Any]) -> Activity:
    return Activity(line["id"], datetime.fromisoformat(line["at"]), line["kind"], line["items"])


def _instant(text: bytes) -> datetime:
    return datetime.fromtimestamp(float(text) / 1000, UTC)
