"""How often a model is looked at: five minutes, thirty seconds for two hours after a `monitor` action, then five minutes again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from evergreen.core.clock import ClockReading
from evergreen.core.errors import Unavailable
from evergreen.core.monitoring import Pace
from evergreen.services.check_models import CheckModels
from tests.support.monitoring import MonitorBench


class Looks:
    def __init__(self) -> None:
        self.at: list[tuple[str, datetime]] = []
        self.broken: set[str] = set()
        self.trouble: Exception = Unavailable("MLflow is away")

    def __call__(self, model: str, as_of: datetime) -> Mapping[str, Any]:
        self.at.append((model, as_of))
        if model in self.broken:
            raise self.trouble
        return {"outcome": "nothing_new"}


@pytest.fixture
def bench() -> MonitorBench:
    found = MonitorBench()
    found.store.observed.champions = ["video_performance"]
    return found


@pytest.fixture
def looks() -> Looks:
    return Looks()


class Mode:
    now: Literal["wall", "replay"] = "wall"


def checking(bench: MonitorBench, looks: Looks, mode: Mode | None = None) -> CheckModels:
    mode = mode or Mode()

    def reading() -> ClockReading:
        return ClockReading(mode.now, bench.clock.at, bench.clock.at, 0.0, 1)

    known = {"video_performance", "movie_recommender"}
    return CheckModels(bench.store, reading, looks, Pace(), known, wall=bench.clock.now)


def run_for(bench: MonitorBench, check: CheckModels, seconds: int) -> int:
    """Looks in that time, asked every ten seconds."""
    found = 0
    for _ in range(seconds // 10):
        bench.later(seconds=10)
        found += len(check.run())
    return found


def test_every_five_minutes_and_not_at_the_start(bench: MonitorBench, looks: Looks) -> None:
    check = checking(bench, looks)
    assert check.run() == []
    assert run_for(bench, check, 290) == 0
    assert run_for(bench, check, 10) == 1
    assert run_for(bench, check, 3600) == 12


def test_after_a_monitor_action_every_thirty_seconds_for_two_hours(bench: MonitorBench, looks: Looks) -> None:
    check = checking(bench, looks)
    check.run()
    bench.store.observed.monitored["video_performance"] = bench.clock.now()
    assert run_for(bench, check, 3600) == 120
    assert check.every["video_performance"] == timedelta(seconds=30)
    assert run_for(bench, check, 3600 - 10) == 119
    assert run_for(bench, check, 3600) == 12
    assert check.every["video_performance"] == timedelta(minutes=5)


def test_only_the_model_the_action_named_is_looked_at_more_often(bench: MonitorBench, looks: Looks) -> None:
    bench.store.observed.champions = ["movie_recommender", "video_performance"]
    bench.store.observed.monitored["movie_recommender"] = bench.clock.now()
    check = checking(bench, looks)
    check.run()
    run_for(bench, check, 300)
    assert [sum(name == model for name, _ in looks.at) for model in ("movie_recommender", "video_performance")] == [10, 1]


def test_a_model_without_champion_or_unknown_here_is_not_looked_at(bench: MonitorBench, looks: Looks) -> None:
    bench.store.observed.champions = ["video_performance_us"]
    check = checking(bench, looks)
    check.run()
    assert run_for(bench, check, 3600) == 0


def test_in_a_replay_only_the_tick_asks_and_the_period_starts_anew_after_it(bench: MonitorBench, looks: Looks) -> None:
    mode = Mode()
    check = checking(bench, looks, mode)
    check.run()
    mode.now = "replay"
    assert run_for(bench, check, 3600) == 0
    mode.now = "wall"
    assert run_for(bench, check, 300) == 0
    assert run_for(bench, check, 10) == 1


@pytest.mark.parametrize("trouble", [Unavailable("MLflow is away"), KeyError("a column"), ValueError("NaN")], ids=["away", "key", "value"])
def test_one_models_trouble_does_not_keep_the_others_waiting(bench: MonitorBench, looks: Looks, trouble: Exception) -> None:
    bench.store.observed.champions = ["movie_recommender", "video_performance"]
    looks.broken, looks.trouble = {"movie_recommender"}, trouble
    check = checking(bench, looks)
    check.run()
    run_for(bench, check, 300)
    assert [model for model, _ in looks.at] == ["movie_recommender", "video_performance"]
