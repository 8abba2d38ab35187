"""CSV: a block at a time, by Arrow with numbers as numbers; where that fails as texts; where that fails too, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from evergreen.adapters.jobs.blocks import Block, blocks, count_lines
from evergreen.adapters.jobs.columns import fill, plan, request_of
from evergreen.core.errors import DataRejected
from evergreen.core.jobs import JobKind, RowFault, fault
from evergreen.ports.jobs import Chunk
from evergreen.ports.model import ModelSpec

MAX_HEADER_BYTES = 2**18
ROW_BYTES = 128
"""What a row is taken to have when rows are turned into bytes to read."""
_ARROW_BLOCK = 2**20
_LONG = fault(RowFault.INVALID_ROW, "the row is longer than 1 MiB")
_TEXT = pa.string()


class CsvInput:
    def __init__(self, path: Path, spec: ModelSpec, kind: JobKind | None, chunk_rows: int) -> None:
        """Raises DataRejected."""
        self._path = path
        self._size = max(chunk_rows * ROW_BYTES, 1)
        self._names, self._body_at = _header(path)
        self.plan = plan(self._names, spec, kind)
        self.kind = self.plan.kind

    @cached_property
    def total(self) -> int:
        return count_lines(self._path, self._body_at)

    def chunks(self, begin: int) -> Iterator[Chunk]:
        for block in blocks(self._path, max(begin, self._body_at), self._size, quotes=True):
            yield self._chunk(block)

    def _chunk(self, block: Block) -> Chunk:
        if block.too_long:
            return self._filled({}, 1, block.end, {0: _LONG})
        wanted = [*self.plan.features, *self.plan.facts] if self.kind is JobKind.ROWS else self.plan.features
        numbers = self.plan.features if self.kind is JobKind.SCORE else ()
        for typed in (numbers, ()) if numbers else ((),):
            table = self._table(block, wanted, typed) if block.whole else None
            if table is not None:
                return self._filled({name: table[name] for name in table.column_names}, table.num_rows, block.end, {})
        rows, faults = self._row_by_row(block)
        columns = {name: pa.array([row[at] if row else None for row in rows], _TEXT) for at, name in enumerate(self._names) if name in self._kept(wanted)}
        return self._filled(columns, len(rows), block.end, faults)

    def _kept(self, wanted: Sequence[str]) -> list[str]:
        return [*([self.plan.entity] if self.plan.entity else []), *wanted]

    def _table(self, block: Block, wanted: Sequence[str], numbers: Sequence[str]) -> pa.Table | None:
        """None: something in the block is not as it should be."""
        kept = self._kept(wanted)
        types = {name: pa.float64() if name in numbers else _TEXT for name in kept}
        try:
            return pacsv.read_csv(
                pa.BufferReader(block.body),
                read_options=pacsv.ReadOptions(column_names=self._names, block_size=min(_ARROW_BLOCK, max(len(block.body), 1))),
                parse_options=pacsv.ParseOptions(newlines_in_values=b'"' in block.body),
                convert_options=pacsv.ConvertOptions(column_types=types, include_columns=kept, strings_can_be_null=False),
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError):
            return None

    def _row_by_row(self, block: Block) -> tuple[list[list[str] | None], dict[int, str]]:
        rows: list[list[str] | None] = []
        faults: dict[int, str] = {}
        for row in _records(block):
            if row is None or len(row) != len(self._names):
                said = "its quotes do not close" if row is None else f"{len(row)} values in {len(self._names)} columns"
                faults[len(rows)] = fault(RowFault.INVALID_ROW, said)
                rows.append(None)
            elif any("\ufffd" in value for value in row):
                faults[len(rows)] = fault(RowFault.INVALID_ROW, "it is not UTF-8")
                rows.append(row)
            else:
                rows.append(row)
        return rows, faults

    def _filled(self, columns: dict[str, Any], rows: int, end: int, faults: dict[int, str]) -> Chunk:
        ids = columns.get(self.plan.entity) if self.plan.entity else None
        if ids is None and self.plan.entity:
            ids = pa.nulls(rows, _TEXT)
        if self.kind is JobKind.SCORE:
            return Chunk(rows, end, ids, matrix=self._matrix(columns, rows, faults), faults=faults)
        names = [name for name in columns if name != self.plan.entity]
        values = zip(*(columns[name].to_pylist() for name in names), strict=True) if names else iter([()] * rows)
        requests = [request_of(self.plan.texts, names, one) for one in values] if columns else [{}] * rows
        return Chunk(rows, end, ids, requests=requests, faults=faults)

    def _matrix(self, columns: dict[str, Any], rows: int, faults: dict[int, str]) -> Any:
        matrix = self.plan.matrix(rows)
        for name, place in zip(self.plan.features, self.plan.places, strict=True):
            if name in columns:
                fill(matrix, place, name, columns[name], faults)
        return matrix


def _header(path: Path) -> tuple[list[str], int]:
    with path.open("rb") as file:
        line = file.readline(MAX_HEADER_BYTES + 1)
    if len(line) > MAX_HEADER_BYTES:
        raise DataRejected("the first line is too long to name columns")
    try:
        names = next(csv.reader([line.decode("utf-8-sig").strip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRejected("the first line does not name columns in UTF-8") from error
    if not any(names):
        raise DataRejected("the first line must name the columns")
    return [name.strip() for name in names], len(line)


def _records(block: Block) -> Iterator[list[str] | None]:
    """Values of each row that is not empty; None: not to be read. Where quotes do not close each line stands for itself."""
    text = block.body.decode("utf-8", "replace")
    if block.whole:
        yield from (row for row in csv.reader(io.StringIO(text, newline="")) if row)
        return
    for line in text.split("\n"):
        if (bare := line.rstrip("\r")) and (read := next(csv.reader([bare]), None)):
            yield read if bare.count('"') % 2 == 0 else None


csv.field_size_limit(2**31 - 1)  # rows are bounded by their block
