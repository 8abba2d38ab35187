"""From any frame with the batch's column names to the batch schema. Never raises over a value: what cannot be read becomes null with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from evergreen.domains.videos.parse import parse_day, parse_duration, parse_flag
from evergreen.domains.videos.schema import BATCH_COLUMNS, LOAD_ERROR, Column, Kind

_MAX_SHOWN = 60
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")
"""NUL has no place in Postgres, half a surrogate pair none in UTF-8: a text with one can be stored nowhere."""
_MOST_BITS = 1000
"""What still is a float."""
_WHAT: dict[Kind, str] = {
    "text": "text",
    "whole": "a whole number",
    "real": "a number",
    "flag": "true or false",
    "day": "a day",
    "instant": "a time",
}


def coerce_batch(raw: pd.DataFrame) -> pd.DataFrame:
    """Batch schema plus `load_error`. Missing columns become null, unknown ones are dropped, reasons `raw` already carries are kept."""
    reasons: list[list[str]] = [[] for _ in range(len(raw))]
    if LOAD_ERROR in raw.columns:
        for row, text in enumerate(raw[LOAD_ERROR].tolist()):
            if isinstance(text, str) and text:
                reasons[row].append(_UNFIT.sub("\ufffd", text))
    columns: dict[str, pd.Series[Any]] = {}
    for column in BATCH_COLUMNS:
        values, bad = _coerce(column, raw)
        columns[column.name] = values
        for at in np.flatnonzero(bad).tolist():
            reasons[at].append(f"{column.name}: not {_WHAT[column.kind]}: {_shown(raw[column.name].iloc[at])}")
    errors = pd.Series(["; ".join(found) or None for found in reasons], dtype="str")
    return pd.DataFrame({**columns, LOAD_ERROR: errors})


def _coerce(column: Column, raw: pd.DataFrame) -> tuple[pd.Series[Any], np.ndarray[Any, np.dtype[np.bool_]]]:
    """(values in the column's type, rows that had a value which could not be read)."""
    if column.name not in raw.columns:
        return pd.Series([None] * len(raw), dtype=column.dtype), np.zeros(len(raw), dtype=bool)
    given = raw[column.name].reset_index(drop=True)
    if not pd.api.types.is_numeric_dtype(given.dtype) and not pd.api.types.is_datetime64_any_dtype(given.dtype):
        given = given.astype("object")
        given = given.where(given.map(_holds_something), None)
        values = _BY_KIND[column.kind](given.where(given.map(_storable), None))
    else:
        values = _BY_KIND[column.kind](given)
    bad = (given.notna() & values.isna()).to_numpy(dtype=bool)
    return values, bad


def _holds_something(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() != ""
    if not pd.api.types.is_scalar(value):  # a list is something, though never what a column wants
        return True
    return not pd.isna(value)


def _storable(value: object) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= _MOST_BITS
    return not isinstance(value, str) or _UNFIT.search(value) is None


def _shown(value: object) -> str:
    return repr(str(value)[:_MAX_SHOWN]) if not isinstance(value, int) or _storable(value) else f"{value.bit_length()} bits"


def _text(given: pd.Series[Any]) -> pd.Series[Any]:
    return given.map(lambda value: str(value).strip() if isinstance(value, str | int | float) else None, na_action="ignore").astype("str")


def _real(given: pd.Series[Any]) -> pd.Series[Any]:
    numbers = pd.to_numeric(given, errors="coerce").astype("float64")
    unread = given.notna() & numbers.isna()
    if unread.any():
        numbers = numbers.where(~unread, given.where(unread).map(lambda text: parse_duration(str(text)), na_action="ignore").astype("float64"))
    return numbers.where(np.isfinite(numbers))


def _whole(given: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_integer_dtype(given.dtype):
        return given.astype("Int64")
    numbers = pd.to_numeric(given, errors="coerce").astype("float64")
    usable = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers.abs() < 2**53)
    return numbers.where(usable).astype("Int64")


def _flag(given: pd.Series[Any]) -> pd.Series[Any]:
    return given.map(parse_flag, na_action="ignore").astype("boolean")


def _day(given: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(given.dtype):
        naive = given.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(given.dt, "tz", None) is not None else given
        midnight: pd.Series[Any] = naive.dt.normalize().astype("datetime64[us]")
        return midnight
    known = {value: parse_day(str(value)) for value in given.dropna().map(str).unique()}
    return pd.to_datetime(given.map(lambda value: known[str(value)], na_action="ignore"), errors="coerce").astype("datetime64[us]")


def _instant(given: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(given.dtype):
        aware = given if getattr(given.dt, "tz", None) is not None else given.dt.tz_localize("UTC")
        instant: pd.Series[Any] = aware.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
        return instant
    texts = given.map(str, na_action="ignore").astype("str")
    return pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]")


_BY_KIND: dict[Kind, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "text": _text,
    "whole": _whole,
    "real": _real,
    "flag": _flag,
    "day": _day,
    "instant": _instant,
}
