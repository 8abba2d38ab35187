"""Whom the rows of a scoring request are of: the column of that name, which the model itself is not asked with.

Read when the answer is long out, for the log alone; a body that says it in no known way has rows of nobody."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import msgspec

MAX_BODY = 2**20
"""A larger one would hold up the event loop for the log's sake."""
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
    given = next((asked[form] for form in ("dataframe_split", "dataframe_records", "instances", "inputs") if form in asked), None)
    if isinstance(given, dict) and "data" in given and isinstance(given.get("columns"), list):
        places = [at for at, name in enumerate(given["columns"]) if name == column]
        return [row[places[0]] if isinstance(row, list) and places and places[0] < len(row) else None for row in given["data"]]
    if isinstance(given, dict):
        values = given.get(column)
        return values if isinstance(values, list) else [values]
    records = given if isinstance(given, list) else []
    tensors = [record for record in records if isinstance(record, dict) and record.keys() >= {"name", "shape", "datatype"}]
    if tensors and len(tensors) == len(records):
        values = next((tensor.get("data") for tensor in tensors if tensor["name"] == column), None)
        return [value[0] if isinstance(value, list) and value else value for value in values] if isinstance(values, list) else []
    return [record.get(column) if isinstance(record, dict) else None for record in records]


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
