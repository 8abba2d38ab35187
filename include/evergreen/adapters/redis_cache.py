"""The prediction cache in two layers, and the keys that make repeated posts one.

L1: bounded, least recently used out first, in this process. L2: Redis, shared by all workers. Both forget after the same time, on wall time:
a replayed clock neither ages nor renews an entry. Values are JSON with a schema tag, never pickle; anything else, also what is too large,
is a miss and is deleted. L1 keeps an entry for a while after its time: it may answer when nothing better can be had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from evergreen.adapters.jitter import jittered
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.lru import Lru
from evergreen.ports.cache import CachedAnswer, Layer

SCHEMA = "evergreen.prediction/1"
L1_ENTRIES = 4096
L1_BYTES = 16 * 2**20
MAX_ENTRY_BYTES = 128 * 2**10
"""No answer of ours is a tenth of it."""
MAX_WRITES_UNDER_WAY = 128
STALE_SECONDS = 3600.0
KEY_SECONDS = 24 * 3600
_NO_KEY = -2
_CLAIM = "local first = redis.call('GET', KEYS[1]) if first then return first end redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) return ARGV[1]"

Observe = Callable[[Layer, bool], None]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    schema: str
    version: str
    as_of: datetime | None
    features: msgspec.Raw
    answer: msgspec.Raw


class _Answer(msgspec.Struct):
    prediction: float


_decode = msgspec.json.Decoder(_Entry).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode


class LayeredCache:
    def __init__(self, link: RedisLink, ttl_seconds: float, *, entries: int = L1_ENTRIES, observe: Observe | None = None) -> None:
        self._link = link
        self._ttl = ttl_seconds
        self._observe: Observe = observe or (lambda _layer, _hit: None)
        self._l1: Lru[str, tuple[float, CachedAnswer]] = Lru(entries, L1_BYTES)
        self._writes: set[asyncio.Future[list[Any]]] = set()

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
        self._keep(key, shared, shared.seconds_left)
        return shared, "l2"

    def put(self, key: str, answer: CachedAnswer) -> float:
        seconds = jittered(self._ttl)
        self._keep(key, answer, seconds)
        if len(self._writes) < MAX_WRITES_UNDER_WAY and not self._link.breaker.open:
            self._write(key, encode_entry(answer), seconds)
        return seconds

    def expired(self, key: str) -> CachedAnswer | None:
        found = self._l1.get(key)
        return None if found is None or found[0] + STALE_SECONDS <= time.monotonic() else found[1]

    async def settle(self) -> None:
        """Wait for the writes under way."""
        await asyncio.gather(*self._writes, return_exceptions=True)

    def _local(self, key: str) -> CachedAnswer | None:
        found = self._l1.get(key)
        if found is None or (left := found[0] - time.monotonic()) <= 0:
            return None
        return replace(found[1], seconds_left=left)

    def _keep(self, key: str, answer: CachedAnswer, seconds: float) -> None:
        self._l1.put(key, (time.monotonic() + seconds, answer), len(key) + len(answer.body) + len(answer.features))

    async def _shared(self, key: str, version: str) -> CachedAnswer | None:
        # A range, for whoever wrote it may have written gigabytes.
        body, milliseconds = await self._link.ask(("GETRANGE", key, 0, MAX_ENTRY_BYTES), ("PTTL", key))
        if milliseconds == _NO_KEY:
            return None
        seconds = min(milliseconds / 1000, self._ttl)
        answer = decode_entry(body, version, seconds) if isinstance(body, bytes) and len(body) <= MAX_ENTRY_BYTES else None
        if answer is None:
            await self._link.ask(("UNLINK", key))
            return None
        return None if milliseconds <= 0 else answer

    def _write(self, key: str, body: bytes, seconds: float) -> None:
        try:
            write = self._link.ask(("SET", key, body, "PX", max(int(seconds * 1000), 1)))
        except Unavailable:
            return  # the next request computes it again
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)


class RedisIdempotencyKeys:
    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def claim(self, key: str, said: str) -> str:
        first = await self._link.run_script(_CLAIM, [f"idempotency:{key}"], [said, KEY_SECONDS])
        return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def encode_entry(answer: CachedAnswer) -> bytes:
    return _encode(_Entry(SCHEMA, answer.version, answer.features_as_of, msgspec.Raw(answer.features), msgspec.Raw(answer.body)))


def decode_entry(body: bytes, version: str, seconds_left: float = 0.0) -> CachedAnswer | None:
    """None for anything this version's `encode_entry` did not write."""
    try:
        entry = _decode(body)
        _decode_answer(entry.answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    features = bytes(entry.features)  # JSON by now; of an object it is the first character that says so
    if entry.schema != SCHEMA or entry.version != version or not features.startswith(b"{"):
        return None
    if entry.as_of is not None and entry.as_of.tzinfo is None:
        return None
    return CachedAnswer(bytes(entry.answer).strip(), features, entry.version, entry.as_of, seconds_left)
