"""What a folder of data looks like, as the text of a spec file: which columns are numbers, categories or nothing a model can use, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen.core.errors import SpecRefused
from evergreen.domains.tabular.coerce import is_given, numbers, texts, times
from evergreen.domains.tabular.declared import MAX_CATEGORIES
from evergreen.domains.tabular.readers import files_below, header_of, read_columns
from evergreen.domains.tabular.spec_text import CategoryLines, NumberLines, SpecText, name_for

SAMPLE_ROWS = 50_000
_PER_FILE = 20_000
_FORMS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d")
_ID_LIKE = re.compile(r"(^|_)(id|uuid|key|guid|no|number)$")
_READ_SHARE = 0.99
"""Of a column's cells that must be numbers for it to be one; the others are set aside when they come."""
_DAILY_SHARE = 0.95
"""Of the days seen that must have rows."""
_ROOM = 3.0
"""A number may leave the range seen by so many of its widths: further out it is a mistake, nearer it may be drift."""


@dataclass(frozen=True)
class Asked:
    """What the user says of the data."""

    time: str
    target: str
    kind: str | None = None
    entity: str | None = None
    time_format: str | None = None


def sample(path: Path) -> pd.DataFrame:
    """Rows of the first files, whole columns. Raises DataRejected."""
    frames, rows = [], 0
    for file in files_below(path):
        frames.append(read_columns(file, header_of(file), _PER_FILE))
        rows += len(frames[-1])
        if rows >= SAMPLE_ROWS:
            break
    same = len({tuple(map(str, frame.dtypes)) for frame in frames}) == 1
    return pd.concat(frames if same else [frame.apply(texts) for frame in frames], ignore_index=True)


def inspect(rows: pd.DataFrame, name: str, asked: Asked) -> SpecText:
    """Raises SpecRefused where the data cannot feed a model, with what to do."""
    if rows.empty:
        raise SpecRefused("the data has no rows")
    for option, column in (("--time", asked.time), ("--target", asked.target), ("--entity", asked.entity)):
        if column is not None and column not in rows.columns:
            raise SpecRefused(f"{option} {column!r}: the data has no such column; it has {', '.join(map(str, rows.columns[:20]))}")
    form = asked.time_format or _form_of(rows[asked.time], asked.time)
    classes = _classes(rows[asked.target], asked)
    entity = asked.entity or _entity_of(rows, asked)
    made = SpecText(name, "classification" if classes else "regression", asked.time, form, asked.target, classes, entity)
    made.daily = _is_daily(times(rows[asked.time], form))
    target = texts(rows[asked.target])
    for column in rows.columns:
        if column not in {asked.time, asked.target, entity}:
            _describe(made, str(column), rows[column], target)
    if not made.numbers and not made.categories:
        raise SpecRefused("not one column besides time and target can be used: " + "; ".join(f"{name}: {why}" for name, why in made.left_out[:5]))
    return made


def _form_of(column: pd.Series[Any], name: str) -> str | None:
    given = column[is_given(column)]
    if given.empty:
        raise SpecRefused(f"--time {name!r}: the column is empty")

    def share(form: str | None) -> float:
        return float(times(given, form).notna().mean())

    if share(None) >= _READ_SHARE:
        return None
    fitting = [form for form in _FORMS if share(form) >= _READ_SHARE]
    if len(fitting) == 1:
        return fitting[0]
    shown = str(given.iloc[0])
    if fitting:
        raise SpecRefused(f"--time {name!r}: {shown!r} can be read as {' or '.join(fitting)}: say which with --time-format")
    raise SpecRefused(f"--time {name!r}: {shown!r} is no time in ISO 8601: say how it is written with --time-format, such as %d-%b-%Y; s or ms since 1970 too")


def _is_daily(moments: pd.Series[Any]) -> bool:
    days = moments.dropna().dt.normalize()
    return bool(days.nunique() >= _DAILY_SHARE * ((days.max() - days.min()).days + 1))


def _classes(column: pd.Series[Any], asked: Asked) -> tuple[str, ...]:
    """(the commoner, the rarer), or () for a number. Raises SpecRefused."""
    said = texts(column).dropna()
    if said.empty:
        raise SpecRefused(f"--target {asked.target!r}: the column is empty")
    values = said.value_counts()
    if len(values) == 1:
        raise SpecRefused(f"--target {asked.target!r}: every row says {values.index[0]!r}: there is nothing to predict")
    is_number = bool(numbers(said).notna().mean() >= _READ_SHARE)
    if asked.kind == "classification" or (asked.kind is None and (len(values) == 2 or not is_number)):
        if len(values) > 2:
            shown = ", ".join(map(str, values.index[:5]))
            raise SpecRefused(f"--target {asked.target!r} has {len(values)} classes ({shown}{', …' if len(values) > 5 else ''}): only two are known here")
        return (str(values.index[0]), str(values.index[1]))
    if not is_number:
        raise SpecRefused(f"--target {asked.target!r}: {values.index[0]!r} is no number; for two classes say --kind classification")
    return ()


def _entity_of(rows: pd.DataFrame, asked: Asked) -> str | None:
    """A column that names each row, by its own name as an id is called."""
    for column in rows.columns:
        said = texts(rows[column])
        whole = said.notna().all() and said.is_unique and said.str.fullmatch(r"[!-~]{1,128}").all()
        if column not in {asked.time, asked.target} and whole and _ID_LIKE.search(name_for(str(column), ())):
            return str(column)
    return None


def _describe(made: SpecText, column: str, cells: pd.Series[Any], target: pd.Series[Any]) -> None:
    said = texts(cells)
    known = said.dropna()
    values = known.value_counts()
    if why := _useless(known, values, said.fillna("").equals(target.fillna(""))):
        made.left_out.append((column, why))
    elif (read := numbers(known)).notna().mean() >= _READ_SHARE:
        made.numbers[name_for(column, made.names)] = _number(column, read, float(said.isna().mean()))
    else:
        often = [str(value) for value, count in values.items() if count >= 2][:MAX_CATEGORIES]
        made.categories[name_for(column, made.names)] = CategoryLines(column, sorted(often), _share(float(said.isna().mean())))


def _useless(known: pd.Series[Any], values: pd.Series[int], is_target: bool) -> str:
    """Why a model cannot use the column; empty: it can."""
    if len(values) < 2:
        return "empty" if values.empty else f"always {values.index[0]!r}"
    if is_target:
        return "the same as the target: a model that is told the answer learns nothing"
    if numbers(known).notna().mean() >= _READ_SHARE:
        return ""
    if times(known, None).notna().mean() >= _READ_SHARE:
        return "a time: derive a number from it (an age, an hour) to use it"
    if len(values) > 0.5 * len(known) or values.iloc[:MAX_CATEGORIES].sum() < 0.5 * len(known):
        return f"{len(values)} different texts: a name or free text"
    return ""


def _number(column: str, read: pd.Series[float], nulls: float) -> NumberLines:
    low, high = float(read.min()), float(read.max())
    room = _ROOM * (high - low)
    return NumberLines(column, 0.0 if low >= 0 else low - room, high + room, _share(nulls))


def _share(nulls: float) -> float:
    return round(nulls, 2)
