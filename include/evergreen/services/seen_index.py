"""The seen index from silver: filled when it is missing, refilled when someone asks.

Guarantee: from the first step to the last every answer is MAYBE, afterwards no listed entity is answered with NO. Failure: the filling
dies half way. Remedy: the index stays unready, and whoever notices fills it again. A batch indexed meanwhile is not lost: it is in
silver before it is indexed, and silver is read once more after the days were swapped in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import structlog

from evergreen.core.seen_window import oldest_kept
from evergreen.ports.dataset import Dataset
from evergreen.ports.lake import Lake
from evergreen.ports.seen_index import SeenWriter

if TYPE_CHECKING:
    import pandas as pd

log = structlog.get_logger(__name__)


def items_by_day(dataset: Dataset, rows: pd.DataFrame) -> dict[date, list[str]]:
    """Each row's entity under the row's own day."""
    days = rows.groupby(rows[dataset.day_column].dt.date)[dataset.entity_column]
    return {day: [str(item) for item in items.unique()] for day, items in days}


def fill_seen_index(seen: SeenWriter, lake: Lake, datasets: Sequence[Dataset]) -> dict[date, int]:
    """Rebuild the kept days of the datasets whose entities belong there. Returns the number of entities per day. Raises Unavailable."""
    datasets = [dataset for dataset in datasets if dataset.seen]
    newest = _newest(lake, datasets)
    if newest is None:
        seen.end_rebuild(None)
        return {}
    seen.begin_rebuild()
    by_day = _kept(lake, datasets, newest)
    for day, items in by_day.items():
        seen.replace_day(day, items)
    seen.add_many(_kept(lake, datasets, newest))
    seen.end_rebuild(newest)
    log.info("seen_index_filled", newest=str(newest), items=sum(map(len, by_day.values())))
    return {day: len(items) for day, items in by_day.items()}


def refresh_seen_index(seen: SeenWriter, lake: Lake, datasets: Sequence[Dataset]) -> None:
    """At the start of the writer: rebuilt if it is not ready, else what silver holds is added again (a Redis that crashed with its machine
    may have forgotten the last second)."""
    datasets = [dataset for dataset in datasets if dataset.seen]
    newest = _newest(lake, datasets)
    if not seen.is_ready() or newest is None:
        fill_seen_index(seen, lake, datasets)
    else:
        seen.add_many(_kept(lake, datasets, newest))


def _newest(lake: Lake, datasets: Sequence[Dataset]) -> date | None:
    found = [rows[dataset.day_column].max().date() for dataset in datasets if len(rows := lake.silver(dataset.name))]
    return max(found, default=None)


def _kept(lake: Lake, datasets: Sequence[Dataset], newest: date) -> dict[date, list[str]]:
    kept: dict[date, list[str]] = {}
    for dataset in datasets:
        for day, items in items_by_day(dataset, lake.silver(dataset.name, first_day=oldest_kept(newest))).items():
            kept[day] = list(dict.fromkeys([*kept.get(day, ()), *items]))
    return kept
