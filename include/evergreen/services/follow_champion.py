"""The version that serves, as this process knows it.

Guarantee: what it says is a version that was loaded whole. Failure: the new champion cannot be loaded here, or nobody answers. Remedy: the one
before goes on, and the next look tries again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from evergreen.core.errors import EvergreenError
from evergreen.ports.champions import ChampionRow
from evergreen.ports.model import Scoring
from evergreen.ports.model_store import ModelStore
from evergreen.services.make_list import ListMaker

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ServingVersion:
    maker: ListMaker
    score: Scoring
    """Primary head: what it would have gained for what a user then chose."""
    features: Sequence[str]
    """Columns of what it scores."""


class FollowChampion:
    def __init__(self, store: ModelStore, model: str, load: Callable[[int], ServingVersion]) -> None:
        self._store = store
        self._model = model
        self._load = load
        self._lock = threading.Lock()
        self._version = 0
        self._serving: ServingVersion | None = None

    def __call__(self) -> ServingVersion | None:
        """None: no version serves yet."""
        return self._serving

    def look(self) -> None:
        """Raises Unavailable when it cannot be said who serves."""
        with self._store.transaction() as tx:
            row = tx.champions.get(self._model)
        with self._lock:  # whoever comes second finds it loaded
            if row is not None and row.version != self._version:
                self._take(row)

    def _take(self, row: ChampionRow) -> None:
        try:
            self._serving = self._load(row.version)
        except EvergreenError as error:
            log.error("champion_not_loaded", version=row.name, exception_class=type(error).__name__, error=str(error))
            return
        self._version = row.version
        log.info("champion_loaded", version=row.name)
