"""Profiles in a real Redis beside their rows in a real Postgres: each event counts once, what is lost is made anew, what is forgotten is gone."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest
from redis import Redis

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_profile_scripts import SHOW
from evergreen.adapters.redis_profiles import SHOWN, SHOWN_SECONDS, RedisProfiles, key
from evergreen.core.as_of import Place as KnownPlace
from evergreen.core.boosts import HIGHEST, MOST, SIMILAR_ITEMS, SIMILAR_USERS
from evergreen.core.clock import wall_now
from evergreen.core.recommending import WEIGHTS, Taste, effect_of, milliseconds
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.profiles import NewList, Place
from evergreen.services.rebuild_profiles import RebuildProfiles, whole_of
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.tiny_ranker import TinyRanker

pytestmark = pytest.mark.connected
RANKER = TinyRanker()


@cache
def now() -> datetime:
    """When the first of these tests began: in a run of them all that is an hour after they were read, and what users did lately is forgotten by then."""
    return wall_now()


class Bench:
    def __init__(self, settings: Settings) -> None:
        self.redis = Redis.from_url(settings.redis.url.get_secret_value())
        self.redis.flushdb()
        self.profiles = RedisProfiles(self.redis)
        self.store = PostgresStore(settings.postgres.dsn.get_secret_value())
        emptied(self.store)
        self.rebuild = RebuildProfiles(self.store, self.profiles)

    def record(self, rows: Sequence[InteractionRow]) -> dict[Any, Place]:
        with self.store.transaction() as tx:
            return tx.interactions.record(rows)

    def apply(self, rows: Sequence[InteractionRow]) -> None:
        for row in rows:
            missing = self.profiles.apply({row.user_id: [(row.place, effect_of(row.did))]})
            self.rebuild.users(missing)

    def taste(self, user: str) -> Taste:
        [found] = self.profiles.read([user], now())
        return found

    def stream(self, user: str) -> list[tuple[bytes, float]]:
        return self.redis.zrange(key("stream", user), 0, -1, withscores=True)  # type: ignore[return-value]


@pytest.fixture
def bench(stack_settings: Settings) -> Iterator[Bench]:
    made = Bench(stack_settings)
    yield made
    made.redis.flushdb()
    made.redis.close()
    made.store.close()


def row(number: int, user: str = "u1", kind: str = "like", item: str = "m1", **changes: Any) -> InteractionRow:
    made = InteractionRow(
        source="/test",
        id=f"e{number}",
        time=now() - timedelta(minutes=60) + timedelta(seconds=number),
        user_id=user,
        kind=kind,
        item_ids=(item,),
        rating=None,
        note=None,
        context={},
        genres={item: tuple(RANKER.genres(item))},
        place=Place("interactions", "t1", 0, number),
    )
    return replace(made, **changes)


def assert_alike(one: Taste, other: Taste) -> None:
    assert replace(one, preferences={}) == replace(other, preferences={})
    assert one.preferences == pytest.approx(dict(other.preferences), abs=1e-9)


def test_an_event_counts_once_however_often_it_is_brought(bench: Bench) -> None:
    rows = [row(number) for number in range(5)]
    bench.record(rows)
    for _ in range(3):
        bench.apply(rows)
        bench.apply(rows[2:4])
    taste = bench.taste("u1")
    assert taste.count == 5
    assert taste.preferences == pytest.approx({RANKER.genres("m1")[0]: 5 * 0.07}, rel=0.01)
    assert taste.as_of == {"interactions": KnownPlace(0, 4)}


def test_a_topic_made_anew_starts_again_and_other_streams_have_their_own_places(bench: Bench) -> None:
    rows = [row(7), row(8, place=Place("interactions", "t2", 0, 0)), row(9, kind="recommendation_click", place=Place("clicks", "c1", 0, 3))]
    bench.record(rows)
    bench.apply(rows)
    assert bench.taste("u1").count == 3
    assert bench.taste("u1").as_of == {"interactions": KnownPlace(0, 0), "clicks": KnownPlace(0, 3)}


def test_the_same_id_elsewhere_is_known(bench: Bench) -> None:
    first, again = row(1), row(1, place=Place("interactions", "t1", 0, 9), time=now())
    assert bench.record([first]) == {}
    assert bench.record([first, again]) == {first.key: first.place}
    other, twice = row(2), row(2, place=Place("interactions", "t1", 1, 4))
    assert bench.record([other, twice]) == {other.key: other.place}


def test_of_a_repeat_only_the_place_is_noted(bench: Bench) -> None:
    bench.record([row(1)])
    bench.apply([row(1)])
    before = bench.taste("u1")
    assert bench.profiles.apply({"u1": [(Place("interactions", "t1", 0, 9), None)]}) == []
    after = bench.taste("u1")
    assert (before.as_of, after.as_of) == ({"interactions": KnownPlace(0, 1)}, {"interactions": KnownPlace(0, 9)})
    assert_alike(replace(before, as_of={}, at=None), replace(after, as_of={}, at=None))


def test_two_writers_of_one_user_lose_and_double_nothing(bench: Bench) -> None:
    """Each has a stream of its own, and each brings half of its events twice."""
    streams = {name: [row(number, id=f"{name}{number}", place=Place(name, "t", 0, number)) for number in range(300)] for name in ("interactions", "clicks")}
    for rows in streams.values():
        bench.record(rows)
    bench.apply([streams["clicks"][0]])

    def write(rows: Sequence[InteractionRow]) -> None:
        chance = random.Random(rows[0].id)
        for at in range(0, len(rows), 10):
            for _ in range(1 + chance.randrange(2)):
                bench.apply(rows[at : at + 10])

    threads = [threading.Thread(target=partial(write, rows)) for rows in streams.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.taste("u1").count == 600
    live = bench.taste("u1")
    bench.redis.flushdb()
    bench.rebuild.run()
    assert_alike(live, bench.taste("u1"))


def everything(seed: int, count: int) -> list[InteractionRow]:
    chance = random.Random(seed)
    kinds = [*WEIGHTS, "low_rating", "recommendation_click", "rating", "note"]
    found = []
    for number in range(count):
        kind = chance.choice(kinds)
        rating = {"low_rating": 1.0, "rating": 3.0}.get(kind)
        at = now() - timedelta(seconds=chance.randrange(60 * 24 * 3600) if chance.random() < 0.5 else chance.randrange(3000))
        found.append(row(number, f"u{chance.randrange(20)}", kind, f"m{chance.randrange(45)}", time=at, rating=rating))
    return found


def test_redis_emptied_and_made_anew_is_the_same_to_a_billionth(bench: Bench) -> None:
    rows = everything(3, 3_000)
    bench.record(rows)
    for at in range(0, len(rows), 100):
        bench.apply(rows[at : at + 100])
    users = sorted({one.user_id for one in rows})
    live, streams = [bench.taste(user) for user in users], [bench.stream(user) for user in users]
    assert not bench.profiles.is_whole()
    bench.redis.flushdb()

    assert bench.rebuild.run() == len(users)

    assert bench.profiles.is_whole()
    for user, before, stream in zip(users, live, streams, strict=True):
        assert_alike(before, bench.taste(user))
        assert bench.stream(user) == stream
    assert sum(taste.count for taste in live) == 3_000


def test_what_comes_after_the_loss_is_added_to_what_is_made_anew(bench: Bench) -> None:
    rows = everything(4, 400)
    bench.record(rows[:200])
    bench.apply(rows[:200])
    bench.redis.flushdb()
    bench.record(rows[200:])
    bench.apply(rows[200:])
    live = {user: bench.taste(user) for user in {one.user_id for one in rows[200:]}}
    bench.redis.flushdb()
    bench.rebuild.run()
    for user, taste in live.items():
        assert_alike(taste, bench.taste(user))


def test_nothing_newer_is_replaced(bench: Bench) -> None:
    rows = [row(number) for number in range(3)]
    bench.record(rows[:2])
    bench.apply(rows[:2])
    [marks] = bench.profiles.marks(["u1"])
    bench.record(rows[2:])
    bench.apply(rows[2:])
    assert bench.profiles.replace({"u1": (marks, whole_of(rows[:2]))}) == ["u1"]
    assert bench.taste("u1").count == 3


def test_boosts_end_and_are_bounded_in_number_and_height(bench: Bench) -> None:
    bench.record([row(1)])
    bench.apply([row(1)])
    for _ in range(3):
        bench.profiles.boost([("u1", SIMILAR_USERS, "m2"), ("u1", SIMILAR_ITEMS, "m2"), ("nobody", SIMILAR_USERS, "m2")])
    assert bench.taste("u1").boosts == {"m2": pytest.approx(HIGHEST)}
    assert not bench.redis.exists(key("boost", "nobody"))
    bench.profiles.boost([("u1", SIMILAR_USERS, f"x{number}") for number in range(MOST + 50)])
    assert bench.redis.zcard(key("boost", "u1")) == MOST
    assert 0 < bench.redis.ttl(key("boost", "u1")) <= 24 * 3600
    bench.redis.zadd(key("boost", "u1"), {"items:m9": 1_000})
    assert "m9" not in bench.taste("u1").boosts


def test_what_is_shown_and_left_alone_is_counted_until_it_is_touched(bench: Bench) -> None:
    rows = [row(1), row(2, item="m7")]
    bench.record(rows[:1])
    bench.apply(rows[:1])
    for items in (["m7", "m8"], ["m7", "m8"], ["m8"]):
        now = milliseconds(wall_now())
        bench.redis.eval(SHOW, 1, key("shown", "u1"), now, now - SHOWN_SECONDS * 1000, SHOWN, SHOWN_SECONDS, *items)
    assert bench.taste("u1").shown == {"m7": 2, "m8": 3}
    bench.record(rows[1:])
    bench.apply(rows[1:])
    assert bench.taste("u1").shown == {"m8": 3}


def test_a_list_that_reflects_less_never_replaces_one_that_reflects_more(bench: Bench) -> None:
    bench.record([row(1)])
    bench.apply([row(1)])
    heard = bench.redis.pubsub(ignore_subscribe_messages=True)
    heard.subscribe("rec:pushed")

    def put(count: int) -> None:
        bench.profiles.put_lists([NewList("u1", count, {"items": [count]}, {"items": [count], "push": True})])

    for count in (5, 5, 4, 6):
        put(count)
    assert json.loads(bench.redis.hget(key("list", "u1"), "body") or b"") == {"items": [6]}
    assert 0 < bench.redis.ttl(key("list", "u1")) <= 1800
    pushed: Any = bench.redis.xrange(key("push", "u1"))
    assert [json.loads(entry[b"body"])["items"] for _, entry in pushed] == [[5], [6]]
    messages = [message for _ in range(10) if (message := heard.get_message(timeout=0.1)) is not None]
    assert [message["data"] for message in messages] == [b"u1", b"u1"]
    heard.close()
    bench.profiles.put_lists([NewList("nobody", 1, {}, {})])
    assert not bench.redis.exists(key("list", "nobody"))
