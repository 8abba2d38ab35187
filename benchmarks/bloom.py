"""The seen index asked "in the last 7 days?", 100,000 items a day: `python benchmarks/bloom.py [--json]`.

Keys a second, hashing included: out of the worker's own copy (single and in batches), out of Redis (single, by one and by sixteen requests of
a worker, and by a writer's client; in batches); and how often a
stranger is taken for a member, measured over the union. Four writers fill a further day at once: none of what they added may be missed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis
import uvloop

from evergreen.adapters.local_bloom import LocalSeenIndex
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.seen_window import WINDOW_DAYS
from evergreen.local_stack.testing import stack
from evergreen.ports.seen_index import Seen

NOW = datetime(2025, 7, 25, 12, tzinfo=UTC)
TODAY = NOW.date()
WRITERS = 4


def ids(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def filled(url: str, a_day: int) -> RedisSeenIndex:
    """Six days built offline; today by four writers at once."""
    index = RedisSeenIndex(redis.Redis.from_url(url))
    index.begin_rebuild()
    for back in range(1, WINDOW_DAYS):
        index.replace_day(TODAY - timedelta(days=back), ids(f"day{back}", a_day))
    index.end_rebuild(TODAY)
    with ThreadPoolExecutor(WRITERS) as pool:
        share = a_day // WRITERS
        list(pool.map(lambda number: RedisSeenIndex(redis.Redis.from_url(url)).add_many({TODAY: ids(f"writer{number}", share)}), range(WRITERS)))
    return index


def members(a_day: int) -> dict[date, list[str]]:
    today = [item for number in range(WRITERS) for item in ids(f"writer{number}", a_day // WRITERS)]
    return {TODAY: today} | {TODAY - timedelta(days=back): ids(f"day{back}", a_day) for back in range(1, WINDOW_DAYS)}


def per_second(work: Callable[[], Any], count: int, repeats: int = 3) -> float:
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return count / best


async def as_workers_ask(local: LocalSeenIndex, items: list[str], at_once: int) -> float:
    """Keys a second out of Redis by so many requests that have one key each."""
    left = iter(items)

    async def request() -> None:
        for item in left:
            await local.shared.seen(item, NOW)

    begun = time.perf_counter()
    await asyncio.gather(*(request() for _ in range(at_once)))
    return len(items) / (time.perf_counter() - begun)


async def measured(url: str, index: RedisSeenIndex, a_day: int, strangers: int) -> list[dict[str, Any]]:
    local = LocalSeenIndex(RedisLink(url, 2.0))
    await local.settle()
    copy, mask = local.copy, local.copy.mask(TODAY, WINDOW_DAYS)
    assert mask is not None  # noqa: S101 - a benchmark without a copy measures nothing
    asked = ids("stranger", strangers)
    one_by_one = asked[:20_000]
    wrong = sum(copy.maybe_many(asked, mask)) / strangers
    missed = sum(not found for items in members(a_day).values() for found in copy.maybe_many(items, mask))
    shared = index.maybe_seen(asked[:20_000], TODAY)
    single, pipelined = [max([await as_workers_ask(local, one_by_one[:4_000], at_once) for _ in range(3)]) for at_once in (1, 16)]
    found = [
        ("local single", per_second(lambda: [copy.maybe(item, mask) for item in one_by_one], len(one_by_one)), "keys/s"),
        ("local single, members", per_second(lambda: [copy.maybe(f"day1-{number}", mask) for number in range(20_000)], 20_000), "keys/s"),
        ("local batched", per_second(lambda: copy.maybe_many(asked, mask), strangers), "keys/s"),
        ("shared single", single, "keys/s"),
        ("shared single, 16 at once", pipelined, "keys/s"),
        ("shared single, a writer", per_second(lambda: [index.maybe_seen([item], TODAY) for item in one_by_one[:2_000]], 2_000), "keys/s"),
        ("shared batched", per_second(lambda: index.maybe_seen(one_by_one, TODAY), len(one_by_one)), "keys/s"),
        ("union error", wrong, "share"),
        ("union error in Redis", shared.count(Seen.MAYBE) / len(shared), "share"),
        ("union error promised", index.stats(TODAY).false_positive_rate, "share"),
        ("false negatives", float(missed), "items"),
    ]
    return [{"what": "bloom", "system": name, "clients": 1, "workers": 1, "value": value, "unit": unit} for name, value, unit in found]


def rows(a_day: int = 100_000, strangers: int = 200_000) -> list[dict[str, Any]]:
    with stack({"redis"}) as settings:
        url = settings.redis.url.get_secret_value()
        return uvloop.run(measured(url, filled(url, a_day), a_day, strangers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for row in rows():
        sys.stdout.write(json.dumps(row) + "\n" if asked.json else f"{row['system']:<24} {row['value']:>14,.6g} {row['unit']}\n")


if __name__ == "__main__":
    main()
