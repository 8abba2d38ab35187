"""A finished platform day of interactions becomes a batch of the dataset, as if a loader had brought it.

Guarantee: each finished day with interactions is announced. Announced again with the same rows it is the same event; with rows that came late it
is a batch of its own, and ingest takes each row once. Failure: the process dies after the announcement. Remedy: whoever leads next looks at the
newest days again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING

import structlog

from evergreen.core.clock import Clock
from evergreen.core.errors import PublishFailed, Unavailable
from evergreen.core.recommending import DATASET
from evergreen.ports.interactions import InteractionRow, InteractionStore
from evergreen.services.announce import Announce

if TYPE_CHECKING:
    import pandas as pd

LATE = timedelta(minutes=10)
"""After the day's end: what was under way has come."""
LOOKED_BACK = timedelta(days=7)
"""At the first look of a process: whoever led before may have been away as long."""
log = structlog.get_logger(__name__)


class AnnounceInteractions:
    def __init__(
        self, store: InteractionStore, clock: Clock, announce: Callable[[], Announce], batch_of: Callable[[Sequence[InteractionRow]], pd.DataFrame]
    ) -> None:
        self._store = store
        self._clock = clock
        self._announce = announce
        self._batch_of = batch_of
        self._done: date | None = None

    def run(self) -> list[date]:
        """The days announced now. Raises Unavailable."""
        last = (self._clock.now().astimezone(UTC) - LATE).date() - timedelta(days=1)
        first = last - LOOKED_BACK if self._done is None else self._done + timedelta(days=1)
        if first > last:
            return []
        with self._store.transaction() as tx:
            days = list(tx.interactions.days(first, last))
        for day in days:
            self._one(day)
        self._done = last
        return days

    def _one(self, day: date) -> None:
        with self._store.transaction() as tx:
            rows = tx.interactions.of_day(day)
        batch = self._batch_of(rows)
        if batch.empty:
            return
        try:
            event = self._announce().run(DATASET, batch, day, day)
        except PublishFailed as error:
            raise Unavailable(f"Kafka does not answer: {error}") from error
        log.info("interactions_announced", day=day.isoformat(), rows=len(batch), event_id=event.id)
