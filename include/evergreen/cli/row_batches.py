"""A folder of a declared model as batches.

Guarantee: every row of the asked days is announced, whatever is wrong with it; a row without a readable time, or of a day that cannot be known
yet, goes with the last batch, where quality sets it aside with a reason, and a file nobody can read is announced as it is and refused with an
event."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.errors import DataRejected, EvergreenError
from evergreen.core.release import last_released_day, released_at, week_batches
from evergreen.domains.tabular.row import DAY

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.domains.tabular.declared import Declared
    from evergreen.services.replay import Batch

Say = Callable[[str], None]


def row_batches(path: Path, declared: Declared, *, first: date | None, last: date | None, batch_days: int, today: date, say: Say) -> Sequence[Batch]:
    """The days of [first, last], by default to tomorrow, cut into batches; days without rows are in none. Raises DataRejected or EvergreenError
    when nothing is left."""
    from evergreen.domains.tabular.loaders import load_rows

    refused: dict[Path, DataRejected] = {}
    rows = load_rows(path, declared, on_rejected=refused.__setitem__)
    made = cut_days(rows, first=first, last=last, batch_days=batch_days, today=today)
    if not made:
        if refused:
            raise next(iter(refused.values()))
        raise EvergreenError(f"{path} holds no row of {declared.name} in {first or 'the beginning'}…{last or today}")
    for error in refused.values():
        say(f"{error} (announced as it is)")
    return [*made[:-1], replace(made[-1], unreadable=tuple(file for file in refused if os.access(file, os.R_OK)))]


def cut_days(rows: pd.DataFrame, *, first: date | None, last: date | None, batch_days: int, today: date) -> list[Batch]:
    """Rows with their day, NaT where none can be read, as `row_batches` says; none when no row has a day of those asked for."""
    import pandas as pd

    low, high = pd.Timestamp(first or date.min.replace(year=1900)), pd.Timestamp(last or today + timedelta(days=1))
    kept, lost = rows[(rows[DAY] >= low) & (rows[DAY] <= high)], rows[rows[DAY].isna() | ((rows[DAY] > high) & (last is None))]
    if kept.empty:
        return []
    made, strays = _cut(kept, batch_days), lost.drop(columns=DAY)
    whole = pd.concat([made[-1].rows, strays], ignore_index=True) if len(strays) else made[-1].rows
    return [*made[:-1], replace(made[-1], rows=whole)]


def _cut(rows: pd.DataFrame, batch_days: int) -> list[Batch]:
    from evergreen.services.replay import Batch

    days, made = rows[DAY].dt.date, []
    for low, high in week_batches(days.min(), days.max(), days.min(), batch_days):
        within = rows[(days >= low) & (days <= high)]
        if len(within):
            made.append(Batch(low, high, within.drop(columns=DAY).reset_index(drop=True)))
    return made


def already_released(batches: Sequence[Batch], now: datetime, say: Say) -> Sequence[Batch]:
    """Without those that end on a day not released yet: loaded again later they are new. Raises EvergreenError when nothing is left."""
    newest = last_released_day(now)
    known = [batch for batch in batches if batch.last_day <= newest]
    if len(known) < len(batches):
        early = batches[len(known)]
        why = f"rows from {early.first_day} on are left out until {released_at(early.last_day):%Y-%m-%dT%H:%MZ}, when those of {early.last_day} are whole"
        if not known:
            raise EvergreenError(why)
        say(f"warning: {why}")
    return known
