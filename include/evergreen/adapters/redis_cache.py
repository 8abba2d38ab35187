"""The prediction cache in two layers, and the keys that make repeated posts one.

L1: bounded, least recently used out first, in this process. L2: Redis, shared by all workers. Both forget after the same time, on wall time:
a replayed clock neither ages nor renews an entry. Values are JSON with a schema tag, never pickle; anything else is a miss and is deleted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.cache import CachedAnswer, Layer

SCHEMA = "evergreen.prediction/1"
L1_ENTRIES = 4096
MAX_WRITES_UNDER_WAY = 128
KEY_SECONDS = 24 * 3600
_JITTER = 0.15
_CLAIM = "local first = redis.call('GET', KEYS[1]) if first then return first end redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) return ARGV[1]"

Observe = Callable[[Layer, bool], None]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    schema: str
    version: str
    as_of: datetime | None
    features: msgspec.Raw
    answer: msgspec.Raw


_decode = msgspec.json.Decoder(_Entry).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class LayeredCache:
    def __init__(self, link: RedisLink, ttl_seconds: float, *, entries: int = L1_ENTRIES, observe: Observe | None = None) -> None:
        self._link = link
        self._ttl = ttl_seconds
        self._entries = entries
        self._observe: Observe = observe or (lambda _layer, _hit: None)
        self._l1: OrderedDict[str, tuple[float, CachedAnswer]] = OrderedDict()
        self._writes: set[asyncio.Task[None]] = set()

    async def get(self, key: str, version: str) -> tuple[CachedAnswer, Layer] | None:
        local = self._local(key)
        self._observe("l1", local is not None)
        if local is not None:
            return local, "l1"
        try:
            shared = await self._shared(key, version)
        except Unavailable:
            self._observe("l2", False)  # who is away has nothing: a ratio that leaves this out cannot show it
            raise
        self._observe("l2", shared is not None)
        if shared is None:
            return None
        answer, seconds_left = shared
        self._keep(key, answer, seconds_left)
        return answer, "l2"

    def put(self, key: str, answer: CachedAnswer) -> None:
        seconds = self._ttl * (1 - _JITTER * random.random())  # entries of one burst must not all end in one moment
        self._keep(key, answer, seconds)
        if len(self._writes) < MAX_WRITES_UNDER_WAY and not self._link.breaker.open:
            task = asyncio.get_running_loop().create_task(self._write(key, encode_entry(answer), seconds))
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def settle(self) -> None:
        """Wait for the writes under way."""
        await asyncio.gather(*self._writes)

    def _local(self, key: str) -> CachedAnswer | None:
        found = self._l1.get(key)
        if found is None:
            return None
        if found[0] <= time.monotonic():
            del self._l1[key]
            return None
        self._l1.move_to_end(key)
        return found[1]

    def _keep(self, key: str, answer: CachedAnswer, seconds: float) -> None:
        self._l1[key] = (time.monotonic() + seconds, answer)
        self._l1.move_to_end(key)
        while len(self._l1) > self._entries:
            self._l1.popitem(last=False)

    async def _shared(self, key: str, version: str) -> tuple[CachedAnswer, float] | None:
        try:
            body, milliseconds = await self._link.call(partial(_read, key))
        except ResponseError:  # something that is no string lies under the key
            await self._delete(key)
            return None
        if body is None or milliseconds <= 0:
            return None
        answer = decode_entry(body, version)
        if answer is None:
            await self._delete(key)
            return None
        return answer, min(milliseconds / 1000, self._ttl)

    async def _delete(self, key: str) -> None:
        await self._link.call(lambda client: client.delete(key))

    async def _write(self, key: str, body: bytes, seconds: float) -> None:
        try:
            await self._link.call(lambda client: client.set(key, body, px=max(int(seconds * 1000), 1)))
        except (Unavailable, ResponseError):
            return  # the next request computes it again


class RedisIdempotencyKeys:
    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def claim(self, key: str, said: str) -> str:
        first = await self._link.run_script(_CLAIM, [f"idempotency:{key}"], [said, KEY_SECONDS])
        return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


async def _read(key: str, client: Redis) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    pipeline.get(key)
    pipeline.pttl(key)
    return await pipeline.execute()


def encode_entry(answer: CachedAnswer) -> bytes:
    return _encode(_Entry(SCHEMA, answer.version, answer.features_as_of, msgspec.Raw(answer.features), msgspec.Raw(answer.body)))


def decode_entry(body: bytes, version: str) -> CachedAnswer | None:
    """None for anything this version's `encode_entry` did not write."""
    try:
        entry = _decode(body)
        answer, _ = _decode_object(entry.answer), _decode_object(entry.features)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    predicted = answer.get("prediction")
    if entry.schema != SCHEMA or entry.version != version or not isinstance(predicted, float | int) or isinstance(predicted, bool):
        return None
    if entry.as_of is not None and entry.as_of.tzinfo is None:
        return None
    return CachedAnswer(bytes(entry.answer).strip(), bytes(entry.features), entry.version, entry.as_of)
