"""Why something was done, or was not: the recorded rows around one event or one action."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL
from evergreen.core.concerns import Catalogue
from evergreen.core.decision import GENESIS, Decision, chain
from evergreen.core.errors import NotFound
from evergreen.core.rules import Policy
from evergreen.core.state import State
from evergreen.ports.records import DecisionRow, EventRow, RecordStore, RecordTransaction
from evergreen.ports.storage import ActionRow
from evergreen.services.decide import Arrived, Planner, concerned


class Explain:
    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def run(self, name: str) -> dict[str, Any]:
        """`name`: the id of an event or of an action. Raises NotFound."""
        with self._store.transaction() as tx:
            action = _action(tx, name)
            causes = [cause.id for cause in action.action.causes] if action else [name]
            events = [row for event_id in dict.fromkeys(causes) for row in tx.events.find(event_id)]
            if action is None and not events:
                raise NotFound(f"no event and no action {name}; `evergreen dlq list` shows what never became an event")
            ids = [action.action.id] if action else tx.history.caused_by(name)
            return {
                "events": [_event(row) for row in events],
                "decisions": [_decision(row) for one in events for row in tx.decisions.of_event(one.event.source, one.event.id)],
                "actions": [_fate(row) for row in (tx.actions.get(action_id) for action_id in ids) if row is not None],
            }


class Simulate:
    """What would follow from an event now; nothing is written."""

    def __init__(self, store: RecordStore, catalogue: Catalogue, policy: Policy) -> None:
        self._store = store
        self._catalogue = catalogue
        self._policy = policy

    def run(self, arrived: Arrived, now: datetime) -> list[Decision]:
        models = concerned([arrived], self._catalogue)
        with self._store.transaction() as tx:
            states = tx.history.states(models, self._catalogue, [arrived.row.event.type], now)
            return Planner(self._policy, self._catalogue, states, tx.decisions.heads(models), now).add(arrived)


def decide_on_nothing(arrived: Arrived, catalogue: Catalogue, policy: Policy, now: datetime) -> list[Decision]:
    """The same where nothing was ever recorded."""
    states = {model: State(model=model, datasets=tuple(catalogue.get(model, ()))) for model in [*catalogue, NO_MODEL]}
    return Planner(policy, catalogue, states, {}, now).add(arrived)


class Verify:
    """Recomputes the chain of every model's decisions."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def run(self) -> tuple[int, str | None]:
        """How many decisions hold, and the first that does not."""
        held = 0
        with self._store.transaction() as tx:
            for model in tx.decisions.models():
                previous: DecisionRow | None = None
                for row in tx.decisions.chain(model):
                    fault = _fault(row, previous)
                    if fault:
                        return held, f"decision {model}/{row.seq}: {fault}"
                    previous, held = row, held + 1
        return held, None


def _fault(row: DecisionRow, previous: DecisionRow | None) -> str | None:
    if row.seq != (previous.seq + 1 if previous else 1):
        return f"number {previous.seq + 1 if previous else 1} is missing before it"
    if row.prev_hash != (previous.hash if previous else GENESIS):
        return "it does not follow from the one before it"
    if row.hash != chain(row.prev_hash, row.body.encode()):
        return "its body is not the one that was recorded"
    return None


def _action(tx: RecordTransaction, name: str) -> ActionRow | None:
    try:
        return tx.actions.get(UUID(name))
    except ValueError:
        return None


def _event(row: EventRow) -> dict[str, Any]:
    event = row.event
    where = None if row.topic is None else f"{row.topic}[{row.partition}]@{row.offset}"
    facts = {"id": event.id, "source": event.source, "type": event.type, "subject": event.subject, "time": event.time.isoformat(), "data": event.data}
    return {**facts, "message": where, "received_at": row.received_at.isoformat()}


def _decision(row: DecisionRow) -> dict[str, Any]:
    return {"decision": f"{row.model}/{row.seq}", "hash": row.hash, **json.loads(row.body)}


def _fate(row: ActionRow) -> dict[str, Any]:
    facts = row.action.model_dump(mode="json")
    return {**facts, "status": row.status.value, "attempts": row.attempts, "run_id": row.run_id, "result": row.result, "error": row.error}
