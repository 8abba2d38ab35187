"""What an alias was moved to by hand, examined after it was put back.

Guarantee: a version of ours that was tampered with, or that is not what it was signed for, is quarantined with the cause, and an alert names it;
nothing of it ran but in a child within limits. The version that serves is never quarantined by this: it answers from bytes that were verified.
Failure: the process dies before the verdict. Remedy: none is needed: such a version passes neither the gates nor serving's loader."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from evergreen.core.errors import ArtifactRefused, EvergreenError
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import DeployStore
from evergreen.ports.registry import ModelRegistry
from evergreen.services.alias_alerts import moved_to_unfit
from evergreen.services.raise_alert import raise_alerts
from evergreen.services.show_quarantine import show_quarantine

log = structlog.get_logger(__name__)


class ExamineMoved:
    def __init__(self, store: DeployStore, registry: ModelRegistry, spec_of: Callable[[str], ModelSpec], now: Callable[[], datetime]) -> None:
        self._store = store
        self._registry = registry
        self._spec_of = spec_of
        self._now = now
        self._fit: set[str] = set()
        """Versions that answered well once: what changes in them later, verifying finds."""

    def run(self, model: str, version: int, said: str) -> None:
        """`said`: what the alert of the move says against it already; empty: nothing."""
        with self._store.transaction() as tx:
            row, champion = tx.versions.get(model, version), tx.champions.get(model)
        if row is None or row.quarantined is not None or row.name in self._fit:
            return
        cause = said or self._asked(model, version)
        if not cause:
            return
        serves = champion is not None and champion.version == version
        with self._store.transaction() as tx:
            if not serves:
                tx.versions.quarantine(model, version, cause)
            if not said:
                raise_alerts(tx, [moved_to_unfit(model, version, cause, serves, self._now())])
        if not serves:
            show_quarantine(self._registry, model, version, cause)
        log.warning("moved_to_an_unfit_version", version=row.name, cause=cause, quarantined=not serves)

    def _asked(self, model: str, version: int) -> str:
        try:
            self._registry.vet(self._spec_of(model), version)
        except ArtifactRefused as error:
            return f"refused ({error})"
        except EvergreenError as error:  # it is examined at the next move
            log.warning("moved_version_not_examined", version=f"{model}@{version}", error=str(error))
            return ""
        self._fit.add(f"{model}@{version}")
        return ""
