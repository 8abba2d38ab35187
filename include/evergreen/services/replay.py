"""Playing recorded days through the loop on the replay clock. The driver is the only one that moves that clock, and it is the app:
for each entity that is new it asks for a prediction with what is known then, and later tells the real count."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError
from evergreen.core.release import released_at
from evergreen.ports.app import DomainApp, PredictionApp
from evergreen.services.announce import Announce

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Batch:
    first_day: date
    last_day: date
    rows: pd.DataFrame
    unreadable: tuple[Path, ...] = ()
    """Files of these days that hold no list anybody can read. They are announced as they are: ingest says so where everybody looks."""

    @property
    def release(self) -> datetime:
        return released_at(self.last_day)


@dataclass(frozen=True)
class Backlog:
    """What the loop has not finished. `open` names each kind of work with its count; the loop is idle when all are zero."""

    open: Mapping[str, int]
    next_due: datetime | None
    """Platform time of the next scheduled or deferred action."""

    @property
    def idle(self) -> bool:
        return not any(self.open.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self.open.items() if count) or "nothing"


class ReplayClock(Protocol):
    def now(self) -> datetime: ...
    def is_replaying(self) -> bool: ...
    def replay_from(self, at: datetime, rate: float = 1.0) -> None: ...


class Replay:
    """Guarantee: the clock moves only when the loop is idle, so a replayed day sees what a real one would have seen; scheduled work
    between two batches runs at its own time. Failure: something never finishes. Remedy: after `patience` seconds without any change
    in the backlog it raises and says what is open."""

    def __init__(
        self,
        *,
        clock: ReplayClock,
        announce: Announce,
        backlog: Callable[[], Backlog],
        app: PredictionApp | None,
        domain: DomainApp,
        dataset: str,
        patience: float = 240.0,
    ) -> None:
        self._clock = clock
        self._announce = announce
        self._backlog = backlog
        self._app = app
        self._domain = domain
        self._dataset = dataset
        self._patience = patience
        self._pause = threading.Event()

    def play(self, batches: Iterable[Batch], pace_seconds: float = 0.0) -> Iterator[Batch]:
        """Yields each batch when the loop has digested it. `pace_seconds`: wall seconds a batch lasts at least (0: as fast as the loop)."""
        for batch in batches:
            started = wall_now()
            self.advance_to(batch.release)
            self.digest(batch)
            rest = pace_seconds - (wall_now() - started).total_seconds()
            if rest > 0:
                self._pause.wait(rest)
            yield batch

    def digest(self, batch: Batch) -> None:
        """Predictions for the batch's new entities, then the batch itself, then their true counts."""
        table = self._domain.first_listed(batch.rows)
        names = [str(name) for name in table.columns]
        fresh: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in table.itertuples(index=False)]
        if self._app is not None:
            self._app.ask([self._domain.request(row) for row in fresh])
        self._announce.run(self._dataset, batch.rows, batch.first_day, batch.last_day)
        for file in batch.unreadable:
            self._announce.run(self._dataset, file, batch.first_day, batch.last_day)
        self.settle()
        if self._app is not None:
            outcomes = (self._domain.outcome(row) for row in fresh)
            self._app.tell([outcome for outcome in outcomes if outcome is not None])
            self.settle()

    def digest_silently(self, batch: Batch) -> None:
        """History from before the app existed: no predictions, no feedback."""
        self._domain.first_listed(batch.rows)
        self._announce.run(self._dataset, batch.rows, batch.first_day, batch.last_day)
        for file in batch.unreadable:
            self._announce.run(self._dataset, file, batch.first_day, batch.last_day)
        self.settle()

    def advance_to(self, target: datetime) -> None:
        """Forward to `target`, stopping at each scheduled action on the way. The first move leaves the wall clock, backward if need be."""
        self.settle()
        if not self._clock.is_replaying():
            self._clock.replay_from(target)
        while True:
            due = self._backlog().next_due
            stop = min(target, due) if due is not None and due > self._clock.now() else target
            if stop > self._clock.now():
                self._clock.replay_from(stop)
            self.settle()
            if stop == target:
                return

    def settle(self) -> None:
        """Wait until the loop is idle. Raises EvergreenError when nothing moves for `patience` seconds."""
        last, since = None, wall_now()
        while not (backlog := self._backlog()).idle:
            if str(backlog) != last:
                last, since = str(backlog), wall_now()
            if (wall_now() - since).total_seconds() > self._patience:
                raise EvergreenError(f"the loop stands still: {backlog} for {self._patience:.0f} s; see `evergreen status`, `evergreen logs` and Airflow's UI")
            self._pause.wait(0.15)
