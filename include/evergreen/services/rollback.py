"""Action `rollback`: back to a stable, loadable version; the one that failed is quarantined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evergreen.contracts.actions import Action
from evergreen.core.champion import rollback_refused, rollback_targets
from evergreen.core.errors import ArtifactRefused, DeploymentRefused, NotFound
from evergreen.ports.champions import ChampionRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import DeployStore, DeployTransaction
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.services.deploy import Deploy
from evergreen.services.deployment_plan import NothingToDo, Plan
from evergreen.services.promote import facts_of
from evergreen.services.show_quarantine import show_quarantine
from evergreen.services.version_names import parse_version


class Rollback:
    def __init__(self, store: DeployStore, registry: ModelRegistry, deploy: Deploy, spec_of: Callable[[str], ModelSpec]) -> None:
        self._store = store
        self._registry = registry
        self._deploy = deploy
        self._spec_of = spec_of

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        action = claimed.action
        refused = self._not_loadable(action)
        result = self._deploy.run(claimed, lambda tx, champion: planned_rollback(tx, champion, action, refused))
        if result.get("previous_version"):
            show_quarantine(self._registry, *parse_version(str(result["previous_version"])), str(result["reason"]))
        return result

    def planned(self, action: Action) -> Plan | NothingToDo:
        """What would be done now; nothing is. Raises as `run` does."""
        refused = self._not_loadable(action)
        with self._store.transaction() as tx:
            return planned_rollback(tx, tx.champions.get(action.model), action, refused)

    def _not_loadable(self, action: Action) -> Mapping[int, str]:
        """Versions that would be tried before the first one that loads, with the reason; found out before the champion's row is locked."""
        spec = self._spec_of(action.model)
        with self._store.transaction() as tx:
            champion = tx.champions.get(action.model)
            targets = [] if champion is None else [version for version in _targets(tx, champion, action) if not _refused(tx, champion, action, version)]
        faults: dict[int, str] = {}
        for version in targets:
            try:
                self._registry.load(spec, version)
            except (ArtifactRefused, NotFound) as error:
                faults[version] = str(error)
            else:
                break
        return faults


def _targets(tx: DeployTransaction, champion: ChampionRow, action: Action) -> Sequence[int]:
    """In the order they are tried. What a person named is tried alone; what the policy named is tried first: since it was proven on the window
    it may have been quarantined, or no longer load."""
    asked = action.params.get("to_version")
    if asked is not None and _is_by_hand(action):
        return [_number(asked)]
    stable = rollback_targets([facts_of(row) for row in tx.versions.of_model(action.model)], champion.version)
    return stable if asked is None else sorted(stable, key=lambda version: version != _number(asked))


def planned_rollback(tx: DeployTransaction, champion: ChampionRow | None, action: Action, not_loadable: Mapping[int, str]) -> Plan | NothingToDo:
    """Raises DeploymentRefused. `not_loadable`: versions that are passed over, with the reason."""
    if champion is None:
        raise DeploymentRefused(f"{action.model} has no champion to roll back from")
    bad = action.params.get("from_version")
    if bad is not None and _number(bad) != champion.version:
        return NothingToDo(f"{action.model}@{_number(bad)} has gone already: {champion.name} serves, at epoch {champion.epoch}")
    targets = [version for version in _targets(tx, champion, action) if version not in not_loadable]
    if not targets:
        faults = "; ".join(f"{action.model}@{version}: {fault}" for version, fault in not_loadable.items())
        raise DeploymentRefused(f"no stable version of {action.model} to go back to{': ' + faults if faults else ''}")
    refused = _refused(tx, champion, action, targets[0])
    if refused:
        raise DeploymentRefused(f"cannot go back to {action.model}@{targets[0]}: {refused}")
    said = action.params.get("reason")
    return Plan(targets[0], "rollback", f"{action.reason}: {said}" if said else action.reason, bool(action.params.get("forced")))


def _refused(tx: DeployTransaction, champion: ChampionRow, action: Action, version: int) -> str:
    row = tx.versions.get(action.model, version)
    forced = _is_by_hand(action) and bool(action.params.get("forced"))
    return rollback_refused(None if row is None else facts_of(row), champion.version, forced=forced)


def _is_by_hand(action: Action) -> bool:
    """The policy always says which version is to go."""
    return action.params.get("from_version") is None


def _number(version: object) -> int:
    return version if isinstance(version, int) else parse_version(str(version))[1]
