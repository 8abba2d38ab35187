"""What the monitor found, said once: an event through the outbox, an alert, and the memory of both in one transaction.

Guarantee: a change is said once, also over a restart of the monitor or by two copies, and none is lost while the process lives.
Failure: Postgres is away, the monitor dies between two looks, another copy takes over. Remedy: changes wait in their order until Postgres
is back; what was last said is a row, locked while it is compared; the event's id is made of the watched name and how often it was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from evergreen.contracts.actions import NO_MODEL, SeverityWord
from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import Payload, ServiceHealth
from evergreen.core.alert_texts_ko import SEVERITIES as SEVERITIES_KO
from evergreen.core.alerts import ALERTED_BY, AlertDetails
from evergreen.core.clock import Clock, wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.severity import Severity
from evergreen.ports.monitoring import MonitorStore, MonitorTransaction, WatchRow
from evergreen.ports.records import AlertRow
from evergreen.services.raise_alert import raise_alerts

SOURCE = "/monitor"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AlertText:
    grouping: str
    title: str
    message: str
    title_ko: str
    message_ko: str


@dataclass(frozen=True)
class Change:
    """A watched thing as it is now. Nothing is said where it was said before."""

    name: str
    firing: bool
    severity: SeverityWord
    subject: str
    event_type: str = ""
    payload: Payload | None = None
    alert: AlertText | None = None
    policy_alerts: bool = False
    """The alert is left to the policy, which reads the event. One that was recorded here is also ended here."""
    repeat: timedelta | None = None
    """A state that stays is said again after this long; None: once."""
    names_version: bool = False
    """The event says which version is in its bake, if one is: the policy can go back from it."""


class RecordChanges:
    """Used by one thread at a time."""

    def __init__(self, store: MonitorStore, clock: Clock, wall: Callable[[], datetime] = wall_now) -> None:
        self._store = store
        self._clock = clock
        self._wall = wall
        self._waiting: deque[Change] = deque()
        self._noted: dict[str, tuple[bool, SeverityWord, datetime]] = {}

    def note(self, change: Change) -> None:
        """Kept until `flush`. The same again costs nothing."""
        now, before = self._wall(), self._noted.get(change.name)
        if before is not None and before[:2] == (change.firing, change.severity) and not _is_due(change, before[2], now):
            return
        self._noted[change.name] = (change.firing, change.severity, now)
        self._waiting.append(change)

    def flush(self) -> int:
        """Record what waits, in order; returns how many still wait because Postgres is away."""
        while self._waiting:
            change = self._waiting[0]
            try:
                with self._store.transaction() as tx:
                    said = self._write(tx, change)
            except Unavailable as error:
                log.error("monitor_waits_for_postgres", waiting=len(self._waiting), first=change.name, firing=change.firing, error=str(error))
                break
            self._waiting.popleft()
            if said:
                log.warning("monitor_said", name=change.name, firing=change.firing, severity=change.severity, type=change.event_type)
        return len(self._waiting)

    def forget(self) -> None:
        """Another copy led meanwhile: what it said is in the table, and is compared there. What waits here is as old as that."""
        self._noted.clear()
        self._waiting.clear()

    def _write(self, tx: MonitorTransaction, change: Change) -> bool:
        row, wall = tx.watches.lock(change.name), self._wall()
        if not _is_news(change, row, wall):
            return False
        said = (0 if row is None else row.said) + 1
        ends_ours = row is not None and row.alerted and not change.firing
        alert = None if change.policy_alerts and not ends_ours else change.alert
        tx.watches.put(WatchRow(change.name, change.firing, change.severity, said, wall, alerted=alert is not None))
        event = self._event(tx, change, said, told=alert is not None)
        if event is not None:
            tx.outbox.publish(event)
        if alert is not None:
            raise_alerts(tx, [self._alert(change, alert, said, event)])
        return True

    def _event(self, tx: MonitorTransaction, change: Change, said: int, *, told: bool) -> Event | None:
        payload = change.payload
        if payload is None:
            return None
        if change.names_version and isinstance(payload, ServiceHealth):
            payload = payload.model_copy(update={"model_version": tx.observations.version_in_bake()})
        return Event(
            id=derived_id("monitor", change.name, said, change.event_type),
            source=SOURCE,
            type=change.event_type,
            subject=change.subject,
            time=self._clock.now(),
            data=payload.model_dump(mode="json"),
            extensions={ALERTED_BY: SOURCE} if told else {},
        )

    def _alert(self, change: Change, text: AlertText, said: int, event: Event | None) -> AlertRow:
        severity_ko = SEVERITIES_KO.get(change.severity, change.severity)
        details = AlertDetails(title_ko=f"[{severity_ko if change.firing else '해결'}] {text.title_ko}", message_ko=text.message_ko)
        return AlertRow(
            id=UUID(derived_id("monitor", change.name, said, "alert")),
            grouping=text.grouping,
            severity=change.severity,
            details=details,
            resolves=not change.firing,
            title=f"[{change.severity if change.firing else 'resolved'}] {text.title}",
            message=text.message,
            model=NO_MODEL,
            time=self._clock.now(),
            event_source=None if event is None else event.source,
            event_id=None if event is None else event.id,
        )


def _is_due(change: Change, said_at: datetime, now: datetime) -> bool:
    return change.firing and change.repeat is not None and now - said_at >= change.repeat


def _is_news(change: Change, row: WatchRow | None, now: datetime) -> bool:
    """Begun, ended, become worse, or lasting long enough to be said again."""
    if row is None or not row.firing:
        return change.firing
    return not change.firing or Severity.parse(change.severity) > Severity.parse(row.severity) or _is_due(change, row.said_at, now)
