"""A home's parts as far as the scaler's executor needs them, without a database."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from evergreen.adapters.memory.scaler import MemoryScaler, MemoryScalingStore
from evergreen.bootstrap import Parts
from evergreen.contracts.actions import Action, ActionKind
from evergreen.contracts.envelope import Event, decode
from evergreen.core.clock import FixedClock
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scaler
from evergreen.ports.storage import ActionRow, ClaimedAction
from evergreen.services.carry_out import CarryOut
from evergreen.services.scale import ScaleService
from evergreen.workers.scale_step import ScaleStep

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


@dataclass
class Bench:
    store: MemoryScalingStore = field(default_factory=MemoryScalingStore)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    scaler: MemoryScaler = field(default_factory=lambda: MemoryScaler({"serving": Bounds(2, 4)}))
    stop: threading.Event = field(default_factory=threading.Event)
    settle_seconds: float = 0.05

    @property
    def carry_out(self) -> CarryOut:
        return CarryOut(self.store, self.clock)

    def scale_service(self, scaler: Scaler, stop: threading.Event) -> ScaleService:
        return ScaleService(self.store, self.clock, self.carry_out, scaler, settle_seconds=self.settle_seconds, stop=stop)

    def run(self, claimed: ClaimedAction) -> dict[str, Any]:
        return dict(self.scale_service(self.scaler, self.stop).run(claimed))

    def step(self) -> ScaleStep:
        return ScaleStep(cast(Parts, self), self.stop, self.scaler)

    def pending(self, kind: ActionKind = ActionKind.SCALE_UP, service: str = "serving", **params: Any) -> Action:
        """As the policy decides it."""
        action = Action(id=uuid4(), kind=kind, target=service, params=params, reason="system_overload", due_at=NOW, as_of=NOW)
        with self.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="system_overload", accepted_at=NOW)
        return action

    def claimed(self, kind: ActionKind = ActionKind.SCALE_UP, service: str = "serving", **params: Any) -> ClaimedAction:
        action = self.pending(kind, service, **params)
        claim = self.carry_out.claim(kind, f"run-{action.id}", action.id)
        assert claim is not None
        return claim

    def row(self, action: Action) -> ActionRow:
        with self.store.transaction() as tx:
            row = tx.actions.get(action.id)
        assert row is not None
        return row

    def may_be_tried_again(self, action: Action) -> None:
        """Its back-off is over."""
        self.store.tables.actions[action.id] = replace(self.store.tables.actions[action.id], retry_at=None)

    def said(self) -> list[Event]:
        with self.store.transaction() as tx:
            return [decode(message.value or b"") for message in tx.outbox.unsent(100)]
