"""Received cells as silver's: numbers as doubles, categories and names as text, the time as an instant in UTC and its day."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.core.codes import text_of
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.row import AT, DAY, number_of, silver_columns

_HASH = 24
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000}
_TOO_FAR = 1e16
"""Microseconds: more than three hundred years from 1970."""


def with_entities(received: pd.DataFrame, declared: Declared) -> pd.DataFrame:
    """The rows with a column that names each: the declared one, else a hash of the declared cells as received."""
    if not declared.hashed or declared.entity.name in received.columns:
        return received
    names = [one.name for one in declared.columns if one.name in received.columns]
    cells = [texts(received[name]).fillna("").tolist() for name in names]
    named = [hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:_HASH] for row in zip(*cells, strict=True)]
    return received.assign(**{declared.entity.name: named})


def coerced(received: pd.DataFrame, declared: Declared) -> pd.DataFrame:
    """Silver's columns, a cell that cannot be read as nothing. Never raises over a value."""
    given = with_entities(received.loc[:, ~received.columns.duplicated()].reset_index(drop=True), declared)
    at = times(given[declared.time.name], declared.time_format) if declared.time.name in given.columns else _nothing(len(given), "datetime64[us, UTC]")
    made: dict[str, Any] = {DAY: at.dt.tz_localize(None).dt.normalize().astype("datetime64[us]"), AT: at}
    for name, dtype in silver_columns(declared).items():
        if name in (DAY, AT):
            continue
        if name not in given.columns:
            made[name] = _nothing(len(given), dtype)
        elif name == declared.target.name and declared.classes:
            made[name] = texts(given[name]).map({text: float(at) for at, text in enumerate(declared.classes)}).astype("float64")
        else:
            made[name] = numbers(given[name]) if dtype == "float64" else texts(given[name])
    return pd.DataFrame(made)


def is_given(column: pd.Series[Any]) -> pd.Series[bool]:
    """Where a cell says something: neither null nor blank."""
    return (texts(column).fillna("") != "").astype(bool)


def numbers(column: pd.Series[Any]) -> pd.Series[float]:
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = np.asarray(column.astype("float64"), dtype=np.float64)
    else:
        values = np.fromiter(map(number_of, column.tolist()), dtype=np.float64, count=len(column))
    return pd.Series(_finite(values), index=column.index)


def times(column: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    """Instants in UTC, microseconds; NaT for what is none. A time without a zone is read as UTC. `form`: as `strptime` has it, `s` or `ms` since 1970."""
    if form in _MICROSECONDS:
        whole = (numbers(column) * _MICROSECONDS[form]).round()
        read = pd.to_datetime(whole.where(whole.abs() < _TOO_FAR).astype("Int64").astype("datetime64[us]"), utc=True)
    elif pd.api.types.is_numeric_dtype(column.dtype):  # seconds of what? Only the spec could say
        return _nothing(len(column), "datetime64[us, UTC]")
    else:
        column = texts(column) if column.dtype == object else column
        read = pd.to_datetime(column, format=form or "ISO8601", errors="coerce", utc=True)
    known = read.where((read >= pd.Timestamp("1900-01-01", tz="UTC")) & (read < pd.Timestamp("2200-01-01", tz="UTC")))
    instants: pd.Series[Any] = known.astype("datetime64[us, UTC]")
    return instants


def texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Trimmed; blank is null. Each different value is read once."""
    try:
        places, values = pd.factorize(column.astype(object), use_na_sentinel=True)
    except TypeError:  # lists and the like have no hash; their text has
        places, values = pd.factorize(column.astype(object).map(str, na_action="ignore"), use_na_sentinel=True)
    said = np.array([*(text_of(value) for value in values.tolist()), None], dtype=object)
    said[said == ""] = None
    return pd.Series(said[places], index=column.index, dtype="str")


def _nothing(rows: int, dtype: str) -> pd.Series[Any]:
    return pd.Series([None] * rows, dtype=dtype)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)
