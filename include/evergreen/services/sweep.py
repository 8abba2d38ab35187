"""The sweeper: no action is stranded.

Guarantee: an action that is due and that nobody works on is rung. Failure: a run dies with its lease, Airflow drops or merges a
doorbell, a scheduled action or a retry becomes due. Remedy: expired leases return to pending (or are given up after the last attempt),
and the oldest due action of each kind and model is rung when its last doorbell is a minute old; a new one, at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from evergreen.contracts.actions import ActionStatus
from evergreen.core.clock import Clock
from evergreen.ports.records import RecordStore
from evergreen.ports.storage import Lease
from evergreen.services.carry_out import give_up
from evergreen.services.tick import Tick

RING_AGAIN_AFTER = timedelta(seconds=60)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Swept:
    returned: int = 0
    given_up: int = 0
    rung: int = 0


class Sweep:
    def __init__(self, store: RecordStore, clock: Clock, tick: Tick) -> None:
        self._store = store
        self._clock = clock
        self._tick = tick

    def run(self) -> Swept:
        returned, given_up = self.expire()
        return Swept(returned, given_up, self.ring())

    def expire(self) -> tuple[int, int]:
        """Leases that ran out: how many actions wait again, how many were given up."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            rows = tx.actions.expire_leases()
            lost = [row for row in rows if row.status is not ActionStatus.PENDING]
            for row in lost:
                lease = Lease(row.action.id, row.token, row.run_id or "")
                give_up(tx, row.action, lease, row.attempts, row.error or "its lease expired and every attempt is used up", now)
        for row in rows:
            log.warning("lease_expired", action_id=str(row.action.id), kind=row.action.kind, attempts=row.attempts, given_up=row in lost)
        return len(rows) - len(lost), len(lost)

    def ring(self) -> int:
        """Returns how many doorbells were rung."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            waiting = tx.actions.quiet(now, RING_AGAIN_AFTER)
            # A run rings for the next of its kind itself when it ends; while one is out, a doorbell would only open an empty run.
            out = tx.actions.out() if waiting else set()
            alone = [row for row in waiting if (row.action.kind, row.action.model) not in out]
            for row in alone:
                if not tx.outbox.ring(row.action.id):
                    self._tick.call(tx, row, now)
            for row in alone:
                tx.actions.mark_all_rung(row.action.kind, row.action.model, now)
        for row in alone:
            log.info("rung_again", kind=row.action.kind, model=row.action.model, action_id=str(row.action.id))
        return len(alone)
