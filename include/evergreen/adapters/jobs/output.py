"""Results: a folder per finished chunk, renamed in one step; at the end one file of them all."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from evergreen.core.jobs import JobFormat, kind_of_fault
from evergreen.ports.jobs import Chunk, Job, Part

_SAID = "said.json"
_encode = msgspec.json.Encoder().encode_lines


class JobResult:
    """See `ports.jobs.JobOutput`."""

    def __init__(self, folder: Path, result: Path, job: Job, entity: str) -> None:
        self._folder, self._result = folder, result
        self._format, self._entity, self._token = job.output_format, entity, job.token
        self._own = folder / f"run-{job.token}"

    def adopt(self) -> Sequence[Part]:
        self._own.mkdir(mode=0o700, exist_ok=True)
        for older in sorted(self._runs(), key=_token_of, reverse=True):
            if older == self._own or _token_of(older) > self._token:
                continue
            for part in older.glob("[0-9]*"):
                if not (self._own / part.name).exists():
                    part.rename(self._own / part.name)
            shutil.rmtree(older, ignore_errors=True)
        found: list[Part] = []
        while (said := self._own / _name(len(found)) / _SAID).exists():
            found.append(Part(**json.loads(said.read_text())))
        return found

    def write(self, number: int, chunk: Chunk, predictions: Any, version: str) -> Part:
        begun = self._own / f".{_name(number)}"
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir()
        table = self._table(chunk, predictions, version)
        with (begun / "rows").open("wb") as file:
            self._put(table, file, first=number == 0)
            file.flush()
            os.fsync(file.fileno())
        part = Part(chunk.rows, chunk.end, dict(Counter(kind_of_fault(said) for said in chunk.faults.values())))
        (begun / _SAID).write_text(json.dumps(part._asdict()))
        begun.rename(self._own / _name(number))
        return part

    def join(self) -> int:
        begun = self._own / "result"
        parts = sorted(self._own.glob("[0-9]*"))
        with begun.open("wb") as file:
            if self._format is JobFormat.PARQUET:
                _join_parquet(parts, file, self._schema())
            else:
                if not parts and self._format is JobFormat.CSV:
                    self._put(self._schema().empty_table(), file, first=True)
                for part in parts:
                    with (part / "rows").open("rb") as rows:
                        shutil.copyfileobj(rows, file, 2**20)
            file.flush()
            os.fsync(file.fileno())
        begun.rename(self._result)
        return self._result.stat().st_size

    def tidy(self) -> None:
        for found in self._folder.iterdir():
            if found != self._result:
                shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)

    def leave(self) -> None:
        """The lease is lost: nothing of this runner's is of use to anybody."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._result.unlink(missing_ok=True)

    def _runs(self) -> list[Path]:
        return [found for found in self._folder.glob("run-*") if found.is_dir()]

    def _schema(self, ids: bool = True) -> Any:
        texts = [(self._entity, pa.string())] if ids else []
        return pa.schema([*texts, ("prediction", pa.float64()), ("model_version", pa.string()), ("error", pa.string())])

    def _table(self, chunk: Chunk, predictions: Any, version: str) -> Any:
        wrong = np.zeros(chunk.rows, dtype=bool)
        wrong[list(chunk.faults)] = True
        said = pa.array(predictions, pa.float64(), mask=wrong | ~np.isfinite(predictions))
        errors = pa.array([chunk.faults.get(row) for row in range(chunk.rows)] if chunk.faults else [None] * chunk.rows, pa.string())
        columns = [said, pa.repeat(version, chunk.rows), errors]
        ids = chunk.ids is not None
        return pa.Table.from_arrays([chunk.ids, *columns] if ids else columns, schema=self._schema(ids))

    def _put(self, table: Any, file: Any, *, first: bool) -> None:
        if self._format is JobFormat.PARQUET:
            pq.write_table(table, file)
        elif self._format is JobFormat.CSV:
            pacsv.write_csv(table, file, pacsv.WriteOptions(include_header=first))
        else:
            for batch in table.to_batches(max_chunksize=8192):
                file.write(_encode(batch.to_pylist()))


def _join_parquet(parts: Sequence[Path], file: Any, empty: Any) -> None:
    writer: Any = None
    for part in parts:
        table = pq.ParquetFile(part / "rows").read()
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    (writer or pq.ParquetWriter(file, empty)).close()


def _name(number: int) -> str:
    return f"{number:06d}"


def _token_of(run: Path) -> int:
    digits = run.name.removeprefix("run-")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
