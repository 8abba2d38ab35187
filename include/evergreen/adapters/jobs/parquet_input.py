"""Parquet: a bounded number of rows at a time, from the first row that is still open. Pages are streamed, never a whole row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.adapters.jobs.columns import fill, plan
from evergreen.core.errors import DataRejected
from evergreen.core.jobs import JobKind, RowFault, fault
from evergreen.ports.jobs import Chunk
from evergreen.ports.model import ModelSpec

_BUFFER_BYTES = 2**20
_THRIFT_BYTES = 64 * 2**20
"""Of a footer: a hostile one could ask for any amount."""
_BROKEN = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, pa.ArrowTypeError, OSError)


class ParquetInput:
    def __init__(self, path: Path, spec: ModelSpec, kind: JobKind | None, chunk_rows: int, max_rows: int) -> None:
        """Raises DataRejected."""
        try:
            self._file = pq.ParquetFile(
                path,
                buffer_size=_BUFFER_BYTES,
                memory_map=False,
                pre_buffer=False,
                thrift_string_size_limit=_THRIFT_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            names = list(self._file.schema_arrow.names)
        except _BROKEN as error:
            raise DataRejected("the file is not Parquet that can be read") from error
        self._chunk_rows = chunk_rows
        self.total: int = self._file.metadata.num_rows
        if self.total > max_rows:
            raise DataRejected(f"{self.total} rows, the limit is {max_rows}")
        self.plan = plan(names, spec, kind)
        self.kind = self.plan.kind
        self._wanted = [*([self.plan.entity] if self.plan.entity else []), *self.plan.features, *(self.plan.facts if self.kind is JobKind.ROWS else ())]
        nested = [name for name in self._wanted if pa.types.is_nested(self._file.schema_arrow.field(name).type)]
        if nested:
            raise DataRejected(f"column {nested[0]!r} holds lists or structures, not values")

    def chunks(self, begin: int) -> Iterator[Chunk]:
        at = begin
        try:
            for batch in self._batches(begin):
                at += batch.num_rows
                yield self._chunk(batch, at)
        except _BROKEN as error:
            raise DataRejected(f"the file cannot be read after row {at}") from error
        if at != self.total:
            raise DataRejected(f"the file names {self.total} rows and holds {at}")

    def _batches(self, begin: int) -> Iterator[Any]:
        group, first = 0, 0
        metadata = self._file.metadata
        while group < metadata.num_row_groups and first + metadata.row_group(group).num_rows <= begin:
            first += metadata.row_group(group).num_rows
            group += 1
        skip = begin - first
        groups = list(range(group, metadata.num_row_groups))
        for batch in self._file.iter_batches(self._chunk_rows, row_groups=groups, columns=self._wanted, use_threads=True) if groups else ():
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    def _chunk(self, batch: Any, end: int) -> Chunk:
        faults: dict[int, str] = {}
        ids = _texts(batch.column(self.plan.entity)) if self.plan.entity else None
        if self.kind is JobKind.SCORE:
            matrix = self.plan.matrix(batch.num_rows)
            for name, place in zip(self.plan.features, self.plan.places, strict=True):
                fill(matrix, place, name, _plain(batch.column(name)), faults)
            return Chunk(batch.num_rows, end, ids, matrix=matrix, faults=faults)
        names = [*self.plan.features, *self.plan.facts]
        columns = [_values(batch.column(name), name, faults) for name in names]
        rows = zip(*columns, strict=True) if columns else iter([()] * batch.num_rows)
        requests = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
        return Chunk(batch.num_rows, end, ids, requests=requests, faults=faults)


def _plain(values: Any) -> Any:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _texts(values: Any) -> Any:
    """Ids may be numbers."""
    try:
        return _plain(values).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataRejected("the column of ids holds no texts") from error


def _values(values: Any, name: str, faults: dict[int, str]) -> list[Any]:
    try:
        return [*_plain(values).to_pylist()]
    except (ValueError, OverflowError):  # an instant Python has no word for, bytes that are no text
        found = []
        for row, value in enumerate(_plain(values)):
            try:
                found.append(value.as_py())
            except (ValueError, OverflowError):
                found.append(None)
                faults.setdefault(row, fault(RowFault.INVALID_VALUE, f"{name} cannot be read"))
        return found
