"""What a job runner consists of."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING

from evergreen.core.errors import NotCompilable
from evergreen.ports.jobs import Scorer
from evergreen.ports.model import Scoring
from evergreen.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evergreen.adapters.jobs.files import JobFolders
    from evergreen.bootstrap import Parts
    from evergreen.services.run_job import RunJob
    from evergreen.services.tidy_jobs import TidyJobs


SLICE_ROWS = 2048
"""Fewer in a thread are not worth it."""


class JobParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @cached_property
    def folders(self) -> JobFolders:
        from evergreen.adapters.jobs.files import JobFolders

        return JobFolders.of_home(self._parts.settings.home)

    @cached_property
    def tidy(self) -> TidyJobs:
        from evergreen.services.tidy_jobs import TidyJobs

        return TidyJobs(self._parts.store, self.folders, timedelta(days=self._parts.settings.jobs.keep_days))

    def run_job(self, stop: Event) -> RunJob:
        from evergreen.adapters.jobs.open_job import JobDoors, StoredFeatureLookup
        from evergreen.services.run_job import Bounds, RunJob

        parts, jobs = self._parts, self._parts.settings.jobs
        doors = JobDoors(self.folders, parts.store, chunk_rows=jobs.chunk_rows, max_rows=jobs.max_rows)
        bounds = Bounds(timedelta(seconds=jobs.lease_seconds), jobs.max_running, jobs.max_rows)
        return RunJob(parts.store, doors, self.load_scorer, StoredFeatureLookup(parts.store), parts.spec, bounds, stop)

    def load_scorer(self, model: str, version: int) -> Scorer:
        return load_scorer(self._parts.settings, model, version)


def load_scorer(settings: Settings, model: str, version: int) -> Scorer:
    """The primary head of a version: compiled, else by its pipeline. Raises NotFound, Unavailable, ArtifactRefused."""
    from evergreen.bootstrap import Parts

    parts = Parts(settings)
    spec = parts.spec(model)
    try:
        score = parts.registry.compiled(spec, version).score
    except NotCompilable:
        score = _by_pipeline(parts, model, version)
    return Scorer(spec.feature_names, _side_by_side(score))


def _side_by_side(score: Scoring) -> Scoring:
    """On every processor: most of the arithmetic lets other threads run."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    count = max(os.cpu_count() or 1, 1)
    pool = ThreadPoolExecutor(count, "score")

    def scored(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(matrix) < count * SLICE_ROWS:
            return score(matrix)
        return np.concatenate(list(pool.map(score, np.array_split(matrix, count))))

    return scored


def _by_pipeline(parts: Parts, model: str, version: int) -> Scoring:
    """Brings scikit-learn and pandas along."""
    import pandas as pd

    spec = parts.spec(model)
    predictor, names = parts.registry.load(spec, version).predictor, list(spec.feature_names)
    return lambda matrix: predictor.predict(pd.DataFrame(matrix, columns=names))
