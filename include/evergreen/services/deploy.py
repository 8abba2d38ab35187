"""One protocol for promotion and rollback: prepare, flip, confirm.

Guarantee: a version serves only after every live serving worker has loaded and verified it, and is reported only after each of them answers
with it; of two who want to change the champion, one wins. Each stage is its own transaction, fenced by the action's lease.
Failure and remedy: a worker refuses or does not answer before the flip, or the canary fails -> cancelled, nothing changed. After the flip -> a
new epoch back to the old version. This process dies -> the next run finds the open deployment by the action and goes on at its stage.
Another action left one open -> it is closed when that action is no longer at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.champion import LIVE_SECONDS, Agreement, Phase, agreement
from evergreen.core.clock import Clock
from evergreen.core.errors import ArtifactRefused, ChampionConflict, DeploymentRefused, EvergreenError, NotConfirmed, Unavailable
from evergreen.ports.champions import ChampionRow, DeploymentRow
from evergreen.ports.model_store import DeployStore, DeployTransaction
from evergreen.ports.storage import ClaimedAction
from evergreen.services.canary_step import CanaryStep
from evergreen.services.carry_out import CarryOut, give_up, resulting_event
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deployment_plan import NothingToDo, Plan, PlanOf, deployed_event, planned, reverting
from evergreen.services.version_names import version_name

POLL_SECONDS = 0.1


class Deploy:
    def __init__(
        self,
        store: DeployStore,
        clock: Clock,
        carry_out: CarryOut,
        projection: ChampionProjection,
        *,
        min_confirmations: int,
        confirm_seconds: float,
        canary: CanaryStep | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._projection = projection
        self._at_least = min_confirmations
        self._confirm_seconds = confirm_seconds
        self._canary = canary
        self._pause = threading.Event()

    def run(self, claimed: ClaimedAction, plan_of: PlanOf) -> Mapping[str, Any]:
        """The action's result. Raises DeploymentRefused, ChampionConflict or ArtifactRefused with the action failed for good, NotConfirmed and
        Unavailable with the action still this run's to repeat."""
        try:
            row = self._begin(claimed, plan_of)
            if isinstance(row, NothingToDo):
                return self._nothing_to_do(claimed, row.reason)
            if row.status in ("preparing", "canary"):
                row = self._prepare_and_flip(claimed, row)
            return self._see_confirmed(claimed, row)
        except (DeploymentRefused, ChampionConflict, ArtifactRefused) as error:
            self._give_up(claimed, error)
            raise

    def _begin(self, claimed: ClaimedAction, plan_of: PlanOf) -> DeploymentRow | NothingToDo:
        action = claimed.action
        with self._store.transaction(claimed.lease) as tx:
            champion = tx.champions.lock(action.model)
            left_open = tx.deployments.open_of(action.model)
            if left_open is not None and left_open.action_id == action.id:
                return left_open
            plan = _tried(plan_of, tx, champion)
            if left_open is not None:
                _close_abandoned(tx, left_open, action, plan)
            if isinstance(plan, Plan):
                row = planned(claimed, champion, plan)
                tx.deployments.start(row)
                return row
        if isinstance(plan, DeploymentRefused):
            raise plan  # only now: what was left open is closed for good
        return plan

    def _prepare_and_flip(self, claimed: ClaimedAction, row: DeploymentRow) -> DeploymentRow:
        prepared, fault = self._await(row, "prepared"), ""
        if prepared.complete and self._canary is not None and self._canary.is_wanted(row):
            row = self._canary.begin(claimed, row)
        if row.status == "canary" and self._canary is not None:
            row, fault = self._canary.watched(claimed, row)
            prepared = self._await(row, "prepared")  # those that came meanwhile too
        error = _unfit(row, prepared, fault)
        with self._store.transaction(claimed.lease) as tx:
            champion = tx.champions.lock(row.model)
            current = tx.deployments.get(row.id)
            now = self._clock.now()
            if current is None or current.status not in ("preparing", "canary"):
                fault = ""  # another run went first: its end counts, not ours
                error = ChampionConflict(f"the deployment of {row.name} was closed: {current.error if current else 'it is gone'}")
            elif error is None and not tx.champions.compare_and_set(row.model, row.version, seen_epoch=row.epoch - 1, deployment_id=row.id, since=now):
                serving = "nothing" if champion is None else f"{champion.name} at epoch {champion.epoch}"
                error = ChampionConflict(f"{row.name} was planned for epoch {row.epoch}, but {serving} serves now")
                tx.deployments.closed(row.id, "cancelled", str(error))
            elif error is None:
                tx.deployments.flipped(row.id, prepared.agreed, now)
                _stable_already(tx, row, now)
            else:
                tx.deployments.closed(row.id, "cancelled", str(error))
                if fault:
                    tx.versions.quarantine(row.model, row.version, str(row.canary_verdict))
        if fault and self._canary is not None:
            self._canary.show(row)
        if error is not None:
            raise error
        return replace(row, status="flipped", required_workers=prepared.agreed, served_from=now)

    def _see_confirmed(self, claimed: ClaimedAction, row: DeploymentRow) -> Mapping[str, Any]:
        serving = self._await(row, "serving")
        if row.kind == "revert":
            self._end_revert(claimed, row, serving)
            raise NotConfirmed(f"{version_name(row.model, row.previous_version)} was not confirmed ({row.reason}); {row.name} serves again")
        if not serving.complete:
            return self._see_confirmed(claimed, self._revert(claimed, row, serving))
        event = deployed_event(row, serving)
        result = event.model_dump(mode="json") | ({"canary": row.canary_verdict} if row.canary_verdict else {})
        with self._store.transaction(claimed.lease) as tx:
            tx.champions.lock(row.model)
            tx.deployments.confirmed(row.id)
            if row.kind == "rollback" and row.previous_version is not None:
                tx.versions.quarantine(row.model, row.previous_version, f"rolled back: {row.reason}")
            sent = resulting_event(claimed.action, "model_deployed", event, subject=row.model, time=self._clock.now(), target=str(row.id))
            self._carry_out.complete(tx, claimed, [sent], result)
        self._projection.try_reconcile()
        return result

    def _revert(self, claimed: ClaimedAction, row: DeploymentRow, seen: Agreement) -> DeploymentRow:
        """A new epoch with the old version, in one transaction with the end of the failed one."""
        error = f"not confirmed: {seen}"
        with self._store.transaction(claimed.lease) as tx:
            tx.champions.lock(row.model)
            now = self._clock.now()
            if row.previous_version is None:
                tx.deployments.closed(row.id, "cancelled", f"{error}; there is no version to go back to")
            else:
                tx.deployments.closed(row.id, "reverted", error, served_to=now)
                back = reverting(row, error)
                tx.deployments.start(back)
                if not tx.champions.compare_and_set(row.model, back.version, seen_epoch=row.epoch, deployment_id=back.id, since=now):
                    raise ChampionConflict(f"{row.name} was not confirmed, and another deployment followed it")
                tx.deployments.flipped(back.id, seen.agreed, now)
                _stable_already(tx, back, now)
        if row.previous_version is None:
            raise NotConfirmed(f"{row.name} is the champion but {error}")
        return replace(back, status="flipped", served_from=now)

    def _end_revert(self, claimed: ClaimedAction, row: DeploymentRow, serving: Agreement) -> None:
        """Reported when the servers confirm it. Without a server's word the old version stays the champion all the same."""
        with self._store.transaction(claimed.lease) as tx:
            if serving.complete:
                tx.deployments.confirmed(row.id)
                event = deployed_event(row, serving)
                tx.outbox.publish(resulting_event(claimed.action, "model_deployed", event, subject=row.model, time=self._clock.now(), target=str(row.id)))
            else:
                tx.deployments.closed(row.id, "cancelled", f"not confirmed either: {serving}")
        self._projection.try_reconcile()

    def _await(self, row: DeploymentRow, phase: Phase) -> Agreement:
        """Until all live workers agree, one refuses, or time is up."""
        until = time.monotonic() + self._confirm_seconds
        while True:
            with self._store.transaction() as tx:
                seen = agreement(tx.deployments.workers(row.id, LIVE_SECONDS), phase, self._at_least)
            if seen.complete or seen.refusal or time.monotonic() >= until:
                return seen
            self._pause.wait(POLL_SECONDS)

    def _nothing_to_do(self, claimed: ClaimedAction, reason: str) -> Mapping[str, Any]:
        result = {"outcome": "nothing_to_do", "reason": reason}
        with self._store.transaction(claimed.lease) as tx:
            self._carry_out.complete(tx, claimed, result=result)
        return result

    def _give_up(self, claimed: ClaimedAction, error: EvergreenError) -> None:
        """At once, with `action_failed`: trying the same again would end the same way."""
        with self._store.transaction(claimed.lease) as tx:
            give_up(tx, claimed.action, claimed.lease, claimed.attempts, str(error), self._clock.now())


def _stable_already(tx: DeployTransaction, row: DeploymentRow, now: datetime) -> None:
    """Stable is earned once: a version that was proven before is not put in bake, with a shadow beside it, again."""
    version = tx.versions.get(row.model, row.version)
    if version is not None and version.stable:
        tx.deployments.mark_stable(row.id, now)


def _unfit(row: DeploymentRow, prepared: Agreement, fault: str) -> EvergreenError | None:
    if fault:
        return DeploymentRefused(f"{row.name} does not take over: {row.canary_verdict}")
    if prepared.complete:
        return None
    return ArtifactRefused(f"{row.name}: {prepared}") if prepared.refusal else NotConfirmed(f"{row.name} was not prepared: {prepared}")


def _tried(plan_of: PlanOf, tx: DeployTransaction, champion: ChampionRow | None) -> Plan | NothingToDo | DeploymentRefused:
    try:
        return plan_of(tx, champion)
    except DeploymentRefused as refused:
        return refused


def _close_abandoned(tx: DeployTransaction, row: DeploymentRow, action: Action, plan: Plan | NothingToDo | DeploymentRefused) -> None:
    """Another action's open deployment. Raises Unavailable while that action is at work: it ends by itself, then this one is tried again.
    Only a rollback does not wait for the minutes of a canary."""
    other = None if row.action_id is None else tx.actions.get(row.action_id)
    if other is None or other.status not in (ActionStatus.CLAIMED, ActionStatus.RUNNING):
        tx.deployments.closed(row.id, "cancelled", f"left open by its action, closed by action {action.id}")
    elif row.status == "canary" and action.kind is ActionKind.ROLLBACK and isinstance(plan, Plan):
        tx.deployments.closed(row.id, "cancelled", f"its canary gave way to rollback {action.id}")
    else:
        raise Unavailable(f"{row.name} is being deployed by action {row.action_id}; this one waits for it")
