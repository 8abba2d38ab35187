"""The prediction cache in two layers, and the keys that make repeated posts one.

L1: bounded, least recently used out first, in this process. L2: Redis, shared by all workers. Both forget after the same time, on wall time:
a replayed clock neither ages nor renews an entry. Values are msgpack with a schema tag and a checksum, never pickle; anything else, also what is too large,
is a miss and is deleted. L1 keeps an entry for a while after its time: it may answer when nothing better can be had."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from zlib import crc32

import msgspec

from evergreen.adapters.jitter import jittered
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_wire import Command
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.lru import Lru
from evergreen.ports.cache import Asked, CachedAnswer, Layer, Nothing

SCHEMA = "evergreen.prediction/2"
L1_ENTRIES = 4096
L1_BYTES = 16 * 2**20
MAX_ENTRY_BYTES = 128 * 2**10
"""No answer of ours is a tenth of it."""
MAX_WRITES_UNDER_WAY = 128
STALE_SECONDS = 3600.0
KEY_SECONDS = 24 * 3600
_STARTS_WITH_NUMBER = re.compile(rb'\{"prediction":-?[0-9]').match
"""As answers of ours begin: one that does, and is whole, has what it must have."""
_CLAIM = "local first = redis.call('GET', KEYS[1]) if first then return first end redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) return ARGV[1]"

Observe = Callable[[Layer, bool], None]


class _Entry(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    schema: str
    version: str
    until: float
    """Wall seconds: told, so that nobody has to ask Redis for it with every answer."""
    as_of: datetime | None
    checksum: int
    features: bytes
    answer: bytes


class _Answer(msgspec.Struct):
    prediction: float


_decode = msgspec.msgpack.Decoder(_Entry).decode
_encode = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.json.Decoder(_Answer).decode


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

    def ask(self, key: str, version: str) -> Asked | None:
        if self._local(key) is not None:
            return None
        try:
            asked = self._link.ask(_entry(key))
        except Unavailable:
            return None
        self._observe("l1", False)
        return Asked(asked, partial(self._heard, key, version, asked))

    def put(self, key: str, answer: CachedAnswer) -> float:
        seconds = jittered(self._ttl)
        self._keep(key, answer, seconds)
        if len(self._writes) < MAX_WRITES_UNDER_WAY and not self._link.breaker.open:
            self._change("SET", key, encode_entry(answer, wall_now().timestamp() + seconds), "PX", max(int(seconds * 1000), 1))
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
        return self._read(key, version, *await self._link.ask(_entry(key)))

    def _heard(self, key: str, version: str, asked: asyncio.Future[list[Any]]) -> CachedAnswer | Nothing:
        if asked.cancelled() or asked.exception() is not None:
            self._observe("l2", False)
            return "away"
        answer = self._read(key, version, *asked.result())
        self._observe("l2", answer is not None)
        if answer is None:
            return "absent"
        self._keep(key, answer, answer.seconds_left)
        return answer

    def _read(self, key: str, version: str, body: Any) -> CachedAnswer | None:
        if body == b"":
            return None
        answer = decode_entry(body, version) if isinstance(body, bytes) and len(body) <= MAX_ENTRY_BYTES else None
        if answer is None:
            self._change("UNLINK", key)
            return None
        answer.seconds_left = min(answer.seconds_left, self._ttl)
        return answer

    def _change(self, *command: str | bytes | int) -> None:
        if (change := self._link.tell(*command)) is not None:
            self._writes.add(change)
            change.add_done_callback(self._writes.discard)


def _entry(key: str) -> Command:
    """A range, for whoever wrote it may have written gigabytes. Empty: there is none."""
    return ("GETRANGE", key, 0, MAX_ENTRY_BYTES)


class RedisIdempotencyKeys:
    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def claim(self, key: str, said: str) -> str:
        first = await self._link.run_script(_CLAIM, [f"idempotency:{key}"], [said, KEY_SECONDS])
        return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def encode_entry(answer: CachedAnswer, until: float) -> bytes:
    """`until`: wall seconds, when its time is over."""
    checksum = crc32(answer.body, crc32(answer.features))
    return _encode(_Entry(SCHEMA, answer.version, until, answer.features_as_of, checksum, answer.features, answer.body))


def decode_entry(body: bytes, version: str) -> CachedAnswer | None:
    """None for anything this version's `encode_entry` did not write. That its time is over says Redis: clocks differ from host to host."""
    try:
        entry = _decode(body)
        answer, features = entry.answer, entry.features
        if _STARTS_WITH_NUMBER(answer) is None:
            _decode_answer(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if entry.schema != SCHEMA or entry.version != version or crc32(answer, crc32(features)) != entry.checksum:
        return None
    if not features.startswith(b"{") or (entry.as_of is not None and entry.as_of.tzinfo is None):
        return None
    return CachedAnswer(answer, features, version, entry.as_of, max(0.0, entry.until - wall_now().timestamp()))
