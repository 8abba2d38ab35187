"""One person's rows taken out of the lake.

Guarantee: afterwards no table of the lake and no kept batch of the dataset holds a row of the person, nor does any file on disk that an earlier
version of a table was made of. Failure: the process dies in between. Remedy: again; what is gone is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deltalake import DeltaTable


def erase_rows(root: Path, dataset: str, column: str, value: str) -> int:
    """Rows whose text `column` is the value; returns how many there were in the tables."""
    gone = sum(_of_table(table, column, value) for table in _tables(root))
    for file in (*(root / "bronze" / dataset).glob("*/received.parquet"), *(root / "quarantine" / dataset).glob("*.parquet")):
        _of_file(file, column, value)
    return gone


def _tables(root: Path) -> Iterator[DeltaTable]:
    from deltalake import DeltaTable

    for layer in ("silver", "gold"):
        for log in sorted((root / layer).glob("*/_delta_log")):
            yield DeltaTable(str(log.parent))


def _of_table(table: DeltaTable, column: str, value: str) -> int:
    if column not in {field.name for field in table.schema().fields}:
        return 0
    quoted = "'" + value.replace("'", "''") + "'"
    gone = int(table.delete(f'"{column}" = {quoted}')["num_deleted_rows"])
    if gone:
        table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return gone


def _of_file(file: Path, column: str, value: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = pq.read_table(file)
    if column not in rows.column_names:
        return
    theirs = pc.fill_null(pc.equal(rows[column].cast(pa.string()), value), False)
    if pc.any(theirs).as_py():
        unfinished = file.with_name(f"{file.name}.part")
        pq.write_table(rows.filter(pc.invert(theirs)), unfinished)
        unfinished.replace(file)
