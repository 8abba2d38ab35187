"""The performance of each model that serves, looked at every few minutes, and more often for a while after a `monitor` action.

While the clock is replayed nothing is looked at here: a replayed week passes within seconds, and a look in the middle of it would test half
a window and use its outcomes up. The tick's daily `performance_check` looks at finished ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from evergreen.core.clock import ClockReading, wall_now
from evergreen.core.errors import EvergreenError
from evergreen.core.monitoring import Pace, check_every
from evergreen.ports.monitoring import MonitorStore

Look = Callable[[str, datetime], Mapping[str, Any]]
"""(model, as_of) -> what came of it."""
log = structlog.get_logger(__name__)


class CheckModels:
    def __init__(
        self,
        store: MonitorStore,
        reading: Callable[[], ClockReading],
        look: Look,
        pace: Pace,
        known: Collection[str],
        wall: Callable[[], datetime] = wall_now,
    ) -> None:
        self._store = store
        self._reading = reading
        self._look = look
        self._pace = pace
        self._known = known
        self._wall = wall
        self._looked: dict[str, datetime] = {}
        self.every: dict[str, timedelta] = {}
        """The pace of each model now."""

    def run(self) -> list[str]:
        """Looks at the models whose turn it is; returns them. The first look comes one period after the start."""
        wall, clock = self._wall(), self._reading()
        now = clock.at(wall)
        with self._store.transaction() as tx:
            models, monitored = tx.observations.models_with_champion(), tx.observations.last_monitor_actions()
        self.every = {model: check_every(monitored.get(model), now, self._pace) for model in models if model in self._known}
        if clock.mode == "replay":
            self._looked.clear()  # the period starts anew with wall time
            return []
        due = [model for model, every in self.every.items() if wall - self._looked.setdefault(model, wall) >= every]
        for model in due:
            self._looked[model] = wall
            self._check(model, now)
        return due

    def _check(self, model: str, now: datetime) -> None:
        try:
            result = self._look(model, now)
        except EvergreenError as error:  # one model's trouble (its registry is away) must not keep the others from being looked at
            log.warning("performance_not_checked", model=model, error=str(error))
        except Exception as error:
            log.exception("performance_check_failed", model=model, error=f"{type(error).__name__}: {error}")
        else:
            log.info("performance_checked", model=model, **{name: result[name] for name in ("outcome", "model_version", "n", "drop") if name in result})
