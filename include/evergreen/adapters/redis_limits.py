"""The counts of all workers in Redis: one hash a key, a field a second, on Redis' clock; read and changed by one script."""

from __future__ import annotations

from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.limits import SLOTS, Granted, Wanted

TAKE = """
local limit, need, want, share = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local back, back_slot, spent, slots = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = tonumber(time[1])
local found, used, counts, order = redis.call('HGETALL', KEYS[1]), 0, {}, {}
for at = 1, #found, 2 do
  local slot, count = tonumber(found[at]), tonumber(found[at + 1])
  if slot == back_slot and back > 0 then
    count = math.max(0, count - back)
    redis.call('HSET', KEYS[1], found[at], count)
  end
  if slot > now then
    redis.call('HDEL', KEYS[1], found[at])
    spent = spent + count
  elseif slot <= now - slots then
    redis.call('HDEL', KEYS[1], found[at])
  else
    used = used + count
    counts[slot] = count
    order[#order + 1] = slot
  end
end
table.sort(order)
local room = limit - used - spent
local amount = 0
if need <= room then amount = math.max(need, math.min(want, need + math.floor((room - need) / share))) end
if amount + spent > 0 then
  redis.call('HINCRBY', KEYS[1], now, amount + spent)
  redis.call('EXPIRE', KEYS[1], slots + 1)
end
local wait, freed, missing = slots, 0, need - room
if amount > 0 then missing = 1 end
for _, slot in ipairs(order) do
  freed = freed + counts[slot]
  if freed >= missing and counts[slot] > 0 then
    wait = slot + slots - now
    break
  end
end
return {amount, now, room - amount, wait * 1000000 - tonumber(time[2])}
"""


class RedisLimits:
    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def take(self, key: str, wanted: Wanted) -> Granted:
        values = [wanted.limit, wanted.need, wanted.want, wanted.share, wanted.back, wanted.back_slot, wanted.spent, SLOTS]
        said = await self._link.run_script(TAKE, [f"limit:{key}"], values)
        try:
            amount, slot, left, wait = (int(one) for one in said)
        except (TypeError, ValueError):
            raise Unavailable("Redis does not say what is left of a limit") from None
        return Granted(amount, slot, left, max(wait, 0) / 1e6)
