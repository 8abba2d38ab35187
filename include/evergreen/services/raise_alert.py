"""Raising alerts: recorded for the notifier, and said on `system.alerts`, in the transaction of whatever caused them.

Guarantee: an alert is recorded and said, or neither; and it never causes an event that causes an alert. Failure: the step is repeated; or
a `system_alert` of somebody else's becomes an alert here. Remedy: ids are derived, so a repeat says nothing new; what a `system_alert`
caused is recorded and told but not said again, and the policy ignores what comes from `SOURCE`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import SystemAlert
from evergreen.contracts.topics import payload_of
from evergreen.core.alerts import LONGEST_MESSAGE, LONGEST_TITLE, RESOLVING, AlertDetails, Resolution, bounded, resolutions_of
from evergreen.core.clock import Clock
from evergreen.core.concerns import model_of_version
from evergreen.core.errors import Unavailable
from evergreen.core.severity import Severity
from evergreen.ports.alerts import AlertRow, Alerts
from evergreen.ports.records import DecisionRow
from evergreen.ports.storage import Outbox

SOURCE = "/policy"
SYSTEM_ALERT = "system_alert"
log = structlog.get_logger(__name__)


class AlertTransaction(Protocol):
    @property
    def alerts(self) -> Alerts: ...
    @property
    def outbox(self) -> Outbox: ...


class AlertStore(Protocol):
    def transaction(self) -> AbstractContextManager[AlertTransaction]: ...


def raise_alerts(tx: AlertTransaction, rows: Sequence[AlertRow]) -> None:
    """Record and say them. What only resolves is recorded."""
    tx.alerts.record(rows)
    tx.outbox.publish_all([announcement(row) for row in rows if not row.resolves and row.event_type != SYSTEM_ALERT])


def announcement(row: AlertRow) -> Event:
    payload = SystemAlert(
        title=bounded(row.title, LONGEST_TITLE),
        message=bounded(row.message, LONGEST_MESSAGE),
        severity=Severity.parse(row.severity).word,
        timestamp=row.time,
        source_event=row.event_id or "-",
        drift_score=row.details.drift_score,
        model_version=row.details.model_version,
    )
    data = payload.model_dump(mode="json")
    return Event(id=derived_id(row.id, SYSTEM_ALERT), source=SOURCE, type=SYSTEM_ALERT, subject=row.model, time=row.time, data=data)


def with_resolutions(alerts: Sequence[AlertRow], events: Iterable[Event], decisions: Iterable[DecisionRow] = ()) -> list[AlertRow]:
    """The alerts of a batch of events and what the same events say is over, in the order it happened: one batch may hold failed,
    recovered and failed again. `decisions`: which models each event was decided for."""
    models: dict[tuple[str, str], list[str]] = {}
    for decision in decisions:
        models.setdefault((decision.event_source, decision.event_id), []).append(decision.model)
    caused: dict[tuple[str | None, str | None], list[AlertRow]] = {}
    for row in alerts:
        caused.setdefault((row.event_source, row.event_id), []).append(row)
    rows: list[AlertRow] = []
    for event in events:
        rows += caused.pop((event.source, event.id), [])
        if event.type in RESOLVING:
            rows += [_resolution(event, one) for one in resolutions_of(payload_of(event), event.type, models.get((event.source, event.id), ()))]
    return [*rows, *(row for others in caused.values() for row in others)]


def _resolution(event: Event, one: Resolution) -> AlertRow:
    row = resolution(one.grouping, event.time, why=f"{event.type}: {one.about}", why_ko=f"{one.about} ({event.type})", key=f"{event.source} {event.id}")
    return replace(row, event_source=event.source, event_id=event.id)


def resolution(grouping: str, time: datetime, *, why: str, key: str, why_ko: str = "", model: str | None = None) -> AlertRow:
    """Says that a group is over, whoever knows it. `key`: what makes this word of it the same when it is said again."""
    about, _, event_type = grouping.rpartition("|")
    details = AlertDetails(event_type=event_type, title_ko=f"[해결] {about}: {event_type}", message_ko=why_ko or why)
    title = f"[resolved] {about}: {event_type}"
    return AlertRow(
        UUID(derived_id("resolved", grouping, key)), grouping, "low", title, why, model or model_of_version(about), time, details=details, resolves=True
    )


def poisoned(partition: tuple[str, int], pause: timedelta, now: datetime) -> AlertRow:
    """A partition that brings little but poison is paused. The dead letters name each message."""
    topic, number, seconds = *partition, int(pause.total_seconds())
    title = f"[high] Poison on {topic}[{number}]"
    message = f"Its messages go to the dead letters; it is paused for {seconds} s. See `evergreen dlq list`."
    details = AlertDetails(
        event_type="poison",
        title_ko=f"[높음] 처리할 수 없는 메시지: {topic}[{number}]",
        message_ko=f"메시지를 dead.letter로 보내고 {seconds}초 동안 멈춥니다. `evergreen dlq list`로 확인하세요.",
    )
    return AlertRow(UUID(derived_id("partition_paused", topic, number, now)), f"{topic}|poison", "high", title, message, NO_MODEL, now, details=details)


def policy_refused(why: str, key: str, now: datetime) -> AlertRow:
    """A policy file with a mistake. `key`: of the file and of the policy that stays, so that one mistake is one alert."""
    details = AlertDetails(event_type="policy_refused", title_ko="[높음] 정책 파일이 거부되었습니다", message_ko=f"{why} 지금까지의 정책이 그대로 적용됩니다.")
    row = AlertRow(UUID(derived_id("policy_refused", key)), "policy|refused", "high", "[high] Policy file refused", "", NO_MODEL, now, details=details)
    return replace(row, message=f"{why} The running policy stays.")


class PoisonAlert:
    """For a worker whose consumer pauses a partition. Best effort: the pause does not wait for a database that is away."""

    def __init__(self, store: AlertStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __call__(self, topic: str, partition: int, pause: timedelta) -> None:
        row = poisoned((topic, partition), pause, self._clock.now())
        try:
            with self._store.transaction() as tx:
                raise_alerts(tx, [row])
        except Unavailable as error:
            log.warning("alert_not_recorded", error=str(error))
