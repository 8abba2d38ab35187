"""From a table to its profile: cells from the reference's own values, then one count per column, cell and stratum.

Cost: one pass over the rows, a column and a chunk at a time, on two threads where that pays (sorting holds no interpreter lock), and a few
megabytes beside the table. Nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.core.drift_profile import MOST_LABELS, ColumnProfile, LabelCells, NumberCells, Profile
from evergreen.ports.model import Season

Values = NDArray[np.float64]
Places = NDArray[np.intp]
Counts = NDArray[np.int64]
LookUp = Callable[[pd.Series], Counts]
"""Rows of a column to their number by cell, and last of those whose value is not known."""
_GROUPS, _CELLS = 10, 100
_FEW_VALUES = 20
_CHUNK = 125_000
_THREADS, _WORTH_THREADS = 2, 200_000
_STRATA = {"weekday": 7, "hour": 24, "month": 12}


def reference_profile(
    table: pd.DataFrame,
    features: Sequence[str],
    categorical: Collection[str] = (),
    season: Season | None = None,
    predictions: Values | None = None,
) -> Profile:
    """`predictions`: what the model says of the rows, to be compared like a feature. Absent columns are left out."""
    there = [name for name in features if name in table]
    cells = {name: _label_cells(table[name]) if name in categorical else _number_cells(_numbers(table[name])) for name in there}
    said = None if predictions is None else ColumnProfile(_number_cells(_numbers(pd.Series(predictions))), (), ())
    return counted(table, Profile((), {name: ColumnProfile(of, (), ()) for name, of in cells.items()}, said), season, predictions)


def counted(table: pd.DataFrame, like: Profile, season: Season | None = None, predictions: Values | None = None) -> Profile:
    """The table's rows in the columns and cells of `like`; rows whose season is not known are left out."""
    strata = _strata(table, season)
    asked = {name: (column.cells, table[name]) for name, column in like.columns.items() if name in table}

    def one(cells: NumberCells | LabelCells, values: pd.Series[Any]) -> ColumnProfile:
        return _count(cells, values, strata)

    if len(table) >= _WORTH_THREADS:
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(lambda pair: one(*pair), asked.values()))
    else:
        found = [one(*pair) for pair in asked.values()]
    said = like.prediction
    return Profile(
        rows=(len(table),) if strata is None else tuple(map(len, strata)),
        columns=dict(zip(asked, found, strict=True)),
        prediction=None if said is None or predictions is None else one(said.cells, pd.Series(predictions)),
        season="" if season is None else str(season),
    )


def _strata(table: pd.DataFrame, season: Season | None) -> list[Places] | None:
    """The places of each stratum's rows; None: there is but one."""
    if season is None:
        return None
    when = table[season.column].dt
    found = when.dayofweek if season.by == "weekday" else when.hour if season.by == "hour" else when.month - 1
    of = found.fillna(-1).to_numpy(dtype=np.int64)
    return [np.flatnonzero(of == stratum) for stratum in range(_STRATA[season.by])]


def _count(cells: NumberCells | LabelCells, column: pd.Series[Any], strata: list[Places] | None) -> ColumnProfile:
    look_up = _in_numbers(cells) if isinstance(cells, NumberCells) else _in_labels(cells)

    def total(rows: pd.Series[Any]) -> Counts:
        chunks = (look_up(rows.iloc[begin : begin + _CHUNK]) for begin in range(0, len(rows), _CHUNK))
        return sum(chunks, np.zeros(cells.size + 1, dtype=np.int64))

    found = [total(column)] if strata is None else [total(column.take(places)) for places in strata]
    return ColumnProfile(cells, tuple(_ints(counts[:-1]) for counts in found), tuple(int(counts[-1]) for counts in found))


def _in_numbers(cells: NumberCells) -> LookUp:
    """Sorting the rows and looking the edges up in them takes a tenth of looking each row up."""
    edges = np.array([] if cells.low is None else [np.nextafter(cells.low, -np.inf), *cells.uppers], dtype=np.float64)

    def look_up(rows: pd.Series[Any]) -> Counts:
        ordered = np.sort(_numbers(rows))  # NaN comes last
        known = np.searchsorted(ordered, np.nan)
        return np.diff([0, *np.searchsorted(ordered, edges, side="right"), known, len(ordered)])

    return look_up


def _in_labels(cells: LabelCells) -> LookUp:
    known = {label: at for at, label in enumerate(cells.labels)}

    def look_up(rows: pd.Series[Any]) -> Counts:
        places, labels = _labelled(rows)
        at = np.array([*(known.get(label, cells.size - 1) for label in labels), cells.size], dtype=np.intp)
        return np.bincount(at[places], minlength=cells.size + 1)

    return look_up


def _number_cells(values: Values) -> NumberCells:
    """Each value where there are few, else percentiles; distances are taken over the values, or over the deciles."""
    ordered = np.sort(values[~np.isnan(values)])
    if len(ordered) == 0:
        return NumberCells(None)
    apart = ordered[np.flatnonzero(np.diff(ordered, prepend=-np.inf))] if len(ordered) > 1 else ordered
    if len(apart) <= _FEW_VALUES:
        uppers, coarse = apart, apart[:-1]
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # between values at the two ends of what a float can be
            steps = np.quantile(ordered, np.linspace(0, 1, _CELLS + 1)[1:-1])
        finite = steps[np.isfinite(steps)]
        uppers, coarse = np.unique([*finite, ordered[-1]]), np.unique(steps[_GROUPS - 1 :: _GROUPS])
    groups = [0, *np.searchsorted(coarse, uppers).tolist(), len(coarse)]
    return NumberCells(float(ordered[0]), tuple(uppers.tolist()), tuple(groups))


def _label_cells(column: pd.Series[Any]) -> LabelCells:
    places, labels = _labelled(column)
    counts: dict[str, int] = {}
    for label, count in zip(labels, np.bincount(places[places >= 0], minlength=len(labels)).tolist(), strict=True):
        counts[label] = counts.get(label, 0) + count
    return LabelCells(tuple(sorted(counts, key=lambda label: (-counts[label], label))[:MOST_LABELS]))


def _numbers(column: pd.Series[Any]) -> Values:
    """Infinity and what is no number count as not known."""
    values = pd.to_numeric(column, errors="coerce").astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(values)
    return np.asarray(values if finite.all() else np.where(finite, values, np.nan), dtype=np.float64)


def _labelled(column: pd.Series[Any]) -> tuple[Places, list[str]]:
    """(place of each value in the labels, -1 = not known; labels): a label is made once per value, not once per row."""
    try:
        places, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists and the like have no hash; their text has
        places, values = pd.factorize(column.map(str, na_action="ignore"), use_na_sentinel=True)
    return places, [_label(value) for value in values.tolist()]


def _label(value: object) -> str:
    """20 and 20.0 are the same category."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).replace("\x00", "�")


def _ints(counts: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(count) for count in counts)
