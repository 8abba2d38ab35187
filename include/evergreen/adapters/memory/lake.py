"""The lake in memory, for tests: same behaviour as Delta tables, nothing on disk but the batches that are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.adapters.bronze_files import BronzeFiles
from evergreen.adapters.set_aside import keys_of
from evergreen.core.errors import NotFound
from evergreen.ports.dataset import Dataset
from evergreen.ports.lake import TableUpkeep

if TYPE_CHECKING:
    import pandas as pd


class MemoryLake:
    def __init__(self, datasets: Mapping[str, Dataset]) -> None:
        self._datasets = datasets
        self._silver: dict[str, pd.DataFrame] = {}
        self._gold: dict[str, pd.DataFrame] = {}
        self.bronze: dict[tuple[str, str], pd.DataFrame] = {}
        self.quarantine: dict[tuple[str, str], pd.DataFrame] = {}
        self.rejected: dict[tuple[str, str], Mapping[str, Any]] = {}

    def read_batch(self, path: str, sha256: str | None = None) -> pd.DataFrame:
        return BronzeFiles(Path()).read_batch(path, sha256)

    def keep_bronze(self, dataset: str, batch_id: str, received: pd.DataFrame, quarantined: pd.DataFrame) -> str:
        self.bronze[dataset, batch_id] = received.copy()
        self.quarantine.pop((dataset, batch_id), None)
        if len(quarantined):
            self.quarantine[dataset, batch_id] = quarantined.copy()
        return f"memory:bronze/{dataset}/{batch_id}"

    def keep_rejected(self, dataset: str, batch_id: str, reason: Mapping[str, Any]) -> str:
        self.rejected[dataset, batch_id] = dict(reason)
        return f"memory:quarantine/{dataset}/{batch_id}"

    def drop_bronze(self, dataset: str, batch_ids: list[str]) -> int:
        return sum(self.bronze.pop((dataset, batch_id), None) is not None for batch_id in batch_ids)

    def merge_silver(self, dataset: str, rows: pd.DataFrame) -> None:
        import pandas as pd

        about = self._dataset(dataset)
        if rows.empty:
            return
        there = self._silver.get(about.table)
        fresh = rows[list(about.columns)].astype(dict(about.columns))
        whole = fresh if there is None else pd.concat([there, fresh], ignore_index=True)
        self._silver[about.table] = whole.drop_duplicates(list(about.key), keep="last").sort_values(list(about.key), ignore_index=True)

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        import pandas as pd

        about = self._dataset(dataset)
        there = self._silver.get(about.table)
        if there is None:
            return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in about.columns.items()})
        return there[_chosen(about, there, first_day, last_day)].reset_index(drop=True)

    def set_aside(self, dataset: str) -> pd.DataFrame:
        return keys_of((rows for _, rows in self.quarantined(dataset)), self._dataset(dataset))

    def quarantined(self, dataset: str) -> Iterator[tuple[str, pd.DataFrame]]:
        name = self._dataset(dataset).name
        return iter([(batch_id, rows) for (about, batch_id), rows in sorted(self.quarantine.items(), key=lambda one: one[0]) if about == name])

    def write_gold(self, dataset: str, tables: Mapping[str, pd.DataFrame], *, first_day: date, last_day: date) -> None:
        import pandas as pd

        about = self._dataset(dataset)
        for name, rows in tables.items():
            fresh = rows[_chosen(about, rows, first_day, last_day)]
            there = self._gold.get(name)
            kept = fresh if there is None else pd.concat([there[~_chosen(about, there, first_day, last_day)], fresh])
            self._gold[name] = kept.sort_values(about.day_column, kind="stable", ignore_index=True)

    def gold(self, dataset: str, table: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        import pandas as pd

        about = self._dataset(dataset)
        there = self._gold.get(table)
        return pd.DataFrame() if there is None else there[_chosen(about, there, first_day, last_day)].reset_index(drop=True)

    def compact(self, *, keep_versions_for: timedelta) -> list[TableUpkeep]:
        del keep_versions_for
        layers = [(f"silver/{name}", 1) for name in self._silver] + [(f"gold/{name}", 1) for name in self._gold]
        return [TableUpkeep(name, files, files, 0) for name, files in sorted(layers)]

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            raise NotFound(f"no dataset {name!r}; known: {', '.join(self._datasets)}")
        return self._datasets[name]


def _chosen(about: Dataset, rows: pd.DataFrame, first: date | None, last: date | None) -> pd.Series[bool]:
    days = rows[about.day_column].dt.date
    chosen: pd.Series[bool] = days.notna()
    for name, value in about.scope.items():
        chosen &= rows[name] == value
    if first is not None:
        chosen &= days >= first
    if last is not None:
        chosen &= days <= last
    return chosen
