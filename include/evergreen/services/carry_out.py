"""Claiming an action, carrying it out and saying so: what every DAG shares.

Guarantee: an action's effects, its status and the events it results in are one transaction, and only the holder of the newest
fencing token gets through it. Failure: a run dies, hangs or is paused at any line. Remedy: the lease (90 s, renewed every 20 s)
runs out, the sweeper makes the action pending again and rings; the next run repeats the step, whose events have the same ids
(UUIDv5), and the old run, should it wake up, is fenced."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from evergreen.contracts.actions import NO_MODEL, Action, ActionKind, ActionStatus, SeverityWord
from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import ActionCompleted, ActionFailed, ActionRequested, Payload
from evergreen.core.clock import Clock
from evergreen.core.errors import Fenced, Unavailable
from evergreen.ports.storage import MAX_ATTEMPTS, ClaimedAction, Lease, Store, Transaction

LEASE = timedelta(seconds=90)
RENEW_EVERY = timedelta(seconds=20)
_BACKOFF = timedelta(seconds=30)
CAUSES_SAID = 50
"""In a doorbell: whatever their sources are called, so many fit into a message. The row keeps all of them."""
log = structlog.get_logger(__name__)


def resulting_event(action: Action, event_type: str, payload: Payload, *, subject: str, time: datetime, target: str = "") -> Event:
    """An event an action results in: same action, type and target, same id, however often the step is repeated."""
    return Event(
        id=derived_id(action.id, event_type, target or subject),
        source=f"/airflow/{action.kind}",
        type=event_type,
        subject=subject,
        time=time,
        data=payload.model_dump(mode="json"),
        extensions={"traceparent": action.traceparent} if action.traceparent else {},
    )


def request_event(action: Action, time: datetime) -> Event:
    """The doorbell of an action. Its first causes go with it: one that waited long may have thousands, more than a message holds."""
    said = action.model_copy(update={"causes": action.causes[:CAUSES_SAID]})
    return Event(
        id=derived_id(action.id, "action_requested"),
        source="/policy",
        type="action_requested",
        subject=action.model if action.model != NO_MODEL else action.kind.value,
        time=time,
        data=ActionRequested(action=said).model_dump(mode="json"),
        extensions={"traceparent": action.traceparent} if action.traceparent else {},
    )


class CarryOut:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def claim(self, kind: ActionKind, run_id: str, action_id: UUID | None = None) -> ClaimedAction | None:
        """The action this run carries out; asking again in the same run gives the same one. None: nothing to do."""
        with self._store.transaction() as tx:
            return tx.actions.claim(kind, run_id, self._clock.now(), LEASE, action_id)

    def request(
        self,
        kind: ActionKind,
        *,
        model: str,
        target: str,
        reason: str,
        who: str,
        key: str,
        params: Mapping[str, Any] | None = None,
        severity: SeverityWord = "medium",
    ) -> Action:
        """An action asked for by a person (trigger form, command line): recorded like any other, so nothing runs unrecorded.
        `key` identifies the asking (e.g. the run id): the same key gives the same action."""
        now = self._clock.now()
        action = Action(
            id=UUID(derived_id("manual", kind, key)),
            kind=kind,
            model=model,
            target=target,
            params={**(params or {}), "requested_by": who},
            reason=reason,
            severity=severity,
            priority="high",
            due_at=now,
            as_of=now,
        )
        with self._store.transaction() as tx:
            if tx.actions.insert(action, key=f"manual:{kind}:{key}", event_type="manual", accepted_at=now):
                tx.outbox.publish(request_event(action, now))
                tx.actions.mark_rung([action.id])
        return action

    @contextmanager
    def working(self, lease: Lease) -> Iterator[threading.Event]:
        """Marks the action running and keeps the lease alive. The event it yields is set when the lease was lost: stop early."""
        lost, stop = threading.Event(), threading.Event()
        with self._store.transaction(lease) as tx:
            tx.actions.start(lease)
            tx.actions.renew(lease, LEASE)
        thread = threading.Thread(target=self._keep, args=(lease, stop, lost), name=f"lease-{lease.action_id}", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            stop.set()
            thread.join(timeout=RENEW_EVERY.total_seconds())

    def _keep(self, lease: Lease, stop: threading.Event, lost: threading.Event) -> None:
        while not stop.wait(RENEW_EVERY.total_seconds()):
            try:
                with self._store.transaction() as tx:
                    if not tx.actions.renew(lease, LEASE):
                        lost.set()
                        return
            except Unavailable as error:  # Postgres restarts: the lease outlives three missed renewals
                log.warning("lease_not_renewed", action_id=str(lease.action_id), error=str(error))

    def complete(self, tx: Transaction, claimed: ClaimedAction, events: Sequence[Event] = (), result: Mapping[str, Any] | None = None) -> None:
        """In the transaction of the effects (opened with the lease): the resulting events, the status, `action_completed`."""
        action = claimed.action
        for event in events:
            tx.outbox.publish(event)
        tx.actions.finish(claimed.lease, ActionStatus.SUCCEEDED, result=result or {})
        about = {"action_id": str(action.id), "kind": action.kind, "model": action.model, "target": action.target}
        done = ActionCompleted(**about, run_id=claimed.lease.run_id, result=dict(result or {}))
        tx.outbox.publish(resulting_event(action, "action_completed", done, subject=action.model, time=self._clock.now(), target=str(action.id)))

    def fail(self, lease: Lease, error: str) -> bool:
        """After a failed run: back to pending with exponential back-off, or, attempts used up, failed with `action_failed`.
        False when the action was no longer this run's."""
        try:
            with self._store.transaction(lease) as tx:
                row = tx.actions.get(lease.action_id)
                if row is None:  # deleted by hand: nothing left to fail
                    return False
                if row.attempts < MAX_ATTEMPTS:
                    tx.actions.retry_later(lease, error=error, wait=_BACKOFF * 2 ** (row.attempts - 1))
                else:
                    give_up(tx, row.action, lease, row.attempts, error, self._clock.now())
        except Fenced:
            return False
        return True

    def ring_if_pending(self, kind: ActionKind) -> int:
        """The last task of a run: ring for the next due action of the kind. Returns how many are due."""
        with self._store.transaction() as tx:
            waiting = tx.actions.due(self._clock.now(), kind)
            if waiting:
                if not tx.outbox.ring(waiting[0].action.id):  # its doorbell was pruned, or it was asked for without one
                    tx.outbox.publish(request_event(waiting[0].action, self._clock.now()))
                tx.actions.mark_rung([waiting[0].action.id])
            return len(waiting)


def give_up(tx: Transaction, action: Action, lease: Lease, attempts: int, error: str, now: datetime) -> None:
    tx.actions.finish(lease, ActionStatus.FAILED, error=error)
    failed = ActionFailed(action_id=str(action.id), kind=action.kind, model=action.model, target=action.target, attempts=attempts, error=error[:500])
    tx.outbox.publish(resulting_event(action, "action_failed", failed, subject=action.model, time=now, target=str(action.id)))
