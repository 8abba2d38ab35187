"""The monitor's use cases without services: a clock that moves when told to, and what was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from evergreen.adapters.memory.monitoring import MemoryMonitorStore
from evergreen.contracts.envelope import Event, decode
from evergreen.core.clock import FixedClock
from evergreen.ports.records import AlertRow
from evergreen.services.record_changes import RecordChanges

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class MonitorBench:
    store: MemoryMonitorStore = field(default_factory=MemoryMonitorStore)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))

    def __post_init__(self) -> None:
        self.record = self.restarted()

    def restarted(self) -> RecordChanges:
        """Another process on the same database."""
        return RecordChanges(self.store, self.clock, wall=self.clock.now)

    def later(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    def events(self, event_type: str = "") -> list[Event]:
        """That say something new; an alert is also said on `system.alerts`, which the policy passes over."""
        decoded = [decode(one.value or b"") for one in self.store.tables.outbox.values()]
        return [event for event in decoded if event_type in ("", event.type) and (event_type or event.type != "system_alert")]

    def alerts(self) -> list[AlertRow]:
        return list(self.store.tables.alerts.values())
