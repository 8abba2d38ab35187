"""A user's folder as batches.

Guarantee: every row and every file of the asked days is announced, whatever is wrong with it. Failure: a row has no day, or one on which
there can be no list; a file cannot be read. Remedy: the first go with one batch, where quality sets them aside with a reason; the file is
announced as it is and refused with an event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.errors import DataRejected, EvergreenError
from evergreen.core.release import last_released_day, released_at, week_batches

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.services.replay import Batch

FIRST_VIDEO = date(2005, 4, 23)
"""No list is older than the first video."""


@dataclass(frozen=True)
class Lists:
    rows: pd.DataFrame
    """Of days on which there can be a list."""
    strays: pd.DataFrame
    """Without such a day."""
    unreadable: tuple[Path, ...]


def read_lists(path: Path, region: str, *, first: date | None, last: date | None, today: date, say: Callable[[str], None]) -> Lists:
    """The lists of [first, last]. Where an end is not given, a day before the first video or after tomorrow is a mistake of the data:
    one such row must not carry the clock away. `say` hears of files that cannot be read. Raises DataRejected or EvergreenError when nothing is left."""
    import pandas as pd

    from evergreen.domains.videos.loaders import load_lists
    from evergreen.domains.videos.parse import day_of

    refused: dict[Path, DataRejected] = {}
    rows = load_lists(path, region, on_rejected=refused.__setitem__)
    days = rows["list_date"]
    early = days < pd.Timestamp(FIRST_VIDEO if first is None else first)
    late = days > pd.Timestamp(today + timedelta(days=1) if last is None else last)
    kept = rows[days.notna() & ~early & ~late].reset_index(drop=True)
    if kept.empty:
        if rows.empty and refused:
            raise next(iter(refused.values()))
        found = f"; it has {days.min().date()}…{days.max().date()}" if days.notna().any() else ""
        raise EvergreenError(f"{path} holds no list of region {region} in {first or FIRST_VIDEO}…{last or today}{found}")
    astray = days.isna() | (early & (first is None)) | (late & (last is None))
    asked = {file: error for file, error in refused.items() if _is_within(day_of(file.name), first, last)}
    for error in asked.values():
        say(f"{error} (announced as it is)")
    return Lists(kept, rows[astray].reset_index(drop=True), tuple(file for file in asked if os.access(file, os.R_OK)))


def _is_within(day: date | None, first: date | None, last: date | None) -> bool:
    return day is None or ((first is None or day >= first) and (last is None or day <= last))


def cut(rows: pd.DataFrame, first: date, last: date, batch_days: int, anchor: date | None = None) -> list[Batch]:
    """Rows of [first, last] in batches of `batch_days` list days; empty ones are left out."""
    import pandas as pd

    from evergreen.services.replay import Batch

    made = []
    for low, high in week_batches(first, last, anchor or first, batch_days):
        within = rows[(rows["list_date"] >= pd.Timestamp(low)) & (rows["list_date"] < pd.Timestamp(high + timedelta(days=1)))]
        if len(within):
            made.append(Batch(low, high, within.reset_index(drop=True)))
    return made


def with_the_rest(batches: Sequence[Batch], lists: Lists, catch_all: int = -1) -> list[Batch]:
    """The batches with what has no place in a day's list. A file whose name says its day goes with the batch of that day, or the next one
    there is; what says no day goes with batch `catch_all`."""
    import pandas as pd

    from evergreen.domains.videos.parse import day_of

    made = list(batches)
    if len(lists.strays):
        made[catch_all] = replace(made[catch_all], rows=pd.concat([made[catch_all].rows, lists.strays], ignore_index=True))
    for file in lists.unreadable:
        day = day_of(file.name)
        at = catch_all if day is None else next((at for at, batch in enumerate(made) if day <= batch.last_day), -1)
        made[at] = replace(made[at], unreadable=(*made[at].unreadable, file))
    return made


def released(batches: Sequence[Batch], now: datetime, say: Callable[[str], None]) -> list[Batch]:
    """Without the days that are not released yet: ingest would set their rows aside, and the same batch announced later is a repeat.
    What has no day stays, with the last batch that does. Raises EvergreenError when nothing is left."""
    import pandas as pd

    newest = last_released_day(now)
    known: list[Batch] = []
    for batch in batches:
        kept = batch.rows[~(batch.rows["list_date"] > pd.Timestamp(newest))] if batch.last_day > newest else batch.rows
        if batch.first_day <= newest:
            known.append(replace(batch, last_day=min(batch.last_day, newest), rows=kept.reset_index(drop=True)))
        elif known:
            rows = pd.concat([known[-1].rows, kept], ignore_index=True)
            known[-1] = replace(known[-1], rows=rows, unreadable=(*known[-1].unreadable, *batch.unreadable))
    early = next((batch.first_day for batch in batches if batch.last_day > newest), None)
    if early is not None:
        day = max(newest + timedelta(days=1), early)
        why = f"the lists of {day} and later are left out: that day's is released at {released_at(day):%Y-%m-%dT%H:%MZ}, load it then"
        if not known:
            raise EvergreenError(why)
        say(f"warning: {why}")
    return known
