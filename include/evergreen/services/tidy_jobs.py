"""Results of prediction jobs go after their time, and so do folders no job owns."""

from __future__ import annotations

from datetime import timedelta

from evergreen.ports.jobs import JobFiles, JobStore

STRAY_AFTER = timedelta(days=1)
"""An upload may take long, and its job's row comes last."""


class TidyJobs:
    def __init__(self, store: JobStore, files: JobFiles, keep: timedelta) -> None:
        self._store = store
        self._files = files
        self._keep = keep

    def run(self) -> int:
        """Returns how many folders went. Wall time: a replayed clock ages nothing. The row first: a result that is told of is there."""
        with self._store.transaction() as tx:
            gone, kept = tx.jobs.expire(self._keep), tx.jobs.kept()
        strays = self._files.strays(kept, STRAY_AFTER)
        for job_id in {*gone, *strays}:
            self._files.remove(job_id)
        return len({*strays})
