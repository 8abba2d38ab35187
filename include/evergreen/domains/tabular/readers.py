"""CSV and Parquet files as frames of some of their columns. What cannot be read raises DataRejected with the file and the cause."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from evergreen.core.errors import DataRejected

SUFFIXES = (".csv", ".tsv", ".parquet")
MAX_BYTES = 192 * 2**20
"""Of one file: its text takes five times as much memory (measured: 189 MiB of CSV, 945 MB)."""
_BLOCK = 16 * 2**20
"""Of a CSV, read at once; no line is longer."""
_NOT_KNOWN = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-"]
_MAX_HEADER, _MAX_COLUMNS = 2**20, 5000


def files_below(path: Path) -> list[Path]:
    """In the order of their names; none that is hidden. Raises DataRejected where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataRejected(f"{path}: no such file or folder")
    found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and not _hidden(file, path)]
    if not found:
        raise DataRejected(f"{path}: holds no CSV or Parquet file ({', '.join(SUFFIXES)})")
    return found


def header_of(file: Path) -> list[str]:
    """Names of the columns."""
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise DataRejected(f"{file.name}: {size / 2**20:.0f} MiB, at most {MAX_BYTES // 2**20} are read at once: split it, for example by month")
    if file.suffix.lower() == ".parquet":
        try:
            names = [str(name) for name in pq.read_schema(file).names]
        except (pa.ArrowException, ValueError, OSError) as error:
            raise DataRejected(f"{file.name}: not a whole Parquet file: {str(error)[:200]}") from error
    else:
        names = _csv_header(file)[0]
    if len(names) > _MAX_COLUMNS:
        raise DataRejected(f"{file.name}: {len(names)} columns, at most {_MAX_COLUMNS} are looked at")
    if len(set(names)) < len(names):
        raise DataRejected(f"{file.name}: a column is there twice: {', '.join(sorted({name for name in names if names.count(name) > 1})[:5])}")
    return names


def read_columns(file: Path, columns: Sequence[str], rows: int | None = None) -> pd.DataFrame:
    """These columns, a CSV's cells as text. `rows`: at most so many."""
    try:
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file, columns=list(columns)) if rows is None else _first(file, columns, rows)
            frame: pd.DataFrame = table.to_pandas(types_mapper=_nullable, ignore_metadata=True)
            return frame[list(columns)]
        return _read_csv(file, columns, rows)
    except (pa.ArrowException, ValueError, OSError) as error:
        if "Empty CSV" in str(error):  # a header alone
            return pd.DataFrame(columns=list(columns), dtype="str")
        if "UTF8" in str(error):
            raise DataRejected(f"{file.name}: is not UTF-8: save it as UTF-8") from error
        raise DataRejected(f"{file.name}: cannot be read: {str(error).strip()[:200]}") from error


def _read_csv(file: Path, columns: Sequence[str], rows: int | None) -> pd.DataFrame:
    """Strict: a row longer or shorter than the header has cells of nobody knows which column."""
    names, separator = _csv_header(file)
    opened = pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=1, block_size=_BLOCK),
        parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string()), null_values=_NOT_KNOWN, strings_can_be_null=True
        ),
    )
    batches, read = [], 0
    for batch in opened:
        batches.append(batch)
        read += batch.num_rows
        if rows is not None and read >= rows:
            break
    frame: pd.DataFrame = pa.Table.from_batches(batches, opened.schema).slice(0, rows).to_pandas()
    return frame.astype("str")


def _first(file: Path, columns: Sequence[str], rows: int) -> pa.Table:
    batches = pq.ParquetFile(file).iter_batches(columns=list(columns), batch_size=rows)
    first = next(batches, None)
    return pa.table({name: [] for name in columns}) if first is None else pa.Table.from_batches([first])


def _csv_header(file: Path) -> tuple[list[str], str]:
    """(names, separator)."""
    try:
        with file.open("rb") as opened:
            start = opened.read(_MAX_HEADER)
        line = start.partition(b"\n")[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataRejected(f"{file.name}: its first line is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise DataRejected(f"{file.name}: cannot be read: {error.strerror or error}") from error
    if not line.strip() or b"\x00" in start[:4096]:
        raise DataRejected(f"{file.name}: has no header line of text")
    if len(start) == _MAX_HEADER and b"\n" not in start:
        raise DataRejected(f"{file.name}: its first line is longer than {_MAX_HEADER // 2**20} MiB: no header")
    separator = max(",;\t|", key=line.count)
    return next(csv.reader(StringIO(line), delimiter=separator, skipinitialspace=True)), separator


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(root).parts)


def _nullable(arrow: pa.DataType) -> object:
    return pd.Int64Dtype() if pa.types.is_integer(arrow) else pd.BooleanDtype() if pa.types.is_boolean(arrow) else None
