"""Two recommender workers and one busy user, while one of them is killed and everything is delivered again: each event counts once."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from evergreen.adapters.redis_profiles import key
from evergreen.contracts.envelope import Event
from evergreen.core.clock import wall_now
from evergreen.core.recommending import WEIGHTS, Did, Taste, effect_of, kind_of_rating, preference, together
from evergreen.settings import Settings
from tests.support.intake_stack import until
from tests.support.recommender_bench import RecommenderBench, forget_places, published, recommender_bench, said
from tests.support.tiny_ranker import TinyRanker

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(900)]
RANKER = TinyRanker(prefix="")


@pytest.fixture
def bench(stack_settings: Settings) -> Iterator[RecommenderBench]:
    with recommender_bench(stack_settings) as made:
        yield made


def many(user: str, count: int, seed: int = 7) -> list[Event]:
    """Of one user, over all three topics: so two workers write the same profile at once."""
    chance, now = random.Random(seed), wall_now()
    events = []
    for _ in range(count):
        kind = chance.choice([*WEIGHTS, "recommendation_clicked", "recommendation_clicked", "rated", "rated"])
        at = now - timedelta(seconds=chance.randrange(20 * 24 * 3600))
        changes: dict[str, Any] = {"rating": chance.choice([1.0, 3.0, 5.0])} if kind == "rated" else {}
        events.append(said(kind, user, str(chance.randrange(40)), time=at, **changes))
    return events


def expected(events: list[Event]) -> dict[str, float]:
    """A genre's preference, summed up here."""
    effects = []
    for event in events:
        data = event.data
        kind = data.get("interaction_type") or ("recommendation_click" if event.type == "recommendation_clicked" else kind_of_rating(data["rating"]))
        items = data.get("item_ids") or [data["item_id"]]
        effects.append(effect_of(Did(event.id, event.time, kind, items, data.get("rating"), {item: RANKER.genres(item) for item in items})))
    return dict(together(effects).genres)


def assert_alike(one: Taste, other: Taste) -> None:
    """Boosts are no part of a profile, they end by themselves; nor are the places of repeats, which no row holds."""
    assert replace(one, preferences={}, boosts={}, as_of={}, at=None) == replace(other, preferences={}, boosts={}, as_of={}, at=None)
    assert {stream: place.partition for stream, place in one.as_of.items()} == {stream: place.partition for stream, place in other.as_of.items()}
    assert all(place.offset <= one.as_of[stream].offset for stream, place in other.as_of.items())
    assert one.preferences == pytest.approx(dict(other.preferences), abs=1e-6)


def test_ten_thousand_events_of_one_user_two_workers_and_a_kill_count_once_each(bench: RecommenderBench) -> None:
    first, second = bench.start(), bench.start()
    events = many("ann", 10_000)
    again = random.Random(1).sample(events, 500)
    published(bench, events[:5_000])
    until(lambda: bench.recorded() > 500, 60, bench.recorded)
    first.send_signal(signal.SIGKILL)
    published(bench, [*events[5_000:], *again])
    bench.start()
    until(lambda: bench.recorded() >= 10_000 and bench.taste("ann").count >= 10_000, 120, lambda: (bench.recorded(), bench.taste("ann").count))
    assert second.poll() is None
    until(lambda: bench.behind() == 0, 180, lambda: bench.behind())

    assert (bench.recorded(), bench.taste("ann").count) == (10_000, 10_000)
    kept = {name[2:].decode(): float(value) for name, value in hash_of(bench, "ann").items() if name.startswith(b"g:")}
    sums, now = expected(events), wall_now()
    for genre, amount in sums.items():
        assert kept[genre] == pytest.approx(amount, rel=1e-9)
        assert -1 <= preference(kept[genre], now) <= 1

    live = hash_of(bench, "ann")
    bench.end()
    forget_places(bench.parts.settings)
    bench.start()
    until(lambda: bench.behind() == 0, 180, lambda: bench.behind())
    assert hash_of(bench, "ann") == live

    before = bench.taste("ann")
    bench.redis.flushdb()
    assert bench.parts.recommender.rebuild.run() == 1
    assert_alike(before, bench.taste("ann"))


def hash_of(bench: RecommenderBench, user: str) -> dict[bytes, bytes]:
    found: Any = bench.redis.hgetall(key("profile", user))
    return dict(found)
