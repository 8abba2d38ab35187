"""Taking in: a batch of messages becomes events, decisions, actions and outbox rows in one transaction.

Guarantee: each event has its effect once, whatever is delivered again, and nothing is passed over in silence. Failure: a worker dies
between commit and offset, another copy gets the same message, one event breaks its handler. Remedy: events are unique on (source, id)
and models are locked, so a repeat finds its row; a batch that fails is undone to its savepoint and taken event by event, and what
fails by itself goes to the dead letters. Offsets are the caller's, after this returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from evergreen.contracts.actions import Action
from evergreen.core.clock import Clock
from evergreen.core.concerns import Catalogue
from evergreen.core.errors import EvergreenError, InvalidEvent, Unavailable
from evergreen.core.rules import Policy
from evergreen.ports.messaging import Received
from evergreen.ports.records import AlertRow, EventKey, Plan, RecordStore, RecordTransaction
from evergreen.services.arrivals import arrived_as
from evergreen.services.carry_out import request_event
from evergreen.services.dead_letters import Poison
from evergreen.services.decide import Arrived, Planner, concerned, requested_now
from evergreen.services.raise_alert import poisoned, raise_alerts, with_resolutions

ATTEMPTS = 3
log = structlog.get_logger(__name__)


class StateMoved(EvergreenError):
    """What was decided on changed before it was written: decide again."""


@dataclass
class Taken:
    """What became of a batch."""

    new: int = 0
    repeated: int = 0
    passed_over: int = 0
    poison: dict[tuple[str, int, int], Poison] = field(default_factory=dict)
    """By topic, partition, offset."""


class TakeIn:
    def __init__(
        self,
        store: RecordStore,
        clock: Clock,
        catalogue: Catalogue,
        policy: Callable[[], Policy],
        shadow: Callable[[], Policy | None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._catalogue = catalogue
        self._policy = policy
        self._shadow = shadow

    def run(self, messages: Sequence[Received]) -> Taken:
        """Raises Unavailable when Postgres is away: nothing of the batch is written then, call again with the same batch."""
        taken, now = Taken(), self._clock.now()
        arrived: list[tuple[Received, Arrived]] = []
        for message in messages:
            try:
                one = arrived_as(message, now)
            except InvalidEvent as error:
                _poison(taken, Poison(message, error.reason, type(error.__cause__ or error).__name__, str(error)))
            except Exception as error:  # noqa: BLE001 - the edge where messages enter: one nobody foresaw must not stop the rest
                _poison(taken, Poison(message, "handler_failed", type(error).__name__, str(error)))
            else:
                if one is None:
                    taken.passed_over += 1
                else:
                    arrived.append((message, one))
        alerts: list[AlertRow] = []
        with self._store.transaction() as tx:
            if arrived:
                alerts = self._record(tx, arrived, taken)
            for poison in taken.poison.values():
                tx.outbox.dead_letter(poison.message.key, poison.message.value, poison.headers(), poison.message.headers, poison.letter_id)
        _log(taken, alerts)
        return taken

    def raise_alarm(self, partition: tuple[str, int], pause: timedelta) -> None:
        """A partition brings little but poison. Best effort: each dead letter says it too."""
        row = poisoned(partition, pause, self._clock.now())
        try:
            with self._store.transaction() as tx:
                raise_alerts(tx, [row])
        except Unavailable as error:
            log.warning("alarm_not_recorded", error=str(error))
        _log(Taken(), [row])

    def decide_here(self, tx: RecordTransaction, arrived: Sequence[Arrived], now: datetime) -> Plan:
        """For the tick: events without a Kafka hop, in a transaction of the caller's."""
        tx.decisions.lock(concerned(arrived, self._catalogue))
        return self._decide(tx, arrived, max(now, self._clock.now()))

    def _record(self, tx: RecordTransaction, arrived: Sequence[tuple[Received, Arrived]], taken: Taken) -> list[AlertRow]:
        tx.decisions.lock(concerned([one for _, one in arrived], self._catalogue))
        now = self._clock.now()  # under the locks: what another copy accepted while we waited must not lie ahead
        try:
            with tx.savepoint():
                return self._together(tx, arrived, taken, now)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the edge where messages enter: whatever one of them breaks, the others go on
            log.warning("batch_taken_one_by_one", size=len(arrived), error=f"{type(error).__name__}: {error}")
        alerts: list[AlertRow] = []
        for message, one in arrived:
            alerts += self._alone(tx, message, one, taken, now)
        return alerts

    def _alone(self, tx: RecordTransaction, message: Received, one: Arrived, taken: Taken, now: datetime) -> list[AlertRow]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with tx.savepoint():
                    return self._together(tx, [(message, one)], taken, now)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above; after the last attempt it is a dead letter with the cause in it
                if attempt == ATTEMPTS:
                    _poison(taken, Poison(message, "handler_failed", type(error).__name__, str(error), attempts=attempt))
        return []

    def _together(self, tx: RecordTransaction, arrived: Sequence[tuple[Received, Arrived]], taken: Taken, now: datetime) -> list[AlertRow]:
        found = Taken()
        fresh = _fresh(arrived, tx.events.known([one.row.key for _, one in arrived]), found)
        plan = self._decide(tx, [one for _, one in fresh], now)
        messages = {one.row.key: message for message, one in fresh}
        for decision in plan.decisions:
            if decision.rule.endswith(".unknown_model"):
                message = messages[(decision.event_source, decision.event_id)]
                _poison(found, Poison(message, "unknown_model", "UnknownModel", f"decision {decision.model}/{decision.seq}: no such model here"))
        taken.new += len(fresh)
        taken.repeated += found.repeated
        taken.poison |= found.poison
        return plan.alerts

    def _decide(self, tx: RecordTransaction, arrived: Sequence[Arrived], now: datetime) -> Plan:
        if not arrived:
            return Plan()
        policy, models = self._policy(), concerned(arrived, self._catalogue)
        types = sorted({one.row.event.type for one in arrived})
        states, heads = tx.history.states(models, self._catalogue, types, now), tx.decisions.heads(models)
        planner = Planner(policy, self._catalogue, states, heads, now, self._shadow())
        for one in arrived:
            planner.add(one)
        write(tx, planner.plan, now)
        return planner.plan


def write(tx: RecordTransaction, plan: Plan, now: datetime) -> None:
    """Raises StateMoved when another transaction changed what was decided on."""
    if tx.events.record(plan.events) != len(plan.events):
        raise StateMoved("an event of the batch was recorded meanwhile")
    tx.decisions.append(plan.decisions)
    at_once = requested_now(plan, now)
    tx.planned.insert([plan.actions[action_id] for action_id in at_once], rung=True)
    tx.planned.insert([one for action_id, one in plan.actions.items() if action_id not in set(at_once)], rung=False)
    raise_alerts(tx, with_resolutions(plan.alerts, [row.event for row in plan.events], plan.decisions))
    tx.shadows.record(plan.shadows)
    requested = [plan.actions[action_id].action for action_id in at_once]
    if plan.absorbed:
        requested += _absorb(tx, plan, now)
    tx.outbox.publish_all([request_event(action, now) for action in [*requested, *_settle_waiting(tx, plan)]])


def _settle_waiting(tx: RecordTransaction, plan: Plan) -> list[Action]:
    """What waited for its time: cancelled, or returned to be rung."""
    for action_id, why in plan.cancelled.items():
        if not tx.planned.cancel(action_id, why):
            raise StateMoved(f"action {action_id} no longer waits")
    tx.planned.release(plan.released)
    return [row.action for row in map(tx.actions.get, plan.released) if row is not None]


def _absorb(tx: RecordTransaction, plan: Plan, now: datetime) -> list[Action]:
    """Returns the actions that were scheduled for later and are to be rung for now."""
    before = {action_id: row.action for action_id in plan.absorbed if (row := tx.actions.get(action_id)) is not None}
    tx.planned.hold_claims({action.kind for action in before.values()})
    hurried = []
    for action_id, absorbed in plan.absorbed.items():
        runs_now = absorbed.absorption.runs_now
        if not tx.planned.absorb(absorbed, accepted_at=absorbed.absorption.due_at if absorbed.absorption.sooner else None):
            raise StateMoved(f"action {action_id} is no longer {absorbed.absorption.status}")
        row = tx.actions.get(action_id) if runs_now else None
        if row is not None:
            hurried.append(row.action)
    tx.actions.mark_rung([action.id for action in hurried])
    return hurried


def _fresh(arrived: Sequence[tuple[Received, Arrived]], known: Mapping[EventKey, str], found: Taken) -> list[tuple[Received, Arrived]]:
    """Those that are new; a repeat is passed over, the same id with other content is poison."""
    seen, fresh = dict(known), []
    for message, one in arrived:
        recorded = seen.get(one.row.key)
        if recorded is None:
            seen[one.row.key] = one.row.content_hash
            fresh.append((message, one))
        elif recorded == one.row.content_hash:
            found.repeated += 1
        else:
            _poison(found, Poison(message, "id_reused", "IdReused", f"{one.row.event.source} {one.row.event.id} was recorded with other content"))
    return fresh


def _poison(taken: Taken, poison: Poison) -> None:
    taken.poison[(poison.message.topic, poison.message.partition, poison.message.offset)] = poison


def _log(taken: Taken, alerts: Sequence[AlertRow]) -> None:
    for alert in alerts:
        log.warning("alert", severity=alert.severity, title=alert.title, message=alert.message, model=alert.model, event_id=alert.event_id)
    for poison in taken.poison.values():
        where = {"topic": poison.message.topic, "partition": poison.message.partition, "offset": poison.message.offset}
        log.warning("dead_letter", reason=poison.reason, detail=poison.detail, letter=poison.letter_id, **where)
