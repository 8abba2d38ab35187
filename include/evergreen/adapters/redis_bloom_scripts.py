"""Lua of the seen index: a question and an addition are one step each, so no reader or other writer sees half of one."""

from __future__ import annotations

OK, UNKNOWN, MORE_LAYERS = 0, 1, 2

LOOKUP = """
-- KEYS: state, days, then per day of the window and layer its bitmap
-- ARGV: first day, number of days D, of layers L, D days, L numbers of slices, number of items, then per item and layer its bits
-- reply: {0, 1 or 0 per item} | {1}: cannot tell | {2, layers needed}
local D, L = tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'status', 'floor')
if state[1] ~= 'ready' or (state[2] and ARGV[1] < state[2]) then return {1} end
local days = {}
for d = 1, D do days[d] = ARGV[3 + d] end
local layers = redis.call('HMGET', KEYS[2], unpack(days))
local slices, bitmaps, held = {}, {}, {}
for l = 1, L do slices[l] = tonumber(ARGV[3 + D + l]) end
for d = 1, D do
  local n = tonumber(layers[d] or 0)
  if n > L then return {2, n} end
  for l = 1, n do
    local key = KEYS[2 + (d - 1) * L + l]
    held[#held + 1] = key
    bitmaps[#bitmaps + 1] = {key, l}
  end
end
if #held > 0 and redis.call('EXISTS', unpack(held)) < #held then return {1} end
local at = 3 + D + L + 1
local reply = {0}
for i = 1, tonumber(ARGV[at]) do
  local starts, start = {}, at
  for l = 1, L do
    starts[l] = start
    start = start + slices[l]
  end
  local found = 0
  for b = 1, #bitmaps do
    local key, l = bitmaps[b][1], bitmaps[b][2]
    local all = true
    for s = 1, slices[l] do
      if redis.call('GETBIT', key, ARGV[starts[l] + s]) == 0 then
        all = false
        break
      end
    end
    if all then
      found = 1
      break
    end
  end
  reply[i + 1] = found
  at = start
end
return reply
"""

ADD = """
-- KEYS: state, days, items, then the day's bitmap per layer
-- ARGV: day, number of layers L, L capacities, L numbers of slices, number of items, then per item and layer its bits, then a new version
-- reply: {items done, of them new, layers needed}; {-1, 0, 0}: no index. Fewer done than asked: ask for the rest with that many layers
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1, 0, 0} end
local day, L = ARGV[1], tonumber(ARGV[2])
local had = redis.call('HGET', KEYS[2], day)
local n = tonumber(had or 1)
if n > L then return {0, 0, n} end
for l = 1, n do
  -- a bitmap that was evicted must not come back with holes: the index counts as lost
  if redis.call('HEXISTS', KEYS[2], day) == 1 and redis.call('EXISTS', KEYS[3 + l]) == 0 then
    redis.call('DEL', KEYS[1])
    return {-1, 0, 0}
  end
end
local capacity, slices, counts = {}, {}, {}
for l = 1, L do
  capacity[l] = tonumber(ARGV[2 + l])
  slices[l] = tonumber(ARGV[2 + L + l])
  counts[l] = tonumber(redis.call('HGET', KEYS[3], day .. ':' .. (l - 1)) or 0)
end
local at = 2 + 2 * L + 1
local asked, new = tonumber(ARGV[at]), 0
local done = asked
for i = 1, asked do
  local starts, start = {}, at
  for l = 1, L do
    starts[l] = start
    start = start + slices[l]
  end
  local there = false
  for l = 1, n do
    local all = true
    for s = 1, slices[l] do
      if redis.call('GETBIT', KEYS[3 + l], ARGV[starts[l] + s]) == 0 then
        all = false
        break
      end
    end
    if all then
      there = true
      break
    end
  end
  if not there then
    if counts[n] >= capacity[n] then
      if n == L then
        done = i - 1
        break
      end
      n = n + 1
    end
    for s = 1, slices[n] do redis.call('SETBIT', KEYS[3 + n], ARGV[starts[n] + s], 1) end
    counts[n] = counts[n] + 1
    new = new + 1
  end
  at = start
end
redis.call('HSET', KEYS[2], day, n)
for l = 1, n do redis.call('HSET', KEYS[3], day .. ':' .. (l - 1), counts[l]) end
local newest = redis.call('HGET', KEYS[1], 'newest')
if not newest or newest < day then redis.call('HSET', KEYS[1], 'newest', day) end
if new > 0 or not had then redis.call('HSET', KEYS[1], 'version', ARGV[#ARGV], 'version:' .. day, ARGV[#ARGV]) end
if done < asked then n = n + 1 end
return {done, new, n}
"""
