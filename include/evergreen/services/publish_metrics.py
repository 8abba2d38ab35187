"""`system_metrics`: one event per service, telemetry. Best effort: what Kafka does not take is counted by the publisher and not repeated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from evergreen.contracts.envelope import Event, new_id
from evergreen.contracts.events import SystemMetrics
from evergreen.core.monitoring import Health
from evergreen.core.traffic import quantile
from evergreen.ports.messaging import EventPublisher
from evergreen.ports.monitoring import LoopFigures
from evergreen.services.record_changes import SOURCE
from evergreen.services.watch_serving import Window

Measured = dict[str, float]
QUANTILES = (50, 95, 99)
"""Of whatever was answered in the window; the alerts ask for more answers before they judge."""


def measured_services(
    states: Mapping[str, Health], window: Window | None, behind: Mapping[str, int], figures: LoopFigures, host: Mapping[str, float]
) -> dict[str, Measured]:
    """Service -> its numbers. What could not be measured is left out."""
    found: dict[str, Measured] = {name: {"up": float(not health.failing), "faults": float(health.faults)} for name, health in states.items()}
    if window is not None and "serving" in found:
        found["serving"] |= _of_serving(window)
    for group, count in behind.items():
        found.setdefault(group.removeprefix("evergreen-").partition("-")[0], {})[f"lag_{group}"] = float(count)
    found.setdefault("intake", {}).update(
        unsent=float(figures.unsent), oldest_unsent_seconds=figures.oldest_unsent.total_seconds(), dead_letters=float(figures.dead_letters)
    )
    found["host"] = dict(host)
    return found


def _of_serving(window: Window) -> Measured:
    traffic = window.traffic
    shares = {"cpu_percent": window.cpu, "memory_percent": window.memory, "queue_percent": window.queue, "memory_bytes": window.memory_bytes}
    quantiles = {f"p{percent}_milliseconds": quantile(traffic.buckets, percent / 100) for percent in QUANTILES}
    numbers = {name: value for name, value in shares.items() if value is not None}
    numbers |= {name: 1000 * value for name, value in quantiles.items() if value is not None}
    numbers |= {"workers": float(window.workers), "requests": traffic.requests, "errors": traffic.errors}
    if window.seconds:
        numbers["requests_per_minute"] = 60 * traffic.requests / window.seconds
    if traffic.requests:
        numbers["error_share"] = traffic.errors / traffic.requests
    if traffic.timed:
        numbers["mean_seconds"] = traffic.seconds / traffic.timed
    if traffic.hits + traffic.misses:
        numbers["cache_hit_ratio"] = traffic.hits / (traffic.hits + traffic.misses)
    return numbers


class PublishMetrics:
    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    def run(self, services: Mapping[str, Measured], now: datetime) -> int:
        """Returns how many the publisher took; the service is the key."""
        taken = 0
        for name, numbers in services.items():
            payload = SystemMetrics(service_name=name, metrics=numbers)
            taken += self._publisher.publish_soon(
                Event(id=new_id(), source=SOURCE, type="system_metrics", subject=name, time=now, data=payload.model_dump(mode="json"))
            )
        return taken
