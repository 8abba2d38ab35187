"""The seen index in a real Redis: members, errors, growth, writers at once, lost bitmaps, filters built offline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from evergreen.adapters.bloom_builder import build_layers
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.adapters.redis_bloom_question import AsyncRedisSeenIndex
from evergreen.core import seen_window
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.seen_window import KEPT_DAYS, layer
from evergreen.ports.seen_index import Seen
from evergreen.settings import Settings

pytestmark = pytest.mark.connected
TODAY = date(2025, 7, 24)
PREFIX = "{bloom:test}"


def ids(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def test_what_was_added_is_maybe_and_what_was_not_is_no(index: RedisSeenIndex):
    members = {TODAY - timedelta(days=back): ids(f"day{back}", 400) for back in range(7)}
    assert index.add_many(members) == 2800
    for items in members.values():
        assert set(index.maybe_seen(items, TODAY)) == {Seen.MAYBE}
    strangers = index.maybe_seen(ids("stranger", 3000), TODAY)
    assert strangers.count(Seen.MAYBE) <= 5


def test_adding_again_adds_nothing(index: RedisSeenIndex, client: redis.Redis):
    index.add_many({TODAY: ids("a", 300)})
    before = client.get(f"{PREFIX}:{TODAY}:0")
    assert index.add_many({TODAY: ids("a", 300)}) == 0
    assert client.get(f"{PREFIX}:{TODAY}:0") == before


def test_only_the_days_asked_for_are_looked_at(index: RedisSeenIndex):
    index.add_many({TODAY - timedelta(days=3): ["early"], TODAY: ["late"]})
    assert index.maybe_seen(["early", "late"], TODAY, days=3) == [Seen.NO, Seen.MAYBE]
    assert index.maybe_seen(["early", "late"], TODAY, days=4) == [Seen.MAYBE, Seen.MAYBE]
    assert index.maybe_seen(["early", "late"], TODAY + timedelta(days=6)) == [Seen.NO, Seen.MAYBE]
    assert index.maybe_seen([], TODAY) == []


def test_days_that_are_no_longer_kept_go_and_are_never_answered_with_no(index: RedisSeenIndex, client: redis.Redis):
    index.add_many({TODAY - timedelta(days=KEPT_DAYS - 1): ["kept"], TODAY - timedelta(days=KEPT_DAYS): ["too old"]})
    index.add_many({TODAY: ["new"]})
    assert not client.exists(f"{PREFIX}:{TODAY - timedelta(days=KEPT_DAYS)}:0")
    assert client.exists(f"{PREFIX}:{TODAY - timedelta(days=KEPT_DAYS - 1)}:0")
    assert index.maybe_seen(["never seen"], TODAY - timedelta(days=2)) == [Seen.MAYBE]
    assert index.maybe_seen(["never seen"], TODAY - timedelta(days=1)) == [Seen.NO]
    assert index.add_many({TODAY - timedelta(days=30): ["a late row of long ago"]}) == 0


def test_a_late_row_goes_to_its_own_day(index: RedisSeenIndex):
    index.add_many({TODAY: ["new"]})
    index.add_many({TODAY - timedelta(days=2): ["late"]})
    assert index.maybe_seen(["late"], TODAY, days=2) == [Seen.NO]
    assert index.maybe_seen(["late"], TODAY, days=3) == [Seen.MAYBE]
    assert index.newest() == TODAY


def test_a_full_layer_is_followed_by_the_next_and_nothing_is_lost(index: RedisSeenIndex, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seen_window, "FIRST_CAPACITY", 100)
    layer.cache_clear()
    seen_window.salts.cache_clear()
    assert index.add_many({TODAY: ids("a", 1000)}) >= 990  # a false positive inside the day is not added twice
    stats = index.stats(TODAY)
    assert stats.filters[0].layers == 4  # 100 + 200 + 400 + 800
    assert set(index.maybe_seen(ids("a", 1000), TODAY)) == {Seen.MAYBE}
    assert stats.false_positive_rate <= 0.01
    layer.cache_clear()


def test_writers_at_once_lose_nothing(index: RedisSeenIndex, client: redis.Redis):
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda part: RedisSeenIndex(client, "test").add_many({TODAY: ids("shared", 600) + ids(f"own{part}", 300)}), range(4)))
    assert sum(added) == pytest.approx(600 + 4 * 300, abs=3)
    for name, count in [("shared", 600), *((f"own{part}", 300) for part in range(4))]:
        assert set(index.maybe_seen(ids(name, count), TODAY)) == {Seen.MAYBE}


def test_stats_speak_of_the_union(index: RedisSeenIndex):
    index.add_many({TODAY - timedelta(days=back): ids(f"d{back}", 2000) for back in range(3)})
    stats = index.stats(TODAY)
    assert stats.ready
    assert len(stats.filters) == 3
    assert stats.total_capacity == 300_000
    assert stats.estimated_items == pytest.approx(6000, rel=0.01)
    assert stats.bits == 3 * layer(0).bits
    assert 0 <= stats.false_positive_rate < 1e-10
    assert index.stats(TODAY, days=1).total_capacity == 100_000


def test_a_filter_built_offline_is_the_online_one_byte_for_byte(index: RedisSeenIndex, client: redis.Redis):
    members = ids("한국-video", 3000)
    index.add_many({TODAY: members})
    online = client.get(f"{PREFIX}:{TODAY}:0")
    [(offline, count)] = build_layers(members)
    assert isinstance(online, bytes)
    assert offline.startswith(online)  # Redis' string ends at its last set byte
    assert not any(offline[len(online) :])
    assert client.hget(f"{PREFIX}:items", f"{TODAY}:0") == str(count).encode()


def test_a_day_rebuilt_offline_is_swapped_in(index: RedisSeenIndex):
    index.add_many({TODAY: ids("wrong", 500)})
    members = ids("right", 5000)
    index.begin_rebuild()
    assert index.maybe_seen(["anything"], TODAY) == [Seen.MAYBE]
    index.replace_day(TODAY, members)
    index.end_rebuild(TODAY)
    assert set(index.maybe_seen(members, TODAY)) == {Seen.MAYBE}
    assert index.maybe_seen(ids("wrong", 500), TODAY).count(Seen.MAYBE) == 0
    assert index.add_many({TODAY: ["one more"]}) == 1
    assert index.maybe_seen(["one more"], TODAY) == [Seen.MAYBE]


@pytest.mark.slow
def test_a_full_week_errs_within_one_percent_and_stats_say_so(index: RedisSeenIndex):
    """100,000 items on each of the seven days, built offline: measured with 20,000 strangers."""
    index.begin_rebuild()
    for back in range(7):
        index.replace_day(TODAY - timedelta(days=back), ids(f"day{back}", 100_000))
    index.end_rebuild(TODAY)
    promised = index.stats(TODAY).false_positive_rate
    strangers = index.maybe_seen(ids("stranger", 20_000), TODAY)
    measured = strangers.count(Seen.MAYBE) / 20_000
    assert promised <= 0.01
    assert measured == pytest.approx(promised, abs=0.003)


def test_an_empty_redis_never_says_no_and_takes_nothing_in(client: redis.Redis):
    lost = RedisSeenIndex(client, "test")
    assert lost.maybe_seen(["x"], TODAY) == [Seen.MAYBE]
    assert not lost.is_ready()
    with pytest.raises(NotFound, match="rebuilt"):
        lost.add_many({TODAY: ["x"]})


def test_a_lost_bitmap_never_says_no_and_is_noticed_by_the_next_add(index: RedisSeenIndex, client: redis.Redis):
    index.add_many({TODAY: ids("a", 100), TODAY - timedelta(days=1): ids("b", 100)})
    client.delete(f"{PREFIX}:{TODAY - timedelta(days=1)}:0")
    assert index.maybe_seen(["stranger"], TODAY) == [Seen.MAYBE]
    assert index.maybe_seen(["stranger"], TODAY, days=1) == [Seen.NO]
    with pytest.raises(NotFound):
        index.add_many({TODAY - timedelta(days=1): ["c"]})
    assert not index.is_ready()


def test_redis_away_is_unavailable():
    away = RedisSeenIndex(redis.Redis(port=1, socket_connect_timeout=0.2), "test")
    with pytest.raises(Unavailable):
        away.maybe_seen(["x"], TODAY)
    with pytest.raises(Unavailable):
        away.add_many({TODAY: ["x"]})


def test_serving_asks_the_same_question_without_blocking(index: RedisSeenIndex, stack_settings: Settings):
    index.add_many({TODAY: ["known"]})

    async def ask() -> tuple[list[Seen], str, str]:
        client = AsyncRedis.from_url(stack_settings.redis.url.get_secret_value())

        async def run_script(script: str, keys: list[str], arguments: list[Any]) -> Any:
            return await client.eval(script, len(keys), *keys, *arguments)

        seen = AsyncRedisSeenIndex(run_script, "test")
        noon = datetime(2025, 7, 24, 12, tzinfo=UTC)
        found = (await seen.maybe_seen(["known", "stranger"], TODAY), await seen.seen("known", noon), await seen.seen("stranger", noon))
        await client.aclose()
        return found

    assert asyncio.run(ask()) == ([Seen.MAYBE, Seen.NO], "MAYBE", "NO")


@pytest.fixture
def client(stack_settings: Settings) -> Iterator[redis.Redis]:
    connection = redis.Redis.from_url(stack_settings.redis.url.get_secret_value())
    _wipe(connection)
    yield connection
    _wipe(connection)
    connection.close()


def _wipe(connection: redis.Redis) -> None:
    for key in connection.scan_iter(f"{PREFIX}:*"):
        connection.delete(key)


@pytest.fixture
def index(client: redis.Redis) -> RedisSeenIndex:
    made = RedisSeenIndex(client, "test")
    made.end_rebuild(None)
    return made
