"""What is said when a part fails and comes back: once each, over restarts and outages of Postgres."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evergreen.contracts.events import ServiceHealth
from evergreen.services.watch_parts import FAILED, RECOVERED, Probe, WatchParts
from tests.support.monitoring import MonitorBench


class Parts:
    """Which of them answer."""

    def __init__(self, *names: str) -> None:
        self.away: set[str] = set()
        self._names = names

    def probes(self) -> list[Probe]:
        return [Probe(name, "high", lambda name=name: "no answer" if name in self.away else None) for name in self._names]  # type: ignore[misc]


@pytest.fixture
def bench() -> MonitorBench:
    return MonitorBench()


@pytest.fixture
def parts() -> Parts:
    return Parts("redis", "kafka", "serving")


def watching(bench: MonitorBench, parts: Parts) -> WatchParts:
    return WatchParts(parts.probes(), bench.record, failures=3)


def rounds(bench: MonitorBench, watch: WatchParts, count: int) -> None:
    for _ in range(count):
        watch.run()
        bench.record.flush()


def said(bench: MonitorBench) -> list[tuple[str, str]]:
    return [(event.type, event.subject) for event in bench.events()]


def test_while_all_is_well_nothing_is_said(bench: MonitorBench, parts: Parts) -> None:
    rounds(bench, watching(bench, parts), 5)
    assert said(bench) == []
    assert bench.store.tables.watches == {}


def test_a_failure_is_said_at_the_third_probe_and_once(bench: MonitorBench, parts: Parts) -> None:
    watch = watching(bench, parts)
    parts.away = {"redis"}
    rounds(bench, watch, 2)
    assert said(bench) == []
    rounds(bench, watch, 5)
    assert said(bench) == [(FAILED, "redis")]
    payload = ServiceHealth.model_validate(bench.events()[0].data)
    assert (payload.service_name, payload.severity, payload.detail, payload.model_version) == ("redis", "high", "no answer", None)


def test_a_part_that_takes_its_time_to_start_has_not_failed(bench: MonitorBench, parts: Parts) -> None:
    watch = WatchParts(parts.probes(), bench.record, failures=3, starting=timedelta(minutes=3), wall=bench.clock.now)
    parts.away = {"serving"}
    rounds(bench, watch, 9)
    assert said(bench) == []
    bench.later(minutes=3)
    rounds(bench, watch, 1)
    assert said(bench) == [(FAILED, "serving")]


def test_its_return_is_said_once(bench: MonitorBench, parts: Parts) -> None:
    watch = watching(bench, parts)
    parts.away = {"redis"}
    rounds(bench, watch, 3)
    parts.away = set()
    rounds(bench, watch, 3)
    assert said(bench) == [(FAILED, "redis"), (RECOVERED, "redis")]


def test_a_restarted_monitor_neither_repeats_nor_forgets(bench: MonitorBench, parts: Parts) -> None:
    parts.away = {"redis"}
    rounds(bench, watching(bench, parts), 3)
    bench.record = bench.restarted()
    rounds(bench, watching(bench, parts), 5)
    assert said(bench) == [(FAILED, "redis")]
    bench.record = bench.restarted()
    parts.away = set()  # it came back while no monitor looked
    rounds(bench, watching(bench, parts), 2)
    assert said(bench) == [(FAILED, "redis"), (RECOVERED, "redis")]


def test_two_copies_that_find_the_same_say_it_once(bench: MonitorBench, parts: Parts) -> None:
    parts.away = {"redis"}
    one, other = bench.record, bench.restarted()
    for record in (one, other):
        bench.record = record
        rounds(bench, watching(bench, parts), 3)
    assert said(bench) == [(FAILED, "redis")]


def test_each_failure_has_an_id_of_its_own(bench: MonitorBench, parts: Parts) -> None:
    watch = watching(bench, parts)
    for away in ({"redis"}, set(), {"redis"}, set()):
        parts.away = away
        rounds(bench, watch, 3)
    assert len({event.id for event in bench.events()}) == 4


def test_an_alert_comes_from_the_policy_while_the_way_to_it_works(bench: MonitorBench, parts: Parts) -> None:
    parts.away = {"redis"}
    rounds(bench, watching(bench, parts), 3)
    assert bench.alerts() == []


@pytest.mark.parametrize("away", [pytest.param({"kafka"}, id="kafka-itself"), pytest.param({"kafka", "redis"}, id="another-part-meanwhile")])
def test_with_kafka_away_the_monitor_records_the_alert_itself(bench: MonitorBench, parts: Parts, away: set[str]) -> None:
    watch = watching(bench, parts)
    parts.away = away
    rounds(bench, watch, 5)
    assert {row.grouping for row in bench.alerts()} == {f"{name}|{FAILED}" for name in away}
    parts.away = set()
    rounds(bench, watch, 5)
    ended = [row.grouping for row in bench.alerts() if row.title.startswith("[resolved]")]
    assert sorted(ended) == sorted(f"{name}|{FAILED}" for name in away)


def test_serving_that_fails_during_a_bake_names_the_version(bench: MonitorBench, parts: Parts) -> None:
    bench.store.observed.in_bake = "video_performance@4"
    parts.away = {"serving", "redis"}
    rounds(bench, watching(bench, parts), 3)
    named = {event.subject: event.data["model_version"] for event in bench.events()}
    assert named == {"serving": "video_performance@4", "redis": None}


def test_a_stable_champion_is_not_named(bench: MonitorBench, parts: Parts) -> None:
    parts.away = {"serving"}
    rounds(bench, watching(bench, parts), 3)
    assert [event.data["model_version"] for event in bench.events()] == [None]


def test_what_happens_while_postgres_is_away_is_recorded_in_order_when_it_is_back(bench: MonitorBench, parts: Parts) -> None:
    watch = watching(bench, parts)
    bench.store.away = True
    parts.away = {"kafka"}
    rounds(bench, watch, 3)
    parts.away = {"redis"}
    rounds(bench, watch, 3)
    assert bench.record.flush() > 0
    assert said(bench) == []
    bench.store.away = False
    assert bench.record.flush() == 0
    assert said(bench) == [(FAILED, "kafka"), (RECOVERED, "kafka"), (FAILED, "redis")]
    assert [row.title for row in bench.alerts()] == [f"[high] {FAILED}: kafka", f"[resolved] {FAILED}: kafka"]


def test_what_waited_for_postgres_is_not_said_after_another_copy_led(bench: MonitorBench, parts: Parts) -> None:
    parts.away = {"postgres"}
    bench.store.away = True
    rounds(bench, watching(bench, parts), 3)
    bench.record.forget()
    bench.store.away = False
    assert bench.record.flush() == 0
    assert said(bench) == []


def test_a_failure_that_lasts_is_said_again_every_ten_minutes(bench: MonitorBench, parts: Parts) -> None:
    watch = watching(bench, parts)
    parts.away = {"redis"}
    rounds(bench, watch, 5)
    bench.later(minutes=10)
    rounds(bench, watch, 1)
    assert said(bench) == [(FAILED, "redis"), (FAILED, "redis")]
