"""Serving's numbers in windows: overload, slow answers, idleness, and the three named alert rules.

A window that could not be read says nothing and breaks a row: three windows over a bound are three in a row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce

import structlog

from evergreen.contracts.events import ServiceHealth, ServiceMeasured
from evergreen.core.alert_rules import HIGH_ERROR_RATE, RULES, AlertRule, measured
from evergreen.core.errors import Unavailable
from evergreen.core.monitoring import Bounds, Load, held_severity, stays_low
from evergreen.core.traffic import IN_FLIGHT, MEMORY, WORKERS, Samples, Traffic, gauge, increase, quantile, traffic_of
from evergreen.ports.monitoring import ServingNumbers
from evergreen.services.record_changes import AlertText, Change, RecordChanges
from evergreen.services.watch_parts import FAILED, SERVING
from evergreen.settings_monitor import MonitorSettings

OVERLOAD, IDLE, SLOW = "system_overload", "system_load_low", "prediction_latency_high"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Window:
    """What was measured in it; None: not measured."""

    at: datetime
    traffic: Traffic = field(default_factory=Traffic)
    cpu: float | None = None
    memory: float | None = None
    queue: float | None = None
    """Shares in percent."""
    p99: float | None = None
    """Milliseconds."""
    memory_bytes: float | None = None
    workers: int = 0
    seconds: float = 0.0
    """How long it lasted."""
    read: bool = True
    """False: serving did not answer."""

    @property
    def busiest(self) -> float | None:
        known = [share for share in (self.cpu, self.queue) if share is not None]
        return max(known) if known else None


class WatchServing:
    def __init__(
        self,
        numbers: ServingNumbers,
        record: RecordChanges,
        settings: MonitorSettings,
        *,
        min_workers: int,
        memory: Callable[[], float],
        wall: Callable[[], datetime],
    ) -> None:
        """`memory`: bytes this machine has."""
        self._numbers = numbers
        self._record = record
        self._settings = settings
        self._min_workers = min_workers
        self._memory = memory
        self._wall = wall
        kept = max(settings.windows, int(settings.rule_window_seconds / settings.window_seconds), 1)
        self.windows: deque[Window] = deque(maxlen=kept)
        self._loads: deque[Load] = deque(maxlen=int(settings.idle_minutes * 60 / settings.window_seconds) + 2)
        self._last: tuple[datetime, Samples] | None = None
        self._tried: datetime | None = None

    def run(self) -> Window | None:
        """Close a window when one is over; None before."""
        now = self._wall()
        if self._tried is not None and (now - self._tried).total_seconds() < self._settings.window_seconds:
            return None
        self._tried = now
        window = self._measure(now)
        if window is None:
            return None
        self.windows.append(window)
        self._loads.append(Load(now, None if window.busiest is None else window.busiest / 100))
        self._judge_load(window)
        self._judge_latency()
        self._judge_idleness(window, now)
        if not self._settings.prometheus_url:
            for rule in RULES:
                self._judge_rule(rule)
        return window

    def _measure(self, now: datetime) -> Window | None:
        """None at the first look: there is nothing to compare with yet."""
        try:
            samples = self._numbers.read()
        except Unavailable as error:
            log.info("serving_not_measured", error=str(error))
            return Window(now, read=False)
        before, self._last = self._last, (now, samples)
        if before is None:
            return None
        traffic, seconds = traffic_of(increase(before[1], samples)), (now - before[0]).total_seconds()
        workers = int(gauge(samples, WORKERS) or 0)
        used, waiting = gauge(samples, MEMORY), gauge(samples, IN_FLIGHT)
        p99 = quantile(traffic.buckets, 0.99) if traffic.timed >= self._settings.latency_min_requests else None
        return Window(
            at=now,
            traffic=traffic,
            cpu=100 * traffic.cpu_seconds / (seconds * workers) if workers and seconds > 0 else None,
            memory=None if used is None else 100 * used / self._memory(),
            queue=100 * (waiting or 0.0) / (workers * self._settings.queue_per_worker) if workers else None,
            p99=None if p99 is None else 1000 * p99,
            memory_bytes=used,
            workers=workers,
            seconds=seconds,
        )

    def _judge_load(self, window: Window) -> None:
        for kind in ("cpu", "memory", "queue"):
            values = [getattr(one, kind) for one in self.windows]
            self._judge(OVERLOAD, kind, values, self._settings.busy_percent, inclusive=True)

    def _judge_latency(self) -> None:
        self._judge(SLOW, "p99", [window.p99 for window in self.windows], self._settings.latency_milliseconds, inclusive=False)

    def _judge(self, event_type: str, kind: str, values: list[float | None], bounds: Bounds, *, inclusive: bool) -> None:
        severity = held_severity(values, bounds, in_a_row=self._settings.windows, inclusive=inclusive)
        lasted = f"{kind}, {self._settings.windows} windows of {self._settings.window_seconds:g} s"
        newest = values[-1]
        self._say(event_type, kind, None if severity is None or newest is None else (newest, bounds[severity - 1], severity.word), lasted)

    def _judge_idleness(self, window: Window, now: datetime) -> None:
        lasting = timedelta(minutes=self._settings.idle_minutes)
        idle = window.workers > self._min_workers and stays_low(list(self._loads), now, below=self._settings.idle_percent / 100, lasting=lasting)
        found = (window.busiest or 0.0, self._settings.idle_percent, "medium") if idle else None
        self._say(IDLE, "load", found, f"load, {self._settings.idle_minutes:g} min, {window.workers} workers")

    def _say(self, event_type: str, kind: str, found: tuple[float, float, str] | None, window: str) -> None:
        name, repeat = f"{event_type}:{SERVING}:{kind}", timedelta(minutes=self._settings.repeat_minutes)
        if found is None:
            self._record.note(Change(name, firing=False, severity="low", subject=SERVING))
            return
        value, bound, word = found
        payload = ServiceMeasured(service_name=SERVING, measured=round(value, 3), bound=bound, severity=word, window=window)
        self._record.note(Change(name, True, payload.severity, SERVING, event_type, payload, repeat=repeat))

    def _judge_rule(self, rule: AlertRule) -> None:
        if not all(window.read for window in self.windows):
            return  # what could not be read is no silence
        traffic = reduce(Traffic.plus, (window.traffic for window in self.windows), Traffic())
        value = measured(rule, traffic, min_requests=self._settings.rule_min_requests)
        broken = value is not None and rule.broken_by(value)
        # With too little traffic an alert that fires stays: silence is no recovery, except that nothing at all was asked for.
        if value is None and traffic.requests > 0:
            return
        self._record.note(_rule_change(rule, value, broken=broken))


def _rule_change(rule: AlertRule, value: float | None, *, broken: bool) -> Change:
    fact = rule.what.format(value=value) if value is not None else "There is no traffic any more."
    fact_ko = rule.what_ko.format(value=value) if value is not None else "더 이상 요청이 없습니다."
    title, message = f"{rule.name}: {SERVING}", f"{fact} {rule.remedy}" if broken else f"{fact} It is over."
    message_ko = f"{fact_ko} {rule.remedy_ko}" if broken else f"{fact_ko} 해결되었습니다."
    health = ServiceHealth(service_name=SERVING, detail=f"{rule.name}: {fact}", severity=rule.severity)
    # Its end says nothing: whether serving is well is the probe's word.
    reaches_policy = rule is HIGH_ERROR_RATE and broken
    return Change(
        name=f"rule:{rule.name}",
        firing=broken,
        severity=rule.severity,
        subject=SERVING,
        event_type=FAILED if reaches_policy else "",
        payload=health if reaches_policy else None,
        alert=AlertText(f"{SERVING}|{rule.name}", title, message, title, message_ko),
        names_version=reaches_policy,
    )
