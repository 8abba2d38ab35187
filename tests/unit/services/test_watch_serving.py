"""Serving's numbers in windows: what is said about load, latency, idleness and the named rules."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from evergreen.adapters.memory.monitoring import MemoryServingNumbers
from evergreen.core.alert_rules import RULES
from evergreen.core.traffic import CPU, HITS, IN_FLIGHT, MEMORY, MISSES, REQUESTS, SECONDS, WORKERS, Samples, Series
from evergreen.services.watch_serving import IDLE, OVERLOAD, SLOW, WatchServing
from evergreen.settings_monitor import MonitorSettings
from tests.support.monitoring import MonitorBench

BOUNDS = ("0.1", "0.25", "0.5", "1.0", "2.5", "+Inf")


class Serving:
    """Its counters, which only rise."""

    def __init__(self) -> None:
        self.numbers = MemoryServingNumbers({})
        self.workers = 2
        self.memory, self.in_flight = 1.0, 0.0
        self._counters: dict[Series, float] = {}

    def does(self, *, cpu: float = 0.0, requests: int = 0, errors: int = 0, each: float = 0.05, hits: int = 0, misses: int = 0) -> None:
        self._add(CPU, {}, cpu)
        self._add(REQUESTS, {"endpoint": "/predict/video", "status": "200"}, requests - errors)
        self._add(REQUESTS, {"endpoint": "/predict/video", "status": "500"}, errors)
        self._add(f"{SECONDS}_count", {"endpoint": "/predict/video"}, requests)
        self._add(f"{SECONDS}_sum", {"endpoint": "/predict/video"}, requests * each)
        for bound in BOUNDS:
            self._add(f"{SECONDS}_bucket", {"endpoint": "/predict/video", "le": bound}, requests if each <= float(bound) else 0)
        self._add(HITS, {"layer": "l1"}, hits)
        self._add(MISSES, {"layer": "l2"}, misses)
        self.numbers.samples = self._shown()

    def restarts(self) -> None:
        self._counters.clear()

    def _add(self, name: str, labels: Mapping[str, str], by: float) -> None:
        series = (name, tuple(sorted(labels.items())))
        self._counters[series] = self._counters.get(series, 0.0) + by

    def _shown(self) -> Samples:
        gauges = {WORKERS: float(self.workers), MEMORY: self.memory, IN_FLIGHT: self.in_flight}
        return self._counters | {(name, ()): value for name, value in gauges.items()}


class Watched:
    def __init__(self, settings: MonitorSettings | None = None) -> None:
        self.bench, self.serving = MonitorBench(), Serving()
        self._settings = settings or MonitorSettings()
        self.watch = self.restarted()
        self.serving.does()
        self.watch.run()

    def restarted(self) -> WatchServing:
        bench = self.bench
        return WatchServing(self.serving.numbers, bench.record, self._settings, min_workers=2, memory=lambda: 100.0, wall=bench.clock.now)

    def window(self, **done: float) -> None:
        """Half a minute in which serving does that; `away`: it cannot be read."""
        self.bench.later(seconds=30)
        if done.pop("away", 0):
            self.serving.numbers.samples = None
        else:
            self.serving.does(**done)  # type: ignore[arg-type]
        self.watch.run()
        self.bench.record.flush()

    def said(self, event_type: str) -> list[tuple[float, float, str]]:
        return [(event.data["measured"], event.data["bound"], event.data["severity"]) for event in self.bench.events(event_type)]


@pytest.mark.parametrize(
    ("cpu", "said"),
    [
        pytest.param(41.9, [], id="below"),
        pytest.param(42.0, [(70.0, 70.0, "low")], id="seventy-percent-of-two-workers"),
        pytest.param(48.0, [(80.0, 80.0, "medium")], id="medium"),
        pytest.param(60.0, [(100.0, 95.0, "critical")], id="all-of-it"),
    ],
)
def test_three_busy_windows_are_an_overload(cpu: float, said: list[tuple[float, float, str]]) -> None:
    watched = Watched()
    for _ in range(2):
        watched.window(cpu=cpu)
    assert watched.said(OVERLOAD) == []
    watched.window(cpu=cpu)
    assert watched.said(OVERLOAD) == said


def test_memory_and_a_queue_are_loads_too() -> None:
    watched = Watched()
    watched.serving.memory, watched.serving.in_flight = 91.0, 2 * 16.0
    for _ in range(3):
        watched.window()
    assert watched.said(OVERLOAD) == [(91.0, 90.0, "high"), (100.0, 95.0, "critical")]


def test_an_overload_that_grows_is_said_again_at_once_and_one_that_stays_after_ten_minutes() -> None:
    watched = Watched()
    for _ in range(10):
        watched.window(cpu=42)
    assert [severity for *_, severity in watched.said(OVERLOAD)] == ["low"]
    for _ in range(3):
        watched.window(cpu=60)
    assert [severity for *_, severity in watched.said(OVERLOAD)] == ["low", "critical"]
    for _ in range(20):
        watched.window(cpu=60)
    assert [severity for *_, severity in watched.said(OVERLOAD)] == ["low", "critical", "critical"]


def test_an_unread_window_breaks_the_row() -> None:
    watched = Watched()
    for away in (0, 0, 1, 0, 0):
        watched.window(away=away, **({} if away else {"cpu": 60.0}))
    assert watched.said(OVERLOAD) == []


def test_a_restart_of_serving_is_no_negative_load() -> None:
    watched = Watched()
    watched.window(cpu=60)
    watched.serving.restarts()
    watched.window(cpu=3)
    assert watched.watch.windows[-1].cpu == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("each", "requests", "said"),
    [
        pytest.param(0.05, 100, [], id="fast"),
        pytest.param(0.2, 100, [(248.5, 150.0, "medium")], id="medium"),
        pytest.param(2.0, 100, [(2485.0, 1000.0, "critical")], id="critical"),
        pytest.param(2.0, 19, [], id="too-little-traffic"),
    ],
)
def test_slow_answers_in_three_windows(each: float, requests: int, said: list[tuple[float, float, str]]) -> None:
    watched = Watched()
    for _ in range(3):
        watched.window(each=each, requests=requests)
    assert watched.said(SLOW) == said


@pytest.mark.parametrize(
    ("workers", "minutes", "said"),
    [
        pytest.param(3, 10, 1, id="ten-minutes-idle"),
        pytest.param(3, 9.5, 0, id="not-yet"),
        pytest.param(2, 15, 0, id="at-the-minimum"),
        pytest.param(4, 21, 2, id="again-after-ten-minutes"),
    ],
)
def test_idle_workers_above_the_minimum(workers: int, minutes: float, said: int) -> None:
    watched = Watched()
    watched.serving.workers = workers
    watched.window(cpu=10)
    for _ in range(int(minutes * 2)):
        watched.window(cpu=10)
    assert len(watched.said(IDLE)) == said


def test_an_error_rate_is_an_alert_and_reaches_the_policy_with_the_version_in_its_bake() -> None:
    watched = Watched()
    watched.bench.store.observed.in_bake = "video_performance@4"
    for _ in range(12):
        watched.window(requests=100, errors=6)
    (alert,) = watched.bench.alerts()
    assert (alert.title, alert.severity, alert.grouping) == ("[critical] high_error_rate: serving", "critical", "serving|high_error_rate")
    assert "6.0% of the answers" in alert.message
    (event,) = watched.bench.events("service_health_check_failed")
    assert (event.data["model_version"], event.data["severity"]) == ("video_performance@4", "critical")
    assert alert.event_id == event.id
    for _ in range(12):
        watched.window(requests=100)
    assert [row.title for row in watched.bench.alerts()][1:] == ["[resolved] high_error_rate: serving"]
    assert watched.bench.events("service_recovered") == []  # whether serving is well is the probe's word
    assert event.extensions["alertedby"] == event.source  # the policy's answer tells nobody a second time


def test_serving_that_cannot_be_read_is_no_silence() -> None:
    watched = Watched()
    for _ in range(3):
        watched.window(requests=100, errors=60)
    for _ in range(14):
        watched.window(away=1)
    assert [row.title for row in watched.bench.alerts()] == ["[critical] high_error_rate: serving"]


def test_an_alert_that_holds_is_not_repeated_by_a_restarted_monitor() -> None:
    watched = Watched()
    watched.window(requests=200, misses=100)
    watched.bench.record = watched.bench.restarted()
    watched.watch = watched.restarted()
    watched.window(requests=200, misses=100)
    watched.window(requests=200, misses=100)
    assert [row.title for row in watched.bench.alerts()] == ["[critical] low_cache_hit_ratio: serving"]
    assert watched.bench.events() == []


def test_little_traffic_keeps_an_alert_and_none_at_all_ends_it() -> None:
    watched = Watched()
    watched.window(requests=200, each=1.2)
    for _ in range(9):
        watched.window(requests=1)
    watched.window(requests=1)  # the slow window is older than five minutes
    assert [row.title for row in watched.bench.alerts()] == ["[medium] high_response_time: serving"]
    for _ in range(11):
        watched.window()
    assert [row.title for row in watched.bench.alerts()][1:] == ["[resolved] high_response_time: serving"]


def test_with_prometheus_the_monitors_copy_of_the_rules_is_off() -> None:
    watched = Watched(MonitorSettings(prometheus_url="http://prometheus:9090"))
    for _ in range(4):
        watched.window(requests=300, errors=300, each=5.0, misses=300)
    assert watched.bench.alerts() == []
    assert [severity for *_, severity in watched.said(SLOW)] == ["critical"]
    assert len(RULES) == 3
