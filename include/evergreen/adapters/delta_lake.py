"""The lake on Delta tables: `<root>/silver/<table>` partitioned by the datasets' scope and month, `<root>/gold/<table>` by scope.

Guarantee: every write is one commit of the table's log, so a reader sees all of a batch or none, and a batch written again changes
nothing. Failure: a process dies while writing, or another (ingest, maintenance) commits first. Remedy: files without a commit are
never read and go with the next vacuum; a lost race is tried again on the newer version.

Reads go through the engine's own query path: pyarrow's reader over Delta's file system aborts the process at exit now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import stamina

from evergreen.adapters.bronze_files import BronzeFiles
from evergreen.adapters.set_aside import keys_of
from evergreen.core.errors import NotFound
from evergreen.ports.dataset import Dataset
from evergreen.ports.lake import TableUpkeep

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from deltalake import DeltaTable

MONTH = "month"
"""Partition column of silver, `2025-07`: made here, never seen outside."""
_ATTEMPTS = 6
T = TypeVar("T")


class DeltaLake:
    def __init__(self, root: Path, datasets: Mapping[str, Dataset]) -> None:
        self._root = root
        self._datasets = datasets
        self._bronze = BronzeFiles(root)

    def read_batch(self, path: str, sha256: str | None = None) -> pd.DataFrame:
        return self._bronze.read_batch(path, sha256)

    def keep_bronze(self, dataset: str, batch_id: str, received: pd.DataFrame, quarantined: pd.DataFrame) -> str:
        return self._bronze.keep(dataset, batch_id, received, quarantined)

    def keep_rejected(self, dataset: str, batch_id: str, reason: Mapping[str, Any]) -> str:
        return self._bronze.keep_rejected(dataset, batch_id, reason)

    def drop_bronze(self, dataset: str, batch_ids: list[str]) -> int:
        return self._bronze.drop(dataset, batch_ids)

    def merge_silver(self, dataset: str, rows: pd.DataFrame) -> None:
        about = self._dataset(dataset)
        if rows.empty:
            return
        fresh = rows.drop_duplicates(list(about.key), keep="last")
        months = fresh[about.day_column].dt.strftime("%Y-%m")
        source = _arrow(fresh[list(about.columns)].assign(**{MONTH: months}), {**about.columns, MONTH: "str"})
        touched = ", ".join(f"'{month}'" for month in sorted(set(months)))
        same = " AND ".join(f't."{name}" = s."{name}"' for name in (*about.key, MONTH))
        within = " AND ".join((*_scope(about, "t."), f"t.{MONTH} IN ({touched})"))  # lets the merge skip other partitions
        self._write(self._silver_path(about), source, (*about.scope, MONTH), partial(_merge, source=source, predicate=f"{same} AND {within}"))

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        about = self._dataset(dataset)
        table = _open(self._silver_path(about))
        if table is None:
            return _empty(about)
        day = about.day_column
        where = [*_scope(about), *_days(day, first_day, last_day)]
        if first_day is not None:
            where.append(f"{MONTH} >= '{first_day:%Y-%m}'")
        if last_day is not None:
            where.append(f"{MONTH} <= '{last_day:%Y-%m}'")
        found = _query(table, f"SELECT {_names(about.columns)} FROM t WHERE {' AND '.join(where)} ORDER BY {_names(about.key)}")
        return _pandas(found.cast(_schema(about.columns))).astype(dict(about.columns))

    def set_aside(self, dataset: str) -> pd.DataFrame:
        return keys_of((rows for _, rows in self.quarantined(dataset)), self._dataset(dataset))

    def quarantined(self, dataset: str) -> Iterator[tuple[str, pd.DataFrame]]:
        return self._bronze.quarantined(self._dataset(dataset).name)

    def write_gold(self, dataset: str, tables: Mapping[str, pd.DataFrame], *, first_day: date, last_day: date) -> None:
        about = self._dataset(dataset)
        where = " AND ".join([*_scope(about), *_days(about.day_column, first_day, last_day)])
        for name, rows in tables.items():
            days = rows[about.day_column].dt.date
            chosen = _arrow(rows[(days >= first_day) & (days <= last_day)])
            path = self._root / "gold" / name
            self._write(path, chosen, tuple(about.scope), partial(_replace, rows=chosen, where=where))

    def gold(self, dataset: str, table: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        import pandas as pd

        about = self._dataset(dataset)
        opened = _open(self._root / "gold" / table)
        if opened is None:
            return pd.DataFrame()
        where = " AND ".join([*_scope(about), *_days(about.day_column, first_day, last_day)])
        found = _pandas(_query(opened, f"SELECT * FROM t WHERE {where} ORDER BY {about.day_column}"))
        return found.assign(**{about.day_column: found[about.day_column].astype("datetime64[us]")})

    def compact(self, *, keep_versions_for: timedelta) -> list[TableUpkeep]:
        upkeep = []
        for path in sorted(folder.parent for layer in ("silver", "gold") for folder in (self._root / layer).glob("*/_delta_log")):
            table = _open(path)
            if table is not None:
                upkeep.append(_retried(partial(_upkeep, path, keep_versions_for)))
        return upkeep

    def _write(self, path: Path, rows: pa.Table, partition_by: Sequence[str], change: Callable[[DeltaTable], None]) -> None:
        from deltalake import write_deltalake

        def once() -> None:
            table = _open(path)
            if table is None:
                path.mkdir(parents=True, exist_ok=True)
                write_deltalake(str(path), rows, partition_by=list(partition_by), mode="error")
            else:
                change(table)

        _retried(once)

    def _silver_path(self, about: Dataset) -> Path:
        return self._root / "silver" / about.table

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            raise NotFound(f"no dataset {name!r}; known: {', '.join(self._datasets)}")
        return self._datasets[name]


def _open(path: Path) -> DeltaTable | None:
    from deltalake import DeltaTable

    return DeltaTable(str(path)) if DeltaTable.is_deltatable(str(path)) else None


def _retried(step: Callable[[], T]) -> T:
    """Another writer committed first (or made the table): look at the newer version and try again."""
    from deltalake.exceptions import CommitFailedError, DeltaError

    def lost_race(error: Exception) -> bool:
        return isinstance(error, CommitFailedError) or (isinstance(error, DeltaError) and "already exists" in str(error))

    for attempt in stamina.retry_context(on=lost_race, attempts=_ATTEMPTS, timeout=60, wait_initial=0.05, wait_max=2):
        with attempt:
            return step()
    raise AssertionError("unreachable: the last attempt returns or raises")


def _merge(table: DeltaTable, source: pa.Table, predicate: str) -> None:
    merge = table.merge(source, predicate=predicate, source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


def _replace(table: DeltaTable, rows: pa.Table, where: str) -> None:
    from deltalake import write_deltalake

    if rows.num_rows:
        write_deltalake(table, rows, mode="overwrite", predicate=where, schema_mode="merge")
    else:
        table.delete(where)


def _upkeep(path: Path, keep_versions_for: timedelta) -> TableUpkeep:
    from deltalake import DeltaTable

    table = DeltaTable(str(path))
    before = len(table.file_uris())
    table.optimize.compact()
    hours = int(keep_versions_for.total_seconds() // 3600)
    removed = table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False)
    table.cleanup_metadata()
    return TableUpkeep(f"{path.parent.name}/{path.name}", before, len(table.file_uris()), len(removed))


def _query(table: DeltaTable, sql: str) -> pa.Table:
    import pyarrow as pa
    from deltalake import QueryBuilder

    return pa.table(QueryBuilder().register("t", table).execute(sql).read_all())


def _scope(about: Dataset, prefix: str = "") -> list[str]:
    return [f"{prefix}{name} = {_quoted(value)}" for name, value in about.scope.items()] or ["true"]


def _names(columns: Iterable[str]) -> str:
    """Quoted: a declared column may be called `order`."""
    return ", ".join(f'"{name}"' for name in columns)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _days(column: str, first: date | None, last: date | None) -> list[str]:
    low = [] if first is None else [f"{column} >= DATE '{first.isoformat()}'"]
    return low if last is None else [*low, f"{column} <= DATE '{last.isoformat()}'"]


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    types = {
        "str": pa.string(),
        "Int64": pa.int64(),
        "float64": pa.float64(),
        "boolean": pa.bool_(),
        "datetime64[us]": pa.date32(),
        "datetime64[us, UTC]": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(name, types[dtype]) for name, dtype in columns.items()])


def _arrow(rows: pd.DataFrame, columns: Mapping[str, str] | None = None) -> pa.Table:
    """With `columns`: exactly that schema. Without: as pandas has it; naive datetimes are days either way."""
    import pyarrow as pa

    if columns is not None:
        return pa.Table.from_pandas(rows, schema=_schema(columns), preserve_index=False)
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            table = table.set_column(at, field.name, table.column(at).cast(pa.date32()))
        elif pa.types.is_large_string(field.type) or pa.types.is_null(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.string()))
    return table


def _pandas(table: pa.Table) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    def nullable(arrow: Any) -> Any:
        return pd.Int64Dtype() if pa.types.is_integer(arrow) else pd.BooleanDtype() if pa.types.is_boolean(arrow) else None

    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable, date_as_object=False)
    return frame


def _empty(about: Dataset) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in about.columns.items()})
