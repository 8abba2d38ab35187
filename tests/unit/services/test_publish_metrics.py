"""`system_metrics`: one event per service, with what could be measured."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evergreen.adapters.memory.serving import MemoryPublisher
from evergreen.core.monitoring import Health
from evergreen.core.traffic import Traffic
from evergreen.ports.monitoring import LoopFigures
from evergreen.services.publish_metrics import PublishMetrics, measured_services
from evergreen.services.watch_serving import Window
from tests.support.monitoring import NOON

STATES = {"redis": Health(failing=True, faults=4), "serving": Health(failing=False), "intake": Health(failing=False)}
BUCKETS = ((0.1, 5.0), (0.2, 10.0), (float("inf"), 10.0))
WINDOW = Window(
    NOON, Traffic(requests=10, timed=10, seconds=1.0, hits=3, misses=1, errors=1, buckets=BUCKETS), cpu=12.5, memory_bytes=1e6, workers=2, seconds=30.0
)
FIGURES = LoopFigures(unsent=3, oldest_unsent=timedelta(seconds=5), dead_letters=1)


def test_each_service_has_its_numbers_and_nothing_is_made_up() -> None:
    found = measured_services(STATES, WINDOW, {"evergreen-indexer-data": 7}, FIGURES, {"load_percent": 50.0})
    assert found["redis"] == {"up": 0.0, "faults": 4.0}
    assert found["serving"] == {
        "up": 1.0,
        "faults": 0.0,
        "cpu_percent": 12.5,
        "memory_bytes": 1e6,
        "workers": 2.0,
        "requests": 10,
        "requests_per_minute": 20.0,
        "errors": 1,
        "error_share": 0.1,
        "p50_milliseconds": 100.0,
        "p95_milliseconds": pytest.approx(190.0),
        "p99_milliseconds": pytest.approx(198.0),
        "mean_seconds": 0.1,
        "cache_hit_ratio": 0.75,
    }
    assert found["indexer"] == {"lag_evergreen-indexer-data": 7.0}
    assert found["intake"] == {"up": 1.0, "faults": 0.0, "unsent": 3.0, "oldest_unsent_seconds": 5.0, "dead_letters": 1.0}
    assert found["host"] == {"load_percent": 50.0}


def test_the_service_is_the_key_and_every_event_is_a_new_one() -> None:
    publisher = MemoryPublisher()
    for _ in range(2):
        assert PublishMetrics(publisher).run({"redis": {"up": 1.0}, "host": {}}, NOON) == 2
    assert [event.subject for event in publisher.of_type("system_metrics")] == ["redis", "host"] * 2
    assert len({event.id for event in publisher.events}) == 4


def test_what_kafka_does_not_take_is_not_waited_for() -> None:
    publisher = MemoryPublisher()
    publisher.away = True
    assert PublishMetrics(publisher).run({"redis": {"up": 1.0}}, NOON) == 0
