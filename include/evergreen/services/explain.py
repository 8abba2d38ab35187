"""Asking the policy beforehand, and the records afterwards: what would follow from an event, whether the chains are whole."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from evergreen.contracts.actions import NO_MODEL
from evergreen.core.concerns import Catalogue
from evergreen.core.decision import GENESIS, Decision, chain
from evergreen.core.rules import Policy
from evergreen.core.state import State
from evergreen.ports.records import DecisionRow, RecordStore
from evergreen.services.decide import Arrived, Planner, concerned


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
    return next((f"its column {name} is not what its body says" for name, said in _said(row).items() if getattr(row, name) != said), None)


def _said(row: DecisionRow) -> dict[str, Any]:
    """What people read and filter by, as the body under the hash has it."""
    body = json.loads(row.body)
    event = {f"event_{name}": body["event"][name] for name in ("source", "id", "type")}
    plain = {name: body[name] for name in ("model", "rule", "outcome")}
    at = datetime.fromisoformat(body["decided_at"])
    return {**event, **plain, "policy_hash": body["policy"], "decided_at": at, "severity": body["severity"]["final"]}
