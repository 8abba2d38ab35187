"""One file of trending rows -> a frame with the batch's column names, values still as found. A file that cannot be read raises DataRejected."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.core.errors import DataRejected
from evergreen.domains.videos.parse import count_tags
from evergreen.domains.videos.records import ALIASES, from_api, from_flat, missing_columns
from evergreen.domains.videos.schema import LOAD_ERROR

SUFFIXES = frozenset({".parquet", ".csv", ".json", ".jsonl", ".ndjson"})
csv.field_size_limit(1 << 20)  # a lost quote swallows lines: stop at a megabyte, a description has at most 5,000 characters


def read_rows(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataRejected(f"{path.name}: not a Parquet, CSV or JSON file")
    try:
        frame = _read_parquet(path) if suffix == ".parquet" else _as_found(_read_csv(path) if suffix == ".csv" else _read_json(path))
    except OSError as error:
        raise DataRejected(f"{path.name}: cannot be read: {error.strerror or error}") from error
    if len(frame):
        _refuse_schema(path, list(frame.columns))
    return frame


def _as_found(rows: Iterator[dict[str, Any]]) -> pd.DataFrame:
    """As objects: pandas must not judge values here, it raises over half a surrogate pair."""
    return pd.DataFrame(list(rows), dtype="object")


def _refuse_schema(path: Path, source: list[str]) -> None:
    if missing := missing_columns(source):
        raise DataRejected(f"{path.name}: not a trending list: no column for {', '.join(missing)} (has {', '.join(source[:12])})")


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        schema = pq.read_schema(path)
        _refuse_schema(path, schema.names)
        wanted = [name for name in schema.names if name in ALIASES or name in {"tags", "description", LOAD_ERROR}]
        frame = pq.read_table(path, columns=wanted).to_pandas(types_mapper=_nullable, ignore_metadata=True)  # or a column that was an index would be no column
    except (pa.ArrowException, ValueError) as error:  # half a file, a broken page
        raise DataRejected(f"{path.name}: not a whole Parquet file: {error}") from error
    if "tags" in frame.columns and "tag_count" not in frame.columns:
        frame["tag_count"] = frame["tags"].map(lambda tags: count_tags(tags.tolist() if hasattr(tags, "tolist") else tags))
    if "description" in frame.columns and "description_length" not in frame.columns:
        frame["description_length"] = frame["description"].map(lambda text: len(text) if isinstance(text, str) else 0)
    chosen = {ALIASES.get(name, name): frame[name] for name in reversed(frame.columns) if name not in {"tags", "description"}}
    return pd.DataFrame(chosen)


def _nullable(arrow: pa.DataType) -> Any:
    """Whole numbers with gaps stay whole: floats would round counts above 2^53 and print 20.0."""
    return pd.Int64Dtype() if pa.types.is_integer(arrow) else None


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, [])
            _refuse_schema(path, header)
            for fields in reader:
                if not fields:
                    continue
                row = from_flat(dict(zip(header, fields, strict=False)))
                if len(fields) != len(header):
                    row[LOAD_ERROR] = f"row: {len(fields)} of {len(header)} fields (line {reader.line_num})"
                yield row
        except csv.Error as error:
            raise DataRejected(f"{path.name}: not a whole CSV file: {error} (line {reader.line_num})") from error


def _read_json(path: Path) -> Iterator[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    entries = _json_lines(path, text) if path.suffix.lower() != ".json" else _json_items(path, text)
    for rank, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            yield {LOAD_ERROR: f"row: not an object: {str(entry)[:60]!r}"}
        elif "snippet" in entry:
            yield {"rank": rank, **from_api(entry)}
        else:
            yield from_flat(entry)


def _json_items(path: Path, text: str) -> Iterator[Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataRejected(f"{path.name}: not whole JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a list in a list in a list …
        raise DataRejected(f"{path.name}: not a list anybody can read: {error}") from error
    items = document.get("items") if isinstance(document, Mapping) else document
    if not isinstance(items, list):
        raise DataRejected(f"{path.name}: not a trending list: neither a JSON list nor an object with `items`")
    yield from items


def _json_lines(path: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(filter(str.strip, text.splitlines()), start=1):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"line {number}: {getattr(error, 'msg', error)}"
