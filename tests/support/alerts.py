"""Alerts as the loop records them, and a notifier around a store, with clocks a test moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from evergreen.adapters.memory.notifications import MemoryNotifier, MemoryNotifyStore
from evergreen.core.alerts import AlertDetails
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.notices import Notice, Text
from evergreen.core.severity import Severity
from evergreen.ports.alerts import AlertRow
from evergreen.ports.notifications import NoticeRow, NotifyStore
from evergreen.ports.notifier import NotDelivered
from evergreen.services.deliver import LEASE, Deliver
from evergreen.services.notify import Notify
from evergreen.services.plan_notices import NotifyRules
from evergreen.services.raise_alert import resolution
from tests.support.events import MODEL, NOON

DRIFT = "data_drift_detected"
SEOUL = ZoneInfo("Asia/Seoul")


def alert(severity: str = "high", *, model: str = MODEL, event_type: str = DRIFT, title: str = "Data drift", **changes: Any) -> AlertRow:
    details = AlertDetails(event_type=event_type, title_ko="데이터 드리프트", message_ko="점수 0.700")
    row = AlertRow(uuid4(), f"{model}|{event_type}", severity, f"[{severity}] {title}", "Drift score 0.700", model, NOON, details=details)
    return AlertRow(**{**vars(row), **changes})


def notice(**changes: Any) -> Notice:
    about: dict[str, Any] = {"grouping": f"{MODEL}|{DRIFT}", "severity": "high", "model": MODEL, "event_type": DRIFT, "time": NOON}
    texts = {"title": Text("[high] Data drift", "[높음] 데이터 드리프트"), "message": Text("Drift score 0.700.", "드리프트 점수 0.700.")}
    return Notice(**{"id": uuid4(), "channel": "ops", "kind": "firing", **about, **texts, "alert_ids": ("a",), **changes})


def away(_number: int) -> Exception | None:
    return NotDelivered("nobody answers")


@dataclass
class NotifyBench:
    """One channel per name; `restart` is a new process around the same store."""

    store: NotifyStore = field(default_factory=MemoryNotifyStore)
    channels: Mapping[str, str] = field(default_factory=lambda: {"ops": "low"})
    max_attempts: int = 3
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    wall: FixedClock = field(default_factory=lambda: FixedClock(wall_now() + timedelta(minutes=1)))
    """Ahead of the stamps the store makes: every group wait is over."""

    def __post_init__(self) -> None:
        self.received = {name: MemoryNotifier() for name in self.channels}
        self.restart()

    def restart(self) -> None:
        rules = NotifyRules({name: Severity.parse(least) for name, least in self.channels.items()})
        self.notify = Notify(self.store, self.clock, self.wall, rules, time(9), SEOUL)
        self.deliver = Deliver(self.store, self.wall, self.received, max_attempts=self.max_attempts)

    def record(self, *rows: AlertRow) -> None:
        with self.store.transaction() as tx:
            tx.alerts.record(rows)

    def over(self, row: AlertRow) -> None:
        self.record(resolution(row.grouping, self.clock.now(), why="it is over", key=str(uuid4())))

    def round(self) -> None:
        self.notify.run()
        for channel in self.channels:
            self.deliver.run(channel)

    def tell(self, *rows: AlertRow) -> list[str]:
        """Record, one round; what the first channel received by it, as its kinds and English titles."""
        before = len(self.said)
        self.record(*rows)
        self.round()
        return self.said[before:]

    @property
    def said(self) -> list[str]:
        return [f"{one.kind}: {one.title.en}" for one in self.received[next(iter(self.channels))].received]

    def outcomes(self) -> list[str | None]:
        """Oldest first."""
        with self.store.transaction() as tx:
            return [row.outcome for row in reversed(tx.alerts.newest(1000))]

    def notices(self) -> list[NoticeRow]:
        with self.store.transaction() as tx:
            return list(reversed(tx.notices.newest(1000)))

    def after_lease(self) -> None:
        self.wall.advance(LEASE + timedelta(seconds=1))
