"""What a judged version keeps for later: its own errors on rows it has not seen, and the proof that nothing younger was looked at."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from evergreen.core.release import last_released_day
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.row_losses import expected_losses, losses_on
from evergreen.services.submissions import CAUSE
from evergreen.services.training import evaluation_days, rows_between

if TYPE_CHECKING:
    import pandas as pd


Own = tuple[tuple[float, ...], float]
"""Errors by row, and what was to be expected of their mean."""


def judged_days(spec: ModelSpec, table: pd.DataFrame, row: VersionRow) -> tuple[date, date]:
    """The evaluation window; of a submitted version the part its author has not seen (adoption waited until that holds enough rows)."""
    first, last = evaluation_days(spec, table)
    return (max(first, row.trained_to + timedelta(days=1)) if row.cause == CAUSE else first), last


def own_errors(spec: ModelSpec, candidate: LoadedVersion, row: VersionRow, table: pd.DataFrame) -> Own:
    """On held-out rows, newest days first until there are enough; every row after its training is held out. Its performance baseline, and what
    its intervals let one expect on the same rows: later estimates are in proportion to that."""
    days = table[spec.time_column].dt.date
    unseen = table[(days > row.trained_to) & table[spec.target].notna()].sort_values(spec.time_column, kind="stable")
    kept = unseen[unseen[spec.time_column] >= _from_day(spec, unseen)]
    features = kept[list(spec.feature_names)]
    predicted, bounds = candidate.predictor.predict(features), candidate.predictor.interval(features)
    expected = float(expected_losses(spec, predicted, *bounds).mean())
    return tuple(float(error) for error in losses_on(spec, predicted, kept)), expected


def _from_day(spec: ModelSpec, rows: pd.DataFrame) -> pd.Timestamp:
    """The latest day from which on there are `performance_rows` rows, at least the evaluation window's days."""
    counts = rows.groupby(spec.time_column).size().sort_index(ascending=False)
    enough = counts.cumsum() >= spec.windows.performance_rows
    needed = int(enough.to_numpy().argmax()) + 1 if enough.any() else len(counts)
    start: pd.Timestamp = counts.index[min(max(needed, spec.windows.evaluation_days), len(counts)) - 1]
    return start


def younger(spec: ModelSpec, row: VersionRow, rows: pd.DataFrame, table: pd.DataFrame, as_of: datetime) -> int:
    """Rows used that were not known yet: of the evaluation at its time, of the training at the version's. Must be 0."""
    trained = rows_between(spec, table, row.trained_from, row.trained_to)[spec.time_column].dt.date
    return int((rows[spec.time_column].dt.date > last_released_day(as_of)).sum() + (trained > last_released_day(row.as_of)).sum())
