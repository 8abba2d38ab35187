"""Action `maintenance`: old data goes, small files are joined, what should have gone on and did not is counted.

Guarantee: each chore is a transaction of its own and safe to repeat; nothing an open action needs is deleted. Failure: a chore fails or
the run dies. Remedy: the run is repeated, or tomorrow's does the rest. In replay mode platform time leaps over months: nothing is
judged old there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog

from evergreen.core.clock import Clock
from evergreen.ports.lake import Lake
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.upkeep import UpkeepStore
from evergreen.services.carry_out import CarryOut

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Retention:
    """How long each kind of data is kept."""

    predictions: timedelta = timedelta(days=90)
    feedback: timedelta = timedelta(days=90)
    metrics: timedelta = timedelta(days=14)
    interactions: timedelta = timedelta(days=400)
    """Older ones weigh nothing in a profile that is made anew; what models are trained on is in the lake."""
    exposures: timedelta = timedelta(days=120)
    """Longer than any experiment lasts."""
    outbox: timedelta = timedelta(days=7)
    """After it was sent. Longer than any redelivery: an id that is gone here would be sent again."""
    silences: timedelta = timedelta(days=90)
    """After they were over."""
    keyed_requests: timedelta = timedelta(days=7)
    """Longer than anybody repeats a request."""
    bronze: timedelta = timedelta(days=180)
    table_versions: timedelta = timedelta(days=7)
    """Readers of an older version of a lake table have finished long before."""
    loose_end: timedelta = timedelta(minutes=5)
    """What is older should have gone on; counted, never repaired here."""


class Maintenance:
    def __init__(
        self,
        store: UpkeepStore,
        clock: Clock,
        carry_out: CarryOut,
        lake: Lake,
        in_replay: Callable[[], bool],
        retention: Retention | None = None,
        *,
        tidy_jobs: Callable[[], int] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._lake = lake
        self._in_replay = in_replay
        self._keep = retention or Retention()
        self._tidy_jobs = tidy_jobs

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Result: `dropped` (per table) or why nothing was, `lake` (files before and after), `loose_ends` (all zero in health)."""
        replaying = self._in_replay()
        report: dict[str, Any] = {"dropped": "nothing: the clock replays" if replaying else self._drop_old()}
        keep = timedelta(0) if replaying else self._keep.table_versions
        if self._tidy_jobs is not None:
            report["stray_jobs"] = self._tidy_jobs()
        report["lake"] = [asdict(table) for table in self._lake.compact(keep_versions_for=max(keep, timedelta(hours=1)))]
        with self._store.transaction(claimed.lease) as tx:
            loose = dict(tx.upkeep.loose_ends(self._keep.loose_end))
            report["loose_ends"] = loose
            self._carry_out.complete(tx, claimed, result=report)
        (log.warning if any(loose.values()) else log.info)("house_kept", **loose)
        return report

    def _drop_old(self) -> dict[str, int]:
        today = self._clock.now().date()
        dropped = {}
        for table in ("predictions", "feedback", "metrics", "interactions", "exposures"):
            with self._store.transaction() as tx:
                dropped[table] = len(tx.upkeep.drop_partitions(table, today - getattr(self._keep, table)))
        with self._store.transaction() as tx:
            dropped["outbox"] = tx.outbox.prune(self._keep.outbox)
            dropped["silences"] = tx.silences.prune(self._clock.now() - self._keep.silences)
            dropped["keyed_requests"] = tx.keyed_requests.prune(self._keep.keyed_requests)
        dropped["bronze"] = self._drop_bronze()
        return dropped

    def _drop_bronze(self) -> int:
        with self._store.transaction() as tx:
            old = tx.batches.ingested_before(self._clock.now() - self._keep.bronze)
        dropped = 0
        for dataset in sorted({row.dataset for row in old}):
            batch_ids = [row.batch_id for row in old if row.dataset == dataset]
            dropped += self._lake.drop_bronze(dataset, batch_ids)  # files first: a row that names a lost file is tidied by the repeat
            with self._store.transaction() as tx:
                tx.batches.forget_bronze(dataset, batch_ids)
        return dropped
