"""A candidate that passed every gate answers the champion's requests in the log before its verdict is given.

Guarantee: callers see nothing of it; the verdict comes once, from the evaluation that is asked for again when the trial is over: enough
outcomes, its time, or too many requests without an answer. Failure: another champion takes over -> the trial beside the old one is over, and
the evaluation begins another. A crash between the end and the asking -> the next round asks (same key, same action). While the clock is
replayed there is no trial: a replayed week passes within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import Clock
from evergreen.core.evaluation import Scorecard
from evergreen.core.shadow_gate import MIN_PAIRS, has_failed, shadow_gate
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.shadow_trials import ShadowTrial
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.bootstrap_interval import paired
from evergreen.services.carry_out import CarryOut
from evergreen.services.row_losses import row_losses

MAX_ROWS = 5000
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ShadowRules:
    rows: int
    """Outcomes that are enough. 0: no trial."""
    hours: float
    """Platform time it lasts at most."""


class ShadowTrialStep:
    def __init__(
        self,
        store: ModelStore,
        clock: Clock,
        carry_out: CarryOut,
        rules_of: Callable[[str], ShadowRules],
        spec_of: Callable[[str], ModelSpec],
        is_replaying: Callable[[], bool],
    ) -> None:
        """`rules_of` a model."""
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._rules_of = rules_of
        self._spec_of = spec_of
        self._is_replaying = is_replaying

    def judged(self, row: VersionRow, champion: VersionRow | None, card: Scorecard) -> Scorecard | None:
        """With the gate of its trial where there was one; None: it is still to be tried, `begin`."""
        if champion is None or not card.approved:
            return card
        with self._store.transaction() as tx:
            trial = tx.shadow_trials.get(row.model, row.version, champion.version)
        if trial is not None and trial.found is not None:
            return replace(card, gates=(*card.gates, shadow_gate(trial.found)))
        return card if self._rules_of(row.model).rows == 0 or self._is_replaying() else None

    def begin(self, claimed: ClaimedAction, row: VersionRow, champion: VersionRow) -> Mapping[str, Any]:
        """The action's result: the evaluation is over, the verdict comes with the next."""
        now = self._clock.now()
        trial = ShadowTrial(row.model, row.version, champion.version, now, now + timedelta(hours=self._rules_of(row.model).hours))
        result = {"model_version": row.name, "outcome": "shadow_trial", "beside": champion.name, "until": trial.until_time.isoformat()}
        with self._store.transaction(claimed.lease) as tx:
            tx.shadow_trials.start(trial)
            self._carry_out.complete(tx, claimed, result=result)
        return result

    def end(self) -> None:
        """Those that are over; called again and again."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            for trial in tx.shadow_trials.open():
                found = self._found(tx, trial, now)
                if found is not None:
                    tx.shadow_trials.end(trial, now, found)
                    log.info("shadow_trial_over", version=trial.name, beside=trial.champion, **found)
            untold = tx.shadow_trials.untold()
        for trial in untold:
            key = f"shadow:{trial.name}:{trial.champion}"
            self._carry_out.request(ActionKind.EVALUATE, model=trial.model, target=trial.name, reason="shadow_trial_over", who="shadow trial", key=key)
            with self._store.transaction() as tx:
                tx.shadow_trials.told(trial)

    def _found(self, tx: ModelTransaction, trial: ShadowTrial, now: datetime) -> dict[str, Any] | None:
        """None: it goes on."""
        import numpy as np

        champion, spec = tx.champions.get(trial.model), self._spec_of(trial.model)
        asked, failed = tx.shadow_trials.answered(trial, now)
        pairs = _pairs(tx, spec, trial, now)
        is_over = champion is None or champion.version != trial.champion or now >= trial.until_time
        if not is_over and len(pairs) < self._rules_of(trial.model).rows and not has_failed(asked, failed):
            return None
        found: dict[str, Any] = {"asked": asked, "failed": failed, "n": len(pairs)}
        if len(pairs) < MIN_PAIRS:
            return found
        theirs, ours, outcomes = (np.asarray(column, dtype=np.float64) for column in zip(*pairs, strict=True))
        drop = paired(row_losses(spec, theirs, outcomes), row_losses(spec, ours, outcomes), spec.direction)
        return {**found, "drop": drop.point, "low": drop.low, "high": drop.high}


def _pairs(tx: ModelTransaction, spec: ModelSpec, trial: ShadowTrial, now: datetime) -> list[tuple[float, float, float]]:
    """(candidate's word, champion's word, what came true)."""
    rows = tx.performance.labelled(trial.model, trial.champion, since=trial.started_time, until=now, limit=MAX_ROWS)
    found = []
    for row in rows:
        if row.shadow_version != trial.version or row.shadow_predicted is None:
            continue
        try:
            found.append((row.shadow_predicted, row.predicted, spec.label_of(row.outcome) if row.label is None else row.label))
        except ValueError:  # no label
            continue
    return found
