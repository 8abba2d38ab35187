"""The performance check beside lists that were shown: click-through rates from real tables, and what follows when people click less."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.clock import FixedClock
from evergreen.ports.index import ExposureRow
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.profiles import Place
from evergreen.settings import Settings
from tests.integration.test_check_performance import GOOD, HOUR, SINCE, Bench, days, evening
from tests.support.claims import emptied
from tests.support.tiny import NAME

pytestmark = pytest.mark.connected
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)


class Lists:
    """Users who are shown one list each."""

    def __init__(self, bench: Bench, version: int) -> None:
        self.bench, self.version, self.count, self.draw = bench, version, 0, random.Random(5)

    def shown(self, at: datetime, users: int, rate: float, *, after: timedelta = MINUTE) -> None:
        """At a rate they are clicked on `after` being shown."""
        names = [f"{self.version}-{self.count + number}" for number in range(users)]
        self.count += users
        lists = [ExposureRow("/serving", name, at, name, f"u{name}", NAME, self.version, ["m1"], None, None) for name in names]
        clicks = [clicked(name, at + after, number) for number, name in enumerate(names) if self.draw.random() < rate]
        with self.bench.store.transaction() as tx:
            tx.stream.exposures(lists)
            tx.interactions.record(clicks)


def clicked(name: str, at: datetime, number: int) -> InteractionRow:
    place = Place("clicks", "t", 0, number)
    return InteractionRow("/app", name, at, f"u{name}", "recommendation_click", ("m1",), None, None, {"list_id": name}, {}, place)


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield Bench(store, FixedClock(SINCE), MemoryRegistry(tmp_path))
    store.close()


@pytest.fixture
def serving(bench: Bench) -> int:
    version = bench.version(GOOD, stable=True)
    bench.serve(version)
    bench.traffic(version, GOOD, days(date(2025, 2, 1), 14))
    return version


def test_when_people_click_less_the_version_is_degraded_though_its_errors_are_as_before(bench: Bench, serving: int) -> None:
    lists = Lists(bench, serving)
    lists.shown(SINCE + HOUR, 400, 0.5)
    lists.shown(SINCE + WEEK + HOUR, 400, 0.2)
    result = bench.check(evening(date(2025, 2, 14)))
    assert (result["outcome"], result["click_through"]["degraded"]) == ("degraded", True)
    assert result["interval"][0] < 0.05, "its own metric is as it was"
    [said] = bench.degraded()
    assert (said["metric"], said["n"], said["rollback_target"]) == ("click_through_rate", 400, None)
    assert said["current_performance"] == pytest.approx(0.2, abs=0.06)
    assert said["baseline_performance"] == pytest.approx(0.5, abs=0.06)
    assert 0.05 < said["interval"][0] < said["performance_drop"] < said["interval"][1] < 1


def test_while_they_click_as_before_their_rate_is_in_the_report(bench: Bench, serving: int) -> None:
    lists = Lists(bench, serving)
    lists.shown(SINCE + HOUR, 200, 0.5)
    lists.shown(SINCE + WEEK + HOUR, 200, 0.5)
    result = bench.check(evening(date(2025, 2, 14)))
    assert (result["outcome"], bench.degraded()) == ("fine", [])
    assert result["click_through"]["drop"]["low"] < 0 < result["click_through"]["drop"]["high"]
    with bench.store.transaction() as tx:
        report = tx.performance.last(NAME, serving, since=SINCE)
    assert report is not None
    assert report.detail["click_through"] == result["click_through"]


def test_what_is_counted(bench: Bench, serving: int) -> None:
    as_of = evening(date(2025, 2, 14))
    lists, others = Lists(bench, serving), Lists(bench, serving + 1)
    lists.shown(SINCE + WEEK - MINUTE, 3, 1.0)  # the last of the promotion's own window, clicked on after it
    lists.shown(SINCE + WEEK, 4, 1.0, after=2 * HOUR)  # too late
    lists.shown(as_of - MINUTE, 5, 1.0)  # too young
    lists.shown(SINCE - HOUR, 6, 1.0)  # before it served
    others.shown(SINCE + HOUR, 7, 1.0)  # another version's
    found = bench.check(as_of)["click_through"]
    assert {name: (found[name]["users"], found[name]["lists"], found[name]["clicks"]) for name in ("first", "now")} == {"first": (3, 3, 3), "now": (4, 4, 0)}


def test_a_model_without_lists_has_no_such_rate(bench: Bench, serving: int) -> None:
    assert "click_through" not in bench.check(evening(date(2025, 2, 14)))
