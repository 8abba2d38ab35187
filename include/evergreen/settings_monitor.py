"""What the monitor watches and from when on it says something (docs/guides/monitoring.md). Part of `evergreen.settings`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from evergreen.core.monitoring import Pace


class MonitorSettings(BaseModel):
    host: str = "127.0.0.1"
    """Where the monitor's own `/metrics` listens."""
    port: int = 9108
    parts: tuple[str, ...] = ()
    """What is probed where no local stack says what was started; empty: every part."""
    prometheus_url: str = ""
    """Set: Prometheus evaluates the named alert rules, and the monitor's copy is off."""
    probe_seconds: float = Field(default=5.0, gt=0)
    failures: int = Field(default=3, ge=1)
    """Probes in a row that must fail before a part counts as failed."""
    starting_seconds: float = Field(default=180.0, ge=0)
    """From the monitor's start on, a part that did not answer yet is waited for: Airflow takes a minute or two on a small machine."""
    publish_seconds: float = Field(default=10.0, gt=0)
    window_seconds: float = Field(default=30.0, gt=0)
    windows: int = Field(default=3, ge=1)
    """In a row, before a bound counts as passed."""
    busy_percent: tuple[float, float, float, float] = (70.0, 80.0, 90.0, 95.0)
    """Processor, memory and queue: low, medium, high, critical, each from the bound on."""
    queue_per_worker: int = Field(default=16, ge=1)
    """Requests under way in one serving worker that count as a full queue."""
    latency_milliseconds: tuple[float, float, float, float] = (100.0, 150.0, 250.0, 1000.0)
    """p99: low, medium, high, critical, each above the bound."""
    latency_min_requests: int = Field(default=20, ge=1)
    """In a window, or its p99 says nothing."""
    idle_percent: float = Field(default=30.0, gt=0, le=100)
    idle_minutes: float = Field(default=10.0, gt=0)
    repeat_minutes: float = Field(default=10.0, gt=0)
    """How often a load that stays is said again: an answer to it may not have been enough."""
    rule_window_seconds: float = Field(default=300.0, gt=0)
    rule_min_requests: int = Field(default=100, ge=1)
    stuck_seconds: float = Field(default=360.0, gt=0)
    """A queue that is not empty and did not get shorter for this long has no consumer at work; longer than a partition full of poison rests."""
    unsent_seconds: float = Field(default=60.0, gt=0)
    """Age of the oldest outbox row from which the relay counts as failed."""
    batch_grace_minutes: float = Field(default=180.0, ge=0)
    """After its release, before a day's batch counts as missing."""
    check_seconds: float = Field(default=300.0, gt=0)
    fast_check_seconds: float = Field(default=30.0, gt=0)
    fast_check_hours: float = Field(default=2.0, gt=0)
    """After a `monitor` action a model is checked fast for this long."""

    @property
    def pace(self) -> Pace:
        return Pace(timedelta(seconds=self.check_seconds), timedelta(seconds=self.fast_check_seconds), timedelta(hours=self.fast_check_hours))
