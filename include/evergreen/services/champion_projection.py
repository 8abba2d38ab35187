"""MLflow's aliases as a picture of Postgres: `champion`, `challenger`, `previous_champion`.

Guarantee: within one call after a change, by us or by hand, the aliases say what the tables say. They are never read for a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from evergreen.core.champion import alias_changes, wanted_aliases
from evergreen.core.errors import EvergreenError, NotFound
from evergreen.ports.model_store import DeployStore, DeployTransaction
from evergreen.ports.registry import ModelRegistry

log = structlog.get_logger(__name__)


class ChampionProjection:
    def __init__(self, store: DeployStore, registry: ModelRegistry, models: Iterable[str]) -> None:
        self._store = store
        self._registry = registry
        self._models = tuple(models)

    def reconcile(self) -> dict[str, dict[str, int | None]]:
        """What was put right, by model. One request per model when nothing was wrong. Raises Unavailable when the registry does not
        answer: call again."""
        changed: dict[str, dict[str, int | None]] = {}
        for model in self._models:
            with self._store.transaction() as tx:
                wanted = _wanted(tx, model)
            changes = alias_changes(self._registry.aliases(model), wanted)
            if changes:
                self._apply(model, changes)
                changed[model] = changes
        return changed

    def try_reconcile(self) -> None:
        """A registry that is away or in disorder must neither undo what the servers confirmed nor end the worker that calls this every few
        seconds: that call catches up."""
        try:
            self.reconcile()
        except EvergreenError as error:
            log.warning("aliases_not_projected", error=str(error))

    def _apply(self, model: str, changes: Mapping[str, int | None]) -> None:
        try:
            self._registry.set_aliases(model, changes)
        except NotFound as error:  # the version was deleted in the registry: its alias stays away
            log.warning("alias_without_version", model=model, error=str(error))


def _wanted(tx: DeployTransaction, model: str) -> dict[str, int]:
    champion = tx.champions.get(model)
    versions = tx.versions.of_model(model)
    serving = 0 if champion is None else champion.version
    deployment = None if champion is None else tx.deployments.get(champion.deployment_id)
    challenger = next((row.version for row in versions if row.version > serving and row.status != "refused" and row.quarantined is None), None)
    return wanted_aliases(serving or None, None if deployment is None else deployment.previous_version, challenger)
