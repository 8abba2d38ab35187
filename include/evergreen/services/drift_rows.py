"""Feature rows of some days for the drift check: out of gold, where ingest has put them, so that a check reads what it compares and no more,
and without the days of incidents, whose rows are no fair sample."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from evergreen.core.drift import MIN_ROWS
from evergreen.core.release import released_at
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec
from evergreen.services.drift_windows import CheckedWindow, name_of, rows_between
from evergreen.services.gaps import missing_rows, spoilt_days
from evergreen.services.training import feature_table, read_silver

if TYPE_CHECKING:
    import pandas as pd


def feature_rows(lake: Lake, spec: ModelSpec, first: date, last: date) -> pd.DataFrame:
    """Both days inclusive. Built from silver where gold holds none of them. Raises NotEnoughData when there is no silver either."""
    import pandas as pd

    if spec.gold is not None:
        parts = [lake.gold(dataset, spec.gold, first_day=first, last_day=last) for dataset in spec.datasets]
        if all(len(part) for part in parts):
            return pd.concat(parts, ignore_index=True)
    as_of = released_at(last)
    table = feature_table(spec, read_silver(lake, spec, as_of), as_of)
    return rows_between(table, spec.time_column, first, last)


def fair_rows(lake: Lake, spec: ModelSpec, windows: Sequence[CheckedWindow]) -> tuple[list[tuple[CheckedWindow, pd.DataFrame]], dict[str, str]]:
    """(windows with the rows to compare, why the others are not). A window that incidents leave too few rows of is not reported, so that it can
    be checked once a repaired batch has come."""
    chosen, skipped = [], {}
    for one in windows:
        first, last = one.looked_from, one.window.last_day
        rows = feature_rows(lake, spec, first, last)
        fair = rows[~rows[spec.time_column].dt.date.isin(_spoilt(lake, spec, first, last))]
        if len(fair) < min(len(rows), MIN_ROWS):
            skipped[name_of(one.window)] = "incident"
        else:
            chosen.append((one, fair))
    return chosen, skipped


def _spoilt(lake: Lake, spec: ModelSpec, first: date, last: date) -> set[date]:
    found: set[date] = set()
    for dataset in spec.datasets:
        aside = lake.set_aside(dataset)
        near = rows_between(aside, spec.time_column, first, last)
        if len(near):
            silver = lake.silver(dataset, first_day=first, last_day=last)
            found.update(spoilt_days(silver, missing_rows(silver, near, spec.entity_column, spec.time_column), spec.time_column))
    return found
