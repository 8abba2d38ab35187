"""From silver rows to a candidate: which days train, which are held out, and the fit. Pure: no database, no registry, no clock.

Guarantee: nothing younger than `as_of` is looked at (the list of day D is known from D+1 09:00), and no row of the evaluation window is in
the candidate's training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from evergreen.core.drift_profile import FORWARD
from evergreen.core.errors import NotEnoughData
from evergreen.core.release import DEFAULT_ZONE, last_released_day
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.services.gaps import missing_rows, without_gaps
from evergreen.services.row_losses import losses_on

if TYPE_CHECKING:
    import pandas as pd

SEED = 0
MIN_TRAINING_ROWS = 50


@dataclass(frozen=True)
class TrainingWindow:
    """List days, both ends inclusive."""

    train_first: date
    train_last: date
    evaluation_first: date
    evaluation_last: date
    change_point: date | None
    """Set when training starts there, because the world before it was another."""


@dataclass(frozen=True)
class Candidate:
    window: TrainingWindow
    fitted: FittedModel
    train: pd.DataFrame
    """Feature rows with a target it was fitted on."""
    evaluation: pd.DataFrame
    """Feature rows with a target that were held out."""
    metrics: dict[str, float]
    dataset_hash: str

    @property
    def rows(self) -> int:
        return len(self.train)


class Silver(Protocol):
    """What training needs of the lake (ports/lake)."""

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame: ...
    def set_aside(self, dataset: str) -> pd.DataFrame: ...


def read_silver(lake: Silver, spec: ModelSpec, as_of: datetime, zone: str = DEFAULT_ZONE) -> pd.DataFrame:
    """Every clean row of the model's datasets known at `as_of`, without entities whose first row was set aside. Raises NotEnoughData when
    there is none."""
    import pandas as pd

    last = last_released_day(as_of, zone)
    entity, day = spec.entity_column, spec.time_column
    parts = []
    for dataset in spec.datasets:
        rows, aside = lake.silver(dataset, last_day=last), lake.set_aside(dataset)
        missing = missing_rows(rows, aside[aside[day] <= pd.Timestamp(last)], entity, day)
        parts.append(without_gaps(rows, missing, entity, day))
    silver = pd.concat(parts, ignore_index=True)
    if silver.empty:
        raise NotEnoughData(f"{spec.name}: the silver table holds nothing of {', '.join(spec.datasets)} up to {last}")
    return silver


def feature_table(spec: ModelSpec, silver: pd.DataFrame, as_of: datetime, zone: str = DEFAULT_ZONE) -> pd.DataFrame:
    """Point-in-time feature rows known at `as_of`. Later silver rows are cut off before the features are built, so no label looks beyond."""
    import pandas as pd

    known = silver[silver[spec.time_column] <= pd.Timestamp(last_released_day(as_of, zone))]
    return spec.build_features(known)


def evaluation_days(spec: ModelSpec, table: pd.DataFrame) -> tuple[date, date]:
    """First and last of the newest `evaluation_days` list days that are there (a missing day is skipped, not counted)."""
    days = sorted(table.loc[table[spec.target].notna(), spec.time_column].dt.date.unique())
    if len(days) <= spec.windows.evaluation_days:
        raise NotEnoughData(f"{spec.name}: {len(days)} list days with outcomes; more than {spec.windows.evaluation_days} are needed")
    return days[-spec.windows.evaluation_days], days[-1]


def training_window(spec: ModelSpec, table: pd.DataFrame, change_point: date | None = None) -> TrainingWindow:
    """From the change point if enough rows with an outcome lie between it and the evaluation window, else everything before the latter."""
    first_held_out, last_held_out = evaluation_days(spec, table)
    days = table.loc[table[spec.target].notna(), spec.time_column].dt.date
    before = days[days < first_held_out]
    since_change = before[before >= change_point] if change_point is not None else before.iloc[:0]
    from_change = len(since_change) >= spec.windows.min_change_rows
    used = since_change if from_change else before
    if len(used) < MIN_TRAINING_ROWS:
        raise NotEnoughData(f"{spec.name}: {len(used)} rows before {first_held_out} to train on; {MIN_TRAINING_ROWS} are needed")
    return TrainingWindow(used.min(), used.max(), first_held_out, last_held_out, change_point if from_change else None)


def window_since_change(spec: ModelSpec, table: pd.DataFrame, changes: Sequence[date]) -> TrainingWindow:
    """From the newest known change with enough rows after it; an older one is still better than a time when the world was another."""
    for day in sorted(changes, reverse=True):
        window = training_window(spec, table, day)
        if window.change_point is not None:
            return window
    return training_window(spec, table)


def rows_between(spec: ModelSpec, table: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Rows with an outcome on the days of the window."""
    days = table[spec.time_column].dt.date
    chosen: pd.DataFrame = table[(days >= first) & (days <= last) & table[spec.target].notna()].reset_index(drop=True)
    return chosen


def train_candidate(spec: ModelSpec, silver: pd.DataFrame, as_of: datetime, change_point: date | None = None, seed: int = SEED) -> Candidate:
    """What the retrain service would make at `as_of`, from silver rows in any order. Deterministic."""
    table = feature_table(spec, silver, as_of)
    return fit_candidate(spec, table, training_window(spec, table, change_point), seed)


def fit_candidate(spec: ModelSpec, table: pd.DataFrame, window: TrainingWindow, seed: int = SEED) -> Candidate:
    train = rows_between(spec, table, window.train_first, window.train_last)
    evaluation = rows_between(spec, table, window.evaluation_first, window.evaluation_last)
    fitted = _with_forward(spec, spec.fit(train, seed), train)
    return _measured(spec, Candidate(window, fitted, train, evaluation, {}, dataset_hash(train)))


def _with_forward(spec: ModelSpec, fitted: FittedModel, train: pd.DataFrame) -> FittedModel:
    """The counts of what is said of unseen rows are saved with the version: nobody can ask for them once it has seen all."""
    import numpy as np

    from evergreen.services.drift_profiles import reference_profile

    if fitted.forward is None or fitted.forward.empty:
        return fitted
    said = reference_profile(train.loc[fitted.forward.index], (), season=spec.season, predictions=np.asarray(fitted.forward, dtype=np.float64))
    return replace(fitted, card={**fitted.card, FORWARD: replace(said, forward=True).to_json()})


def dataset_hash(rows: pd.DataFrame) -> str:
    """SHA-256 over the training rows, in order: pins what a version was trained on."""
    import pandas as pd

    digest = hashlib.sha256(",".join(map(str, rows.columns)).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _measured(spec: ModelSpec, candidate: Candidate) -> Candidate:
    predictor = spec.predictor(candidate.fitted.estimators, candidate.fitted.card)
    held_out = candidate.evaluation
    features, trivial = held_out[list(spec.feature_names)], spec.baseline(candidate.train)
    metrics = {
        spec.metric: float(losses_on(spec, predictor.predict(features), held_out).mean()),
        f"{spec.metric}_{spec.baseline_name}": float(losses_on(spec, trivial(features), held_out).mean()),
        "training_rows": float(len(candidate.train)),
        "evaluation_rows": float(len(held_out)),
    }
    return replace(candidate, metrics=metrics)
