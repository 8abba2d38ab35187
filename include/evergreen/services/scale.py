"""Actions `scale_up` (two workers more), `scale_down` (one less) and a person's wish for a number (`to`), within the service's bounds.

Guarantee: however often an action is attempted, the service ends with the number that its first attempt decided. Failure: a run dies
between the effect and the record of it; a relative step made again would add workers twice. Remedy: the first attempt writes the absolute
number into the action, in a transaction with the lease, before anything is touched; every attempt sets that number, and setting it again
changes nothing. A run whose lease went to another is fenced before it decides and before it reports. What it cannot be fenced from is a
number it is about to set while it is frozen for longer than its lease: the next scale action corrects that, since it starts from what is there.

The action succeeds when so many workers run. Where they do not come up in time it fails and is tried again, at last with `action_failed`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidRequest, Unavailable
from evergreen.core.scaling import STEP_DOWN, STEP_UP, target
from evergreen.ports.scaler import Scaler, Scaling, ScalingStore
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut, give_up

SCALE_KINDS = (ActionKind.SCALE_UP, ActionKind.SCALE_DOWN)
"""Scaling up goes first: too many workers cost less than too few."""
_STEPS = {ActionKind.SCALE_UP: STEP_UP, ActionKind.SCALE_DOWN: STEP_DOWN}
_POLL_SECONDS = 0.25
log = structlog.get_logger(__name__)


class ScaleService:
    def __init__(self, store: ScalingStore, clock: Clock, carry_out: CarryOut, scaler: Scaler, *, settle_seconds: float, stop: threading.Event) -> None:
        """`stop`: this process ends; an action in hand goes back to be tried again."""
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._scaler = scaler
        self._settle_seconds = settle_seconds
        self._stop = stop

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """The result: `service`, `before`, `after` and the `bound` it stands at, if any. Raises Unavailable with the action still this run's to
        repeat, InvalidRequest with the action failed for good: nothing would be different the next time."""
        try:
            scaling = self._decided(claimed)
            self._scaler.set(scaling.service, scaling.after)
            self._see_them_run(scaling)
        except InvalidRequest as error:
            with self._store.transaction(claimed.lease) as tx:
                give_up(tx, claimed.action, claimed.lease, claimed.attempts, str(error), self._clock.now())
            raise
        result = asdict(scaling)
        with self._store.transaction(claimed.lease) as tx:
            self._carry_out.complete(tx, claimed, result=result)
        log.info("scaled", action_id=str(claimed.action.id), **result)
        return result

    def _decided(self, claimed: ClaimedAction) -> Scaling:
        with self._store.transaction(claimed.lease) as tx:
            before = tx.scalings.of(claimed.action.id)
        if before is not None:
            return before
        scaling = self._plan(claimed.action)
        with self._store.transaction(claimed.lease) as tx:
            tx.scalings.decide(claimed.lease, scaling)
        return scaling

    def _plan(self, action: Action) -> Scaling:
        now = self._scaler.current(action.target)
        asked = action.params["to"] if "to" in action.params else now.wanted + _STEPS[action.kind]
        found = target(int(asked), now.bounds)
        return Scaling(action.target, now.wanted, found.number, found.bound)

    def _see_them_run(self, scaling: Scaling) -> None:
        until = time.monotonic() + self._settle_seconds
        while (running := self._scaler.current(scaling.service).running) != scaling.after:
            if time.monotonic() >= until:
                raise Unavailable(f"{scaling.service}: {running} workers run {self._settle_seconds:.0f} s after {scaling.after} were asked for")
            if self._stop.wait(_POLL_SECONDS):
                raise Unavailable("this process ends; another one sees to the workers")
