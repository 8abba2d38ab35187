"""Whom the rows of a scoring request are of: the column of that name, which the model itself is not asked with.

Read when the answer is long out, for the log alone; a body that says it in no known way has rows of nobody."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import msgspec

MAX_BODY = 2**20
"""A larger one would hold up the event loop for the log's sake."""
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_TENSOR = {"name", "shape", "datatype"}
_named = re.compile(r"[!-~]{1,128}").fullmatch
_decode = msgspec.json.Decoder().decode


def entities_in(body: bytes, column: str, rows: int) -> Sequence[str | None]:
    """One per row, in their order; all None where the body does not say."""
    try:
        found = _of_json(_decode(body), column)
    except (msgspec.DecodeError, RecursionError):
        found = _of_csv(body, column)
    return [_name(value) for value in found] if len(found) == rows else [None] * rows


def _of_json(asked: Any, column: str) -> Sequence[Any]:
    given = next((asked[form] for form in _FORMS if form in asked), None) if isinstance(asked, dict) else None
    if isinstance(given, dict):
        return _of_columns(given, column)
    records = [record for record in given if isinstance(record, dict)] if isinstance(given, list) else []
    if records and all(record.keys() >= _TENSOR for record in records):
        return next((_flat(tensor.get("data")) for tensor in records if tensor["name"] == column), [])
    return [record.get(column) for record in records]


def _of_columns(given: Mapping[str, Any], column: str) -> Sequence[Any]:
    """`dataframe_split`, or a list of values per column."""
    names, rows = given.get("columns"), given.get("data")
    if not isinstance(names, list) or not isinstance(rows, list):
        values = given.get(column)
        return values if isinstance(values, list) else [values]
    if column not in names:
        return []
    place = names.index(column)
    return [row[place] if isinstance(row, list) and place < len(row) else row.get(column) if isinstance(row, dict) else None for row in rows]


def _flat(data: Any) -> Sequence[Any]:
    """Of shape [n] or [n, 1]."""
    return [value[0] if isinstance(value, list) and value else value for value in data] if isinstance(data, list) else []


def _of_csv(body: bytes, column: str) -> Sequence[Any]:
    try:
        rows = [row for row in csv.reader(StringIO(body.decode("utf-8-sig"))) if row]
    except (UnicodeDecodeError, csv.Error):
        return []
    if not rows or column not in rows[0]:
        return []
    place = rows[0].index(column)
    return [row[place] if place < len(row) else None for row in rows[1:]]


def _name(value: Any) -> str | None:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _named(text) else None
