"""JSON lines: a block at a time, by msgspec into fixed fields; where that fails, line by line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from evergreen.adapters.jobs.blocks import Block, blocks, count_lines
from evergreen.adapters.jobs.columns import number, plan
from evergreen.adapters.jobs.csv_input import ROW_BYTES
from evergreen.contracts.limits import MAX_TEXT
from evergreen.core.errors import DataRejected
from evergreen.core.jobs import JobKind, RowFault, fault
from evergreen.ports.jobs import Chunk
from evergreen.ports.model import ModelSpec

LINES_LOOKED_AT = 1_000
"""To learn which fields there are."""
_LONG = fault(RowFault.INVALID_ROW, "the line is longer than 1 MiB")
_NO_OBJECT = fault(RowFault.INVALID_ROW, "the line is no JSON object")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class JsonLinesInput:
    def __init__(self, path: Path, spec: ModelSpec, kind: JobKind | None, chunk_rows: int) -> None:
        """Raises DataRejected."""
        self._path, self._spec = path, spec
        self._size = max(chunk_rows * ROW_BYTES, 1)
        self.plan = plan(list(_names(path, self._size)), spec, kind)
        self.kind, self._entity = self.plan.kind, self.plan.entity
        fields: list[tuple[str, Any, Any]] = [(name, float | bool | None, math.nan) for name in spec.feature_names if name != spec.entity_column]
        row = msgspec.defstruct("Row", [*fields, (spec.entity_column, str | None, None)], forbid_unknown_fields=True, gc=False)
        self._rows = msgspec.json.Decoder(row)
        self._values = attrgetter(*spec.feature_names)
        self._known = frozenset({*spec.feature_names, *spec.request_facts})

    @cached_property
    def total(self) -> int:
        return count_lines(self._path)

    def chunks(self, begin: int) -> Iterator[Chunk]:
        for block in blocks(self._path, begin, self._size, quotes=False):
            yield self._chunk(block)

    def _chunk(self, block: Block) -> Chunk:
        if block.too_long:
            return self._made([{}], block.end, {0: _LONG})
        if self.kind is JobKind.SCORE:
            try:
                rows = self._rows.decode_lines(block.body)
            except _BROKEN:
                return self._made(*self._line_by_line(block))
            matrix = self._numbers(rows)
            ids = pa.array([getattr(row, self._entity) for row in rows], pa.string()) if self._entity else None
            return Chunk(len(rows), block.end, ids, matrix=matrix)
        return self._made(*self._line_by_line(block))

    def _numbers(self, rows: Sequence[Any]) -> Any:
        width = len(self._spec.feature_names)
        try:
            flat = np.fromiter(chain.from_iterable(map(self._values, rows)), np.float64, len(rows) * width)
        except TypeError:  # a null, which is rarer than a field left out
            flat = np.array([self._values(row) for row in rows], dtype=np.float64)
        return flat.reshape(len(rows), width)

    def _line_by_line(self, block: Block) -> tuple[list[Mapping[str, Any]], int, dict[int, str]]:
        found: list[Mapping[str, Any]] = []
        faults: dict[int, str] = {}
        for line in block.body.split(b"\n"):
            if not line.strip():
                continue
            try:
                said = _decode(line)
            except _BROKEN:
                said, faults[len(found)] = {}, _NO_OBJECT
            found.append(said)
        return found, block.end, faults

    def _made(self, said: Sequence[Mapping[str, Any]], end: int, faults: dict[int, str]) -> Chunk:
        ids = pa.array([_id_of(row.get(self._entity)) for row in said], pa.string()) if self._entity else None
        if self.kind is JobKind.ROWS:
            requests = []
            for at, row in enumerate(said):
                requests.append({name: value for name, value in row.items() if value is not None and name in self._known})
                if bad := [name for name, value in requests[-1].items() if not _plain(value)]:
                    faults.setdefault(at, fault(RowFault.INVALID_VALUE, f"{bad[0]} is no text of at most {MAX_TEXT} characters, number or flag"))
            return Chunk(len(said), end, ids, requests=requests, faults=faults)
        matrix = self.plan.matrix(len(said))
        for at, row in enumerate(said):
            self._read(matrix[at], at, row, faults)
        return Chunk(len(said), end, ids, matrix=matrix, faults=faults)

    def _read(self, place: Any, at: int, row: Mapping[str, Any], faults: dict[int, str]) -> None:
        foreign = row.keys() - self._known - {self._entity}
        if foreign - {None}:
            faults.setdefault(at, fault(RowFault.INVALID_ROW, f"{sorted(foreign)[0][:64]!r} is no feature; with kind=rows it would be passed over"))
        for column, name in enumerate(self._spec.feature_names):
            value = row.get(name)
            read = None if isinstance(value, str) else number(value)
            if read is None:
                faults.setdefault(at, fault(RowFault.INVALID_VALUE, f"{name} is not a number"))
            else:
                place[column] = read


def _names(path: Path, size: int) -> Iterator[str]:
    """Fields of the first lines, in order. Raises DataRejected when none of them is an object."""
    first = next(blocks(path, 0, size, quotes=False), Block(b"", 0))
    seen: dict[str, None] = {}
    for line in islice(first.body.split(b"\n"), LINES_LOOKED_AT):
        try:
            seen |= dict.fromkeys(_decode(line)) if line.strip() else {}
        except _BROKEN:
            continue
    if not seen:
        raise DataRejected(f"none of the first {LINES_LOOKED_AT} lines is a JSON object with fields")
    yield from seen


def _id_of(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _plain(value: Any) -> bool:
    return len(value) <= MAX_TEXT if isinstance(value, str) else isinstance(value, bool | int | float)
