"""The step between "prepared" and the flip in which a version answers a share of the entities and is watched.

Guarantee: all its workers have loaded it before, the champion answers where it cannot, and it takes over only with nothing known against it.
Failure: it fails or is slow -> cancelled by the deployment and quarantined. This process dies -> the next run goes on watching to the same
end. A worker dies -> what it had counted stays. Too few requests -> nothing was shown, which is recorded. A rollback comes -> it goes
first, and the canary is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from evergreen.core.canary import CanaryRules, CanaryTally, fault
from evergreen.core.clock import wall_now
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model_store import DeployStore
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.services.show_quarantine import show_quarantine

POLL_SECONDS = 0.5


class CanaryStep:
    def __init__(self, store: DeployStore, registry: ModelRegistry, rules_of: Callable[[str], CanaryRules], is_replaying: Callable[[], bool]) -> None:
        """`rules_of` a model. While the clock is replayed nobody asks during an action: there is no canary then."""
        self._store = store
        self._registry = registry
        self._rules_of = rules_of
        self._is_replaying = is_replaying
        self._pause = threading.Event()

    def is_wanted(self, row: DeploymentRow) -> bool:
        """Not of a rollback, which must be quick; nor of what a person forced; nor where there is no champion to stay."""
        fit = row.status == "preparing" and row.kind == "promote" and not row.forced and row.previous_version not in (None, row.version)
        return fit and self._rules_of(row.model).share > 0 and not self._is_replaying()

    def begin(self, claimed: ClaimedAction, row: DeploymentRow) -> DeploymentRow:
        with self._store.transaction(claimed.lease) as tx:
            tx.champions.lock(row.model)
            tx.deployments.begin_canary(row.id, self._rules_of(row.model).share)
            return tx.deployments.get(row.id) or row

    def watched(self, claimed: ClaimedAction, row: DeploymentRow) -> tuple[DeploymentRow, str]:
        """With its verdict, when its time is over or a fault is found; the fault, empty when it may take over."""
        until = (row.canary_from or wall_now()) + timedelta(seconds=self._rules_of(row.model).seconds)
        while True:
            with self._store.transaction() as tx:
                current, tally = tx.deployments.get(row.id), tx.deployments.canary_tally(row.id)
            found = fault(tally)
            if found or current is None or current.status != "canary" or wall_now() >= until:
                break
            self._pause.wait(POLL_SECONDS)
        row = replace(row, canary_verdict=f"canary of {row.canary_share or 0:.0%}: {found or self._fine(row.model, tally)}")
        with self._store.transaction(claimed.lease) as tx:
            tx.deployments.end_canary(row.id, str(row.canary_verdict))
        return row, found

    def _fine(self, model: str, tally: CanaryTally) -> str:
        return str(tally) if tally.asked >= self._rules_of(model).min_requests else f"not enough traffic, {tally}"

    def show(self, row: DeploymentRow) -> None:
        """The quarantine of one that failed."""
        show_quarantine(self._registry, row.model, row.version, str(row.canary_verdict))
