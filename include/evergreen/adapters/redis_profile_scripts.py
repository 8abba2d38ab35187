"""Lua of the profiles: each is one step, so two workers never see or leave half of one.

Numbers travel as texts: Lua would write them with fourteen digits."""

from __future__ import annotations

APPLY = """
-- KEYS: profile, history, owned, activity, shown, active users
-- ARGV: kept of history, owned, activity; activity's seconds, profile's seconds, user, now in milliseconds;
--       then per event: place's field, topic id, offset, effect as JSON ('': a repeat, only its place is noted)
-- reply: {0}: no profile | {1, interactions reflected, events applied now}
if redis.call('EXISTS', KEYS[1]) == 0 then return {0} end
local applied = 0
local function keep(key, standings, most)
  local any = false
  for name, standing in pairs(standings) do
    redis.call('ZADD', key, 'GT', standing, name)
    any = true
  end
  if any then redis.call('ZREMRANGEBYRANK', key, 0, -1 - most) end
end
local function add(effect)
  for genre, amount in pairs(effect.genres) do
    local had = tonumber(redis.call('HGET', KEYS[1], 'g:' .. genre) or '0')
    redis.call('HSET', KEYS[1], 'g:' .. genre, string.format('%.17g', had + tonumber(amount)))
  end
  keep(KEYS[2], effect.history, tonumber(ARGV[1]))
  keep(KEYS[3], effect.owned, tonumber(ARGV[2]))
  keep(KEYS[4], effect.activity, tonumber(ARGV[3]))
  for item in pairs(effect.history) do redis.call('ZREM', KEYS[5], item) end
  redis.call('HINCRBY', KEYS[1], 'n', 1)
  applied = applied + 1
end
for at = 8, #ARGV, 4 do
  local place = redis.call('HGET', KEYS[1], ARGV[at])
  local topic, offset = nil, nil
  if place then topic, offset = string.match(place, '^(.*):(%d+)$') end
  -- a topic that was made anew starts its offsets again, under another id
  if topic ~= ARGV[at + 1] or tonumber(offset) < tonumber(ARGV[at + 2]) then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1] .. ':' .. ARGV[at + 2])
    if ARGV[at + 3] ~= '' then add(cjson.decode(ARGV[at + 3])) end
  end
end
local newest = redis.call('ZRANGE', KEYS[4], -1, -1, 'WITHSCORES')
if newest[2] then redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. string.format('%.0f', tonumber(newest[2]) - tonumber(ARGV[4]) * 1000)) end
redis.call('EXPIRE', KEYS[4], ARGV[4])
for at = 1, 3 do redis.call('EXPIRE', KEYS[at], ARGV[5]) end
redis.call('ZADD', KEYS[6], 'GT', ARGV[7], ARGV[6])
return {1, tonumber(redis.call('HGET', KEYS[1], 'n')), applied}
"""

REPLACE = """
-- KEYS: profile, history, owned, activity, active users
-- ARGV: places as they were, the profile's fields, history, owned and activity as JSON, activity's seconds (0: over), profile's seconds, user,
--       when he was last active
-- reply: 1, or 0: something was applied meanwhile
local expected, places = cjson.decode(ARGV[1]), 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 3) == 'at:' then
    if expected[field] ~= redis.call('HGET', KEYS[1], field) then return 0 end
    places = places + 1
  end
end
for _ in pairs(expected) do places = places - 1 end
if places ~= 0 then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
for field, value in pairs(cjson.decode(ARGV[2])) do redis.call('HSET', KEYS[1], field, value) end
for at = 2, 4 do
  for name, standing in pairs(cjson.decode(ARGV[at + 1])) do redis.call('ZADD', KEYS[at], standing, name) end
end
if ARGV[6] == '0' then redis.call('UNLINK', KEYS[4]) else redis.call('EXPIRE', KEYS[4], ARGV[6]) end
for at = 1, 3 do redis.call('EXPIRE', KEYS[at], ARGV[7]) end
redis.call('ZADD', KEYS[5], 'GT', ARGV[9], ARGV[8])
return 1
"""

READ = """
-- KEYS: profile, history, owned, boost, shown. ARGV: now in milliseconds, since when shown is lately, in units of its scores
return {
  redis.call('HGETALL', KEYS[1]), redis.call('ZREVRANGE', KEYS[2], 0, -1, 'WITHSCORES'), redis.call('ZRANGE', KEYS[3], 0, -1),
  redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[1], '+inf'), redis.call('ZRANGEBYSCORE', KEYS[5], ARGV[2], '+inf', 'WITHSCORES')
}
"""

PUT_LIST = """
-- KEYS: list, push stream, channel, profile. ARGV: interactions reflected, list as JSON, its seconds, what is pushed as JSON, pushes kept, their seconds, user
-- reply: 0: there is one that reflects more, or the user is forgotten | 1: put again | 2: put, and pushed for the first time
if redis.call('EXISTS', KEYS[4]) == 0 then return 0 end
local had = tonumber(redis.call('HGET', KEYS[1], 'n') or '-1')
local n = tonumber(ARGV[1])
if had > n then return 0 end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'body', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if had == n then return 1 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[5], '*', 'body', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('PUBLISH', KEYS[3], ARGV[7])
return 2
"""

SHOW = """
-- KEYS: shown. ARGV: now in milliseconds, since when is lately, kept, seconds, then the items
-- a score is milliseconds x 64 + how often
for at = 5, #ARGV do
  local had = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[at]) or '0')
  local times = 1
  if had >= tonumber(ARGV[2]) * 64 then times = math.min(math.fmod(had, 64) + 1, 63) end
  redis.call('ZADD', KEYS[1], string.format('%.0f', tonumber(ARGV[1]) * 64 + times), ARGV[at])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return #ARGV - 4
"""

BOOST = """
-- KEYS: boost, profile. ARGV: now in milliseconds, kept, seconds, then per boost its end and name
-- reply: 0: nothing is known of the user
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
for at = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', ARGV[at], ARGV[at + 1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
