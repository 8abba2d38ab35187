"""Running experiments, looked at again and again by the monitor.

Guarantee: a broken one is stopped at the first look that shows it, with an alert; one whose verdict, time or champion has come ends once, and its
versions are judged again with what it found. Failure: a crash between the end and the asking. Remedy: the next look asks (same key, same action)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

import structlog

from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import Clock
from evergreen.core.experiment_verdict import Found, judge
from evergreen.ports.experiments import ExperimentRow, ExperimentStatus, ExperimentStore, ExperimentTransaction
from evergreen.services.carry_out import CarryOut
from evergreen.services.experiment_alerts import experiment_ended
from evergreen.services.raise_alert import raise_alerts

WHO = "monitor"
REST = 20.0
"""After looks that took a second it is not looked again for so many: counting half a million lists takes two."""
log = structlog.get_logger(__name__)


class ExperimentStep:
    def __init__(self, store: ExperimentStore, clock: Clock, carry_out: CarryOut) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._rests_until = 0.0

    def look(self) -> None:
        """Called again and again."""
        begun = time.monotonic()
        if begun < self._rests_until:
            return
        self._look()
        self._rests_until = begun + REST * (time.monotonic() - begun)

    def _look(self) -> None:
        with self._store.transaction() as tx:
            running, unasked = tx.experiments.running(), tx.experiments.unasked()
        for row in running:
            ended = self._look_at(row)
            unasked = unasked if ended is None else [*unasked, ended]
        for row in unasked:
            self._ask(row)

    def _look_at(self, row: ExperimentRow) -> ExperimentRow | None:
        """The row when it has just finished."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            counts = tx.experiments.counts(row, now)
            found = judge([variant.name for variant in row.plan.variants], row.plan.shares, counts)
            tx.experiments.looked(row.plan.name, now, found)
            status, why = _end(tx, row, found, now)
            if not why or not tx.experiments.end(row.plan.name, status, at=now, by=WHO, reason=why):
                return None
            row = replace(row, found=found, status=status)
            raise_alerts(tx, [experiment_ended(row, status, by=WHO, reason=why, at=now)])
        log.info("experiment_over", experiment=row.plan.name, status=status, reason=why)
        return row if status == "finished" else None

    def _ask(self, row: ExperimentRow) -> None:
        """The evaluation of the versions of which it has something to say."""
        control, found = row.plan.variants[0].version, {} if row.found is None else {one.name: one for one in row.found.variants}
        with self._store.transaction() as tx:
            champion = tx.champions.get(row.plan.model)
        still_compares = champion is not None and champion.version == control
        for variant in row.plan.variants[1:] if still_compares else ():
            seen = found.get(variant.name)
            if variant.version is None or variant.version == control or seen is None or seen.relative is None:
                continue
            target, key = f"{row.plan.model}@{variant.version}", f"experiment:{row.plan.name}:{variant.version}"
            self._carry_out.request(ActionKind.EVALUATE, model=row.plan.model, target=target, reason="experiment_over", who="experiment", key=key)
        with self._store.transaction() as tx:
            tx.experiments.asked(row.plan.name)


def _end(tx: ExperimentTransaction, row: ExperimentRow, found: Found, now: datetime) -> tuple[ExperimentStatus, str]:
    """How and why it is over; no reason: it goes on."""
    if found.broken:
        return "broken", found.broken
    control = row.plan.variants[0].version
    champion = tx.champions.get(row.plan.model)
    if control is not None and (champion is None or champion.version != control):
        return "finished", f"{'no version' if champion is None else champion.name} serves now, it was against {row.plan.model}@{control}"
    if found.decided:
        return "finished", found.says
    return "finished", f"its time is over: {found.says}" if now >= row.until_time else ""
