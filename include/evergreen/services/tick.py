"""The tick: what the platform's clock makes due becomes an event and is decided like any other, without a hop through Kafka.

Guarantee: a timer fires once for each time it is due. Failure: the leader dies between event and memory, or two lead for a moment.
Remedy: both are one transaction, and the event's id is made of timer, model and due time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog

from evergreen.contracts.envelope import Event, derived_id, stamped
from evergreen.contracts.events import TimerDue
from evergreen.core.clock import Clock, wall_now
from evergreen.core.concerns import Catalogue
from evergreen.core.rules import Policy
from evergreen.core.timers import MAINTENANCE, MORE_DATA, SCHEDULED, due_timers
from evergreen.ports.records import EventRow, Plan, RecordStore, RecordTransaction, Trained
from evergreen.ports.storage import ActionRow
from evergreen.services.carry_out import request_event
from evergreen.services.decide import Arrived
from evergreen.services.intake import TakeIn

log = structlog.get_logger(__name__)


class Tick:
    def __init__(
        self, store: RecordStore, clock: Clock, catalogue: Catalogue, full_window_days: Mapping[str, int], policy: Callable[[], Policy], take_in: TakeIn
    ) -> None:
        self._store = store
        self._clock = clock
        self._catalogue = catalogue
        self._full_window_days = full_window_days
        self._policy = policy
        self._take_in = take_in

    def run(self) -> int:
        """Returns how many events it made."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            trained = tx.timers.champions(self._catalogue)
            due = due_timers(self._policy(), now, tx.timers.last(), trained)
            fired = [timer_due(one.timer, one.model, one.at, now) for one in due if one.fires]
            fired += [timer_due(MORE_DATA, model, one.at, now) for one in due if one.fires and one.timer == MAINTENANCE for model in self._doubled(trained)]
            self._decide(tx, fired, now)
            for one in due:
                tx.timers.set(one.timer, one.model, one.at)
        for arrived in fired:
            log.info("timer_due", **arrived.row.event.data)
        return len(fired)

    def pending(self) -> int:
        """Timers that are due and have not fired yet."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            return sum(one.fires for one in due_timers(self._policy(), now, tx.timers.last(), tx.timers.champions(self._catalogue)))

    def call(self, tx: RecordTransaction, row: ActionRow, now: datetime) -> None:
        """An action that was scheduled or deferred has come due: it is decided again, then asked for like one that never waited, or cancelled."""
        action = row.action
        plan = self._decide(tx, [timer_due(SCHEDULED, action.model, action.due_at, now, action_id=str(action.id))], now)
        if action.id not in {*plan.released, *plan.cancelled}:
            tx.planned.release([action.id])
            tx.outbox.publish(request_event(action, now))

    def _doubled(self, trained: Mapping[str, Trained]) -> Iterable[str]:
        """Models trained on too little, whose data is twice what any attempt since has seen."""
        for model, days in trained.items():
            if days.champion_days < self._full_window_days.get(model, 0) and days.available_days >= 2 * days.longest_days:
                yield model

    def _decide(self, tx: RecordTransaction, arrived: list[Arrived], now: datetime) -> Plan:
        known = tx.events.known([one.row.key for one in arrived])
        fresh = [one for one in arrived if one.row.key not in known]
        return self._take_in.decide_here(tx, fresh, now) if fresh else Plan()


def timer_due(timer: str, model: str, due_at: datetime, now: datetime, *, action_id: str | None = None) -> Arrived:
    payload = TimerDue(timer=timer, model=model, due_at=due_at, action_id=action_id)
    event = Event(
        id=derived_id("timer_due", timer, model, due_at.isoformat(), action_id or ""),
        source="/tick",
        type="timer_due",
        subject=model,
        time=now,
        data=payload.model_dump(mode="json"),
    )
    wall = wall_now()
    return Arrived(EventRow(stamped(event, wall), event.content_hash(), received_at=wall, produced_at=wall), payload)
