"""Waiting until announced batches are taken in, telling of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from evergreen.contracts.events import DataIngested
from evergreen.core.errors import EvergreenError
from evergreen.ports.batches import BatchRow, BatchStore

POLL_SECONDS = 0.3


class BatchesNotIn(EvergreenError):
    """Announced, and not taken in when the time to wait is over. That goes on without its watcher."""


class AwaitBatches:
    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._pause = threading.Event()

    def run(self, announced: Sequence[DataIngested], timeout_seconds: float) -> Iterator[BatchRow]:
        """What became of each, in whatever order that is known. One that was in before is at once. Raises BatchesNotIn."""
        until = time.monotonic() + timeout_seconds
        waiting = list(announced)
        while waiting:
            found = {batch.batch_id: row for batch in waiting if (row := self._row(batch)) is not None}
            waiting = [batch for batch in waiting if batch.batch_id not in found]
            yield from found.values()
            if waiting and not found:
                if time.monotonic() >= until:
                    raise BatchesNotIn(
                        f"{len(waiting)} of {len(announced)} batches are not in after {timeout_seconds:.0f} s ({waiting[0].batch_id} is the first); "
                        "Airflow's DAG `ingest` takes them in, whoever waits: see `evergreen status` and the Airflow UI"
                    )
                self._pause.wait(POLL_SECONDS)

    def _row(self, batch: DataIngested) -> BatchRow | None:
        with self._store.transaction() as tx:
            row = tx.batches.get(batch.dataset, batch.batch_id)
        return row if row is not None and row.sha256 == batch.sha256 else None
