"""A user's folder as the rows a spec declares: its columns by their names, cells as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from evergreen.core.errors import DataRejected
from evergreen.domains.tabular.coerce import texts, times, with_entities
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.readers import files_below, header_of, read_columns
from evergreen.domains.tabular.row import DAY


def load_rows(path: Path, declared: Declared, on_rejected: Callable[[Path, DataRejected], None] | None = None) -> pd.DataFrame:
    """Every row below `path` with its entity and its day (NaT where the time cannot be read), ordered by day.

    Failure: a file that cannot be read, or lacks a declared column, raises DataRejected naming it and the cause, unless `on_rejected` takes it:
    then the other files are read. Remedy: repair or remove the named file, or correct the spec; loading again changes nothing for the others."""
    frames = []
    for file in files_below(path):
        try:
            frames.append(_load_file(file, declared))
        except DataRejected as error:
            if on_rejected is None:
                raise
            on_rejected(file, error)
    if not frames:
        return pd.DataFrame(columns=[*(one.name for one in declared.columns), DAY])
    whole = pd.concat([frame.apply(texts) for frame in frames], ignore_index=True) if _differ(frames) else pd.concat(frames, ignore_index=True)
    days = times(whole[declared.time.name], declared.time_format).dt.tz_localize(None).dt.normalize()
    return whole.assign(**{DAY: days}).sort_values(DAY, kind="stable", na_position="last", ignore_index=True)


def require_columns(file: Path, declared: Declared) -> None:
    """Raises DataRejected where a declared column is not in the file."""
    there = header_of(file)
    if missing := [one.column for one in declared.columns if one.column not in there]:
        shown = ", ".join(there[:12]) + (", …" if len(there) > 12 else "")
        raise DataRejected(f"{file.name}: has no column {', '.join(map(repr, missing[:5]))} that the spec of {declared.name} declares; it has {shown}")


def _load_file(file: Path, declared: Declared) -> pd.DataFrame:
    require_columns(file, declared)
    rows = read_columns(file, [one.column for one in declared.columns])
    return with_entities(rows.rename(columns={one.column: one.name for one in declared.columns}), declared)


def _differ(frames: list[pd.DataFrame]) -> bool:
    """Whether a column is text in one file and something else in another."""
    return len({tuple(map(str, frame.dtypes)) for frame in frames}) > 1
