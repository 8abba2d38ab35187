"""Absence is an event: said once per missing day, and ended when the day comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest

from evergreen.core.clock import ClockReading, wall_now
from evergreen.core.release import last_released_day
from evergreen.ports.monitoring import Feed
from evergreen.services.watch_batches import WatchBatches
from tests.support.monitoring import MonitorBench

DATASET = "videos.KR"
CATALOGUE = {"video_performance": [DATASET]}
DAY = timedelta(days=1)


@pytest.fixture
def bench() -> MonitorBench:
    return MonitorBench()


def watching(bench: MonitorBench, *, mode: Literal["wall", "replay"] = "wall", clock_set: timedelta = timedelta(days=30)) -> WatchBatches:
    set_at = wall_now() - clock_set
    reading = ClockReading(mode, set_at, set_at, 1.0, 1)
    return WatchBatches(bench.store, lambda: reading, bench.record, CATALOGUE, grace=timedelta(0))


def feed(*covered: tuple[date, date], first: datetime | None = None) -> Feed:
    return Feed(DATASET, first or datetime(2020, 1, 1, tzinfo=UTC), covered)


def yesterday() -> date:
    return last_released_day(wall_now())


def look(bench: MonitorBench, watch: WatchBatches) -> None:
    watch.run()
    bench.record.flush()


def test_a_missing_day_is_said_once(bench: MonitorBench) -> None:
    day = yesterday()
    bench.store.observed.known_feeds = [feed((day - 40 * DAY, day - DAY))]
    for _ in range(3):
        look(bench, watching(bench))
    (event,) = bench.events()
    assert (event.type, event.subject, event.data["kind"]) == ("data_quality_issue", DATASET, "batch_missing")
    assert event.data["window"] == {"first_day": str(day), "last_day": str(day)}


def test_the_day_that_comes_late_ends_it(bench: MonitorBench) -> None:
    day = yesterday()
    bench.store.observed.known_feeds = [feed((day - 40 * DAY, day - DAY))]
    look(bench, watching(bench))
    bench.store.observed.known_feeds = [feed((day - 40 * DAY, day))]
    for _ in range(2):
        look(bench, watching(bench))
    (alert,) = bench.alerts()
    assert alert.title == f"[resolved] batch_missing: {DATASET} {day}"
    assert alert.grouping == "video_performance|batch_missing"
    assert not bench.store.tables.watches[f"batch:{DATASET}:{day}"].firing


def test_each_missing_day_is_its_own_event(bench: MonitorBench) -> None:
    day = yesterday()
    bench.store.observed.known_feeds = [feed((day - 40 * DAY, day - 3 * DAY))]
    look(bench, watching(bench))
    assert len({event.id for event in bench.events()}) == 3


def test_a_dataset_that_never_had_a_batch_misses_none(bench: MonitorBench) -> None:
    look(bench, watching(bench))
    assert bench.events() == []


def test_nothing_is_missed_in_a_replay(bench: MonitorBench) -> None:
    bench.store.observed.known_feeds = [feed()]
    look(bench, watching(bench, mode="replay"))
    assert bench.events() == []


def test_days_before_the_clock_followed_the_wall_again_are_not_missed(bench: MonitorBench) -> None:
    bench.store.observed.known_feeds = [feed()]
    look(bench, watching(bench, clock_set=timedelta(seconds=1)))
    assert bench.events() == []


def test_days_before_the_first_batch_are_not_missed(bench: MonitorBench) -> None:
    day = yesterday()
    bench.store.observed.known_feeds = [feed((day, day), first=wall_now() - timedelta(seconds=1))]
    look(bench, watching(bench))
    assert bench.events() == []


def test_a_missing_day_that_is_looked_for_no_more_is_closed_without_a_word(bench: MonitorBench) -> None:
    day = yesterday()
    bench.store.observed.known_feeds = [feed((day - 40 * DAY, day - DAY))]
    look(bench, watching(bench))
    look(bench, watching(bench, clock_set=timedelta(seconds=1)))
    assert bench.alerts() == []
    assert not bench.store.tables.watches[f"batch:{DATASET}:{day}"].firing


def test_nothing_is_missed_of_data_that_comes_as_it_comes(bench: MonitorBench) -> None:
    bench.store.observed.known_feeds = [feed((yesterday() - 40 * DAY, yesterday() - 9 * DAY))]
    set_at = wall_now() - timedelta(days=30)
    reading = ClockReading("wall", set_at, set_at, 1.0, 1)
    look(bench, WatchBatches(bench.store, lambda: reading, bench.record, CATALOGUE, grace=timedelta(0), irregular=[DATASET]))
    assert list(bench.events()) == []
