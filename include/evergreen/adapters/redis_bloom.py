"""The seen index in Redis: a bitmap per UTC day and layer, in the byte layout of pybloom-live (core/seen_window.py).

Keys, all in one hash slot:
  {bloom:videos}:state          hash  status (ready | rebuilding), newest (day added to), floor (oldest day kept), version (a new word with
                                      every change of anything here) and version:2025-07-24 (the same of that day)
  {bloom:videos}:days           hash  2025-07-24 -> number of layers; a day that is not in it has no rows
  {bloom:videos}:items          hash  2025-07-24:0 -> items added to that layer
  {bloom:videos}:2025-07-24:0   bitmap of layer 0

Guarantee: no false NO, whatever Redis loses. Failure: Redis comes back empty, evicts a bitmap, or a rebuild dies half way. Remedy: an
answer is NO only while `state` says ready and every bitmap that `days` names is there; else it is MAYBE and the indexer rebuilds.
Readers with a copy of their own (`local_bloom`) believe it for LEASE_SECONDS after they saw the version: a writer waits as long before it
says that something was added.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import redis

from evergreen.adapters import redis_bloom_scripts as scripts
from evergreen.adapters.redis_bloom_question import DEFAULT_NAMESPACE, FIRST_LAYERS, Layout, answers_of
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.seen_window import LEASE_SECONDS, WINDOW_DAYS, estimated_items, layer, layer_error, oldest_kept, positions, union_error, window_of
from evergreen.ports.seen_index import DayFilter, Seen, SeenStats

_CHUNK = 250
"""Items per script call: a few milliseconds in which Redis serves nobody else."""
_MARGIN = 1.2
"""Clocks of two machines do not run equally fast."""


def _version() -> str:
    """Never the same again, also when Redis comes back with a state of before."""
    return secrets.token_hex(8)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}") from error


class RedisSeenIndex:
    def __init__(self, client: redis.Redis, namespace: str = DEFAULT_NAMESPACE, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._redis: Any = client
        self._lease = lease_seconds
        self._layout = Layout(namespace)
        self._lookup: Any = client.register_script(scripts.LOOKUP)
        self._add: Any = client.register_script(scripts.ADD)
        self._layers = FIRST_LAYERS

    def maybe_seen(self, items: Sequence[str], today: date, days: int = WINDOW_DAYS) -> list[Seen]:
        with _translated():
            while items:
                keys, arguments = self._layout.question(items, today, days, self._layers)
                answers = answers_of(self._lookup(keys=keys, args=arguments), len(items))
                if not isinstance(answers, int):
                    return answers
                self._layers = answers
        return []

    def stats(self, today: date, days: int = WINDOW_DAYS) -> SeenStats:
        with _translated():
            layers = self._days()
            filters = tuple(self._day(day, layers[day]) for day in window_of(today, days) if day in layers)
            return SeenStats(filters, union_error(found.error for found in filters), self.is_ready())

    def _day(self, day: date, layers: int) -> DayFilter:
        used = [layer(index) for index in range(layers)]
        bits_set = [int(self._redis.bitcount(self._layout.bitmap(day, of.index))) for of in used]
        return DayFilter(
            day=day,
            layers=layers,
            capacity=sum(of.capacity for of in used),
            estimated_items=sum(estimated_items(count, of) for count, of in zip(bits_set, used, strict=True)),
            bits=sum(of.bits for of in used),
            error=union_error(layer_error(count, of) for count, of in zip(bits_set, used, strict=True)),
        )

    def is_ready(self) -> bool:
        with _translated():
            return bool(self._redis.hget(self._layout.state, "status") == b"ready")

    def newest(self) -> date | None:
        with _translated():
            text = self._redis.hget(self._layout.state, "newest")
        return date.fromisoformat(text.decode()) if text else None

    def add_many(self, items: Mapping[date, Sequence[str]]) -> int:
        if not items:
            return 0
        newest = max(max(items), self.newest() or max(items))
        added = 0
        with _translated():
            kept = sorted(day for day in items if day >= oldest_kept(newest))
            for day in kept:
                unique = list(dict.fromkeys(items[day]))
                for at in range(0, len(unique), _CHUNK):
                    added += self._add_chunk(day, unique[at : at + _CHUNK])
            if kept:
                self._forget_before(oldest_kept(newest))
        if added:
            self._outwait()
        return added

    def _outwait(self) -> None:
        """Until no reader believes a copy from before."""
        time.sleep(self._lease * _MARGIN)

    def _add_chunk(self, day: date, items: Sequence[str]) -> int:
        added, layers = 0, self._days().get(day, 1)
        while items:
            used = [layer(index) for index in range(layers)]
            keys = [self._layout.state, self._layout.days, self._layout.items, *(self._layout.bitmap(day, of.index) for of in used)]
            arguments: list[str | int] = [day.isoformat(), layers, *(of.capacity for of in used), *(of.slices for of in used), len(items)]
            arguments += [bit for item in items for of in used for bit in positions(item, of)]
            arguments.append(_version())
            done, new, layers = self._add(keys=keys, args=arguments)
            if done < 0:
                raise NotFound("there is no seen index to add to: it was lost and has to be rebuilt")
            added += new
            items = items[done:]
        return added

    def _forget_before(self, day: date) -> None:
        old = {found: layers for found, layers in self._days().items() if found < day}
        self._redis.hset(self._layout.state, mapping={"floor": day.isoformat()} | ({"version": _version()} if old else {}))
        for found, layers in old.items():
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(self._layout.state, f"version:{found.isoformat()}")
                pipe.hdel(self._layout.days, found.isoformat())
                pipe.hdel(self._layout.items, *(f"{found.isoformat()}:{index}" for index in range(layers)))
                pipe.unlink(*(self._layout.bitmap(found, index) for index in range(layers)))
                pipe.execute()

    def begin_rebuild(self) -> None:
        with _translated():
            self._redis.hset(self._layout.state, mapping={"status": "rebuilding", "version": _version()})
        self._outwait()

    def replace_day(self, day: date, items: Sequence[str]) -> None:
        from evergreen.adapters.bloom_builder import build_layers  # serving never builds

        built = build_layers(items)
        text = day.isoformat()
        with _translated(), self._redis.pipeline(transaction=True) as pipe:
            for index in range(self._days().get(day, 0)):
                pipe.unlink(self._layout.bitmap(day, index))
                pipe.hdel(self._layout.items, f"{text}:{index}")
            for index, (body, count) in enumerate(built):
                pipe.set(self._layout.bitmap(day, index), body)
                pipe.hset(self._layout.items, f"{text}:{index}", count)
            pipe.hset(self._layout.days, text, len(built))
            version = _version()
            pipe.hset(self._layout.state, mapping={"version": version, f"version:{text}": version})
            pipe.execute()
        self._outwait()

    def end_rebuild(self, newest: date | None) -> None:
        with _translated():
            if newest is not None:
                self._forget_before(oldest_kept(newest))
                self._redis.hset(self._layout.state, "newest", newest.isoformat())
            self._redis.hset(self._layout.state, mapping={"status": "ready", "version": _version()})

    def _days(self) -> dict[date, int]:
        return {date.fromisoformat(day.decode()): int(layers) for day, layers in self._redis.hgetall(self._layout.days).items()}
