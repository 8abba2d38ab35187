"""A retrain's choice of settings: a small seeded grid within the spec's budget, tried on a validation window before the gate's window.

Guarantee: the training window alone is looked at: its last `evaluation_days` days validate what its earlier ones trained, so no row that judges
the candidate later has chosen it. Equal rows, seed and budget give the same trials in the same order, the model's own settings first; only a
budget of time that runs out depends on the machine. Failure: a crash in the middle. Remedy: the retrain is repeated, and finds the same."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from evergreen.core.errors import NotEnoughData
from evergreen.ports.grid_search import Search
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.registry import SearchTrial
from evergreen.services.row_losses import losses_on
from evergreen.services.training import MIN_TRAINING_ROWS, SEED, TrainingWindow, rows_between

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Searched:
    spec: ModelSpec
    """Fits with what was chosen."""
    trials: tuple[SearchTrial, ...] = ()
    """As they were made; empty where nothing was searched."""

    @property
    def params(self) -> dict[str, str]:
        """Of the chosen trial, for the registry."""
        chosen = next((trial for trial in self.trials if trial.chosen), None)
        return {} if chosen is None else {"trials": str(len(self.trials)), **{f"search.{name}": str(value) for name, value in chosen.params.items()}}


def search(spec: ModelSpec, table: pd.DataFrame, window: TrainingWindow, *, seed: int = SEED, clock: Callable[[], float] = time.monotonic) -> Searched:
    """`table`: feature rows; those after the training window are not looked at."""
    rows = rows_between(spec, table, window.train_first, window.train_last)
    days = sorted(rows[spec.time_column].dt.date.unique())
    if spec.search is None or len(days) <= spec.windows.evaluation_days:
        return Searched(spec)
    validates = rows[spec.time_column].dt.date >= days[-spec.windows.evaluation_days]
    early, late = rows[~validates].reset_index(drop=True), rows[validates].reset_index(drop=True)
    if len(early) < MIN_TRAINING_ROWS:
        return Searched(spec)
    trials = list(_trials(spec, spec.search, early, late, seed, clock))
    scored = [trial for trial in trials if trial.loss is not None]
    if not scored:
        return Searched(spec, tuple(trials))
    sense = 1.0 if spec.direction == "lower" else -1.0
    best = min(scored, key=lambda trial: (sense * float(trial.loss or 0.0), trial.number))
    chosen = tuple(replace(trial, chosen=trial is best) for trial in trials)
    return Searched(replace(spec, fit=partial(_fit, found=spec.search, params=best.params)), chosen)


def grid_order(found: Search, seed: int) -> Iterator[Mapping[str, float]]:
    """The model's own settings, then the grid's in an order that only the seed decides."""
    import numpy as np

    yield {}
    every = [dict(zip(found.grid, values, strict=True)) for values in itertools.product(*found.grid.values())]
    for at in np.random.default_rng(seed).permutation(len(every)):
        yield every[int(at)]


def _trials(spec: ModelSpec, found: Search, early: pd.DataFrame, late: pd.DataFrame, seed: int, clock: Callable[[], float]) -> Iterator[SearchTrial]:
    """Ends before the one that would, as long as the longest so far, be over the budget; the first is always made."""
    begun, longest = clock(), 0.0
    for number, params in enumerate(itertools.islice(grid_order(found, seed), found.trials)):
        start = clock()
        if number and start - begun + longest > found.seconds:
            return
        loss = _loss(spec, found, early, late, seed, params)
        took = clock() - start
        longest = max(longest, took)
        yield SearchTrial(number, params, loss, took)


def _loss(spec: ModelSpec, found: Search, early: pd.DataFrame, late: pd.DataFrame, seed: int, params: Mapping[str, float]) -> float | None:
    """On the validation window; None: these rows do not suffice, or it gives no number."""
    try:
        fitted = found.fit(early, seed, params)
    except NotEnoughData:
        return None
    predicted = spec.predictor(fitted.estimators, fitted.card).predict(late[list(spec.feature_names)])
    loss = float(losses_on(spec, predicted, late).mean())
    return loss if math.isfinite(loss) else None


def _fit(table: pd.DataFrame, seed: int, found: Search, params: Mapping[str, float]) -> FittedModel:
    return found.fit(table, seed, params)
