"""What a promotion or a rollback by hand would do now: which version, through which checks, past which gates. Reads; writes nothing.

It shows this moment: the run that carries the action out looks again under the champion's lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.champion import LIVE_SECONDS, agreement
from evergreen.core.clock import Clock
from evergreen.core.errors import DeploymentRefused
from evergreen.ports.model_store import DeployStore, DeployTransaction
from evergreen.services.deployment_plan import NothingToDo, Plan
from evergreen.services.promote import planned_promotion
from evergreen.services.version_names import parse_version, version_name

_NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str


class PreviewChange:
    """`planned_rollback` says which target would be chosen; raises DeploymentRefused."""

    def __init__(self, store: DeployStore, clock: Clock, planned_rollback: Callable[[Action], Plan | NothingToDo], *, min_confirmations: int) -> None:
        self._store = store
        self._clock = clock
        self._planned_rollback = planned_rollback
        self._at_least = min_confirmations

    def run(self, kind: ActionKind, model: str, target: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: would_change, nothing_to_do, would_wait (another change, too few servers) or refused, with `reason`; every check; the version's gates."""
        now = self._clock.now()
        action = Action(id=_NOBODY, kind=kind, model=model, target=target, params=dict(params), reason="manual", due_at=now, as_of=now)
        plan, refused = self._plan(action)
        version = plan.version if isinstance(plan, Plan) else parse_version(target)[1] if kind is ActionKind.PROMOTE else None
        with self._store.transaction() as tx:
            champion = tx.champions.get(model)
            row = None if version is None else tx.versions.get(model, version)
            checks = [Check("rules", not refused, refused or "the version may serve"), *self._checks(tx, kind, model)]
        return {
            "kind": kind.value,
            "model": model,
            "champion": None if champion is None else champion.name,
            "epoch": None if champion is None else champion.epoch,
            "target": version_name(model, version),
            "outcome": _outcome(plan, checks),
            "reason": _reason(plan, checks),
            "checks": [vars(check) for check in checks],
            "gates": [dict(gate) for gate in ((row.scorecard or {}) if row else {}).get("gates", [])],
        }

    def _plan(self, action: Action) -> tuple[Plan | NothingToDo | None, str]:
        try:
            if action.kind is ActionKind.ROLLBACK:
                return self._planned_rollback(action), ""
            with self._store.transaction() as tx:
                return planned_promotion(tx, tx.champions.get(action.model), action), ""
        except DeploymentRefused as error:
            return None, str(error)

    def _checks(self, tx: DeployTransaction, kind: ActionKind, model: str) -> list[Check]:
        history = tx.deployments.history(model)
        under_way = next((one for one in history if one.status in ("preparing", "canary", "flipped")), None)
        busy = (kind, model) in tx.actions.out()
        live = agreement(tx.deployments.workers(_NOBODY, LIVE_SECONDS), "serving", 0).missing
        enough = len(live) >= self._at_least
        return [
            Check("no other deployment", under_way is None, "none is under way" if under_way is None else f"{under_way.name} is {under_way.status}"),
            Check("no other action", not busy, f"another {kind} of {model} is out: this one waits for it" if busy else f"no {kind} of {model} is out"),
            Check("serving workers", enough, f"{len(live)} live ({', '.join(live) or 'none'}), {self._at_least} needed to confirm"),
        ]


def _reason(plan: Plan | NothingToDo | None, checks: list[Check]) -> str:
    if isinstance(plan, NothingToDo):
        return plan.reason
    return next((check.detail for check in checks if not check.passed), plan.reason if plan else "")


def _outcome(plan: Plan | NothingToDo | None, checks: list[Check]) -> str:
    if isinstance(plan, NothingToDo):
        return "nothing_to_do"
    if not all(check.passed for check in checks):
        return "refused" if not checks[0].passed else "would_wait"
    return "would_change"
