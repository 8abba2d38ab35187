"""The seen index filled from silver, and `evergreen bloom` on a home of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import redis
from typer.testing import CliRunner

from evergreen.adapters.memory.lake import MemoryLake
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.cli import bloom
from evergreen.core.clock import FixedClock
from evergreen.core.release import released_at
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate
from evergreen.ports.seen_index import Seen
from evergreen.services.seen_index import fill_seen_index, items_by_day, refresh_seen_index
from evergreen.settings import Settings

pytestmark = pytest.mark.connected
DATASET = video_dataset("KR")
FIRST, LAST = date(2025, 7, 10), date(2025, 7, 23)
ROWS = simulate(FIRST, LAST, seed=2).drop(columns="load_error")


def listed(days: int) -> list[str]:
    return sorted(set(ROWS.loc[ROWS["list_date"] > pd.Timestamp(LAST - timedelta(days=days)), "video_id"]))


def test_an_index_filled_offline_is_the_one_filled_online(seen: RedisSeenIndex, lake: MemoryLake, client: redis.Redis):
    seen.end_rebuild(None)
    seen.add_many(items_by_day(DATASET, lake.silver("videos.KR")))
    keys = sorted(key for key in client.scan_iter("{bloom:test}:2025*"))
    online = {key: client.get(key) for key in keys}
    assert len(keys) == 8
    fill_seen_index(seen, lake, [DATASET])
    for key in keys:
        offline, before = client.get(key), online[key]
        assert isinstance(offline, bytes)
        assert isinstance(before, bytes)
        assert offline.rstrip(b"\0") == before.rstrip(b"\0")


def test_after_filling_every_listed_video_is_maybe_and_strangers_are_no(seen: RedisSeenIndex, lake: MemoryLake):
    filled = fill_seen_index(seen, lake, [DATASET])
    assert sorted(filled) == [LAST - timedelta(days=back) for back in range(7, -1, -1)]
    assert set(seen.maybe_seen(listed(7), LAST)) == {Seen.MAYBE}
    assert set(seen.maybe_seen([f"stranger{number}" for number in range(200)], LAST)) == {Seen.NO}


def test_a_filling_that_died_never_answers_no_and_is_done_again(seen: RedisSeenIndex, lake: MemoryLake):
    fill_seen_index(seen, lake, [DATASET])
    seen.begin_rebuild()
    seen.replace_day(LAST, [])
    assert set(seen.maybe_seen(["stranger"], LAST)) == {Seen.MAYBE}
    refresh_seen_index(seen, lake, [DATASET])
    assert set(seen.maybe_seen(listed(7), LAST)) == {Seen.MAYBE}
    assert seen.maybe_seen(["stranger"], LAST) == [Seen.NO]


def test_a_batch_indexed_while_the_days_are_swapped_is_not_lost(seen: RedisSeenIndex, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch):
    """The indexer adds a late row between the reading of silver and the swap of its day."""
    late = ROWS.head(1).assign(video_id="arrived-late", list_date=pd.Timestamp(LAST).as_unit("us"))
    swap = seen.replace_day

    def meanwhile(day: date, items: Any) -> None:
        if day == LAST:
            lake.merge_silver("videos.KR", late)
            seen.add_many({LAST: ["arrived-late"]})
        swap(day, items)

    seen.end_rebuild(None)
    monkeypatch.setattr(seen, "replace_day", meanwhile)
    fill_seen_index(seen, lake, [DATASET])
    assert seen.maybe_seen(["arrived-late"], LAST) == [Seen.MAYBE]


def test_an_empty_lake_makes_an_index_that_answers_no(seen: RedisSeenIndex):
    empty = MemoryLake({"videos.KR": DATASET})
    refresh_seen_index(seen, empty, [DATASET])
    assert seen.maybe_seen(["anything"], LAST) == [Seen.NO]


def test_the_commands(seen: RedisSeenIndex, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch):
    joined = SimpleNamespace(seen_index=seen, lake=lake, datasets={"videos.KR": DATASET}, clock=FixedClock(released_at(LAST)))
    monkeypatch.setattr("evergreen.cli.context.parts", lambda: joined)
    run = CliRunner()
    rebuilt = run.invoke(bloom.app, ["rebuild", "--json"])
    assert json.loads(rebuilt.stdout.splitlines()[-1])["2025-07-23"] == len(listed(1))
    shown = json.loads(run.invoke(bloom.app, ["stats", "--json"]).stdout)
    assert shown["total_filters"] == 6  # the platform's day is the 24th: its own filter is not there yet
    assert shown["total_capacity"] == 600_000
    assert shown["ready"]
    assert 0 <= shown["false_positive_rate"] < 0.01
    assert "ready" in run.invoke(bloom.app, ["stats"]).stdout


@pytest.fixture
def lake() -> MemoryLake:
    made = MemoryLake({"videos.KR": DATASET})
    made.merge_silver("videos.KR", ROWS)
    return made


@pytest.fixture
def client(stack_settings: Settings) -> Iterator[redis.Redis]:
    connection = redis.Redis.from_url(stack_settings.redis.url.get_secret_value())
    connection.flushall()
    yield connection
    connection.flushall()
    connection.close()


@pytest.fixture
def seen(client: redis.Redis) -> RedisSeenIndex:
    return RedisSeenIndex(client, "test")
