"""What of a batch of interactions may enter silver.

Guarantee: every received row is in `clean` or in `quarantined` with its reasons, and no clean row lacks its user, movie, time or meaning; nothing
in a batch raises. A title, genre or year that is not known is no fault of the interaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from evergreen.core.recommending import KIND_WEIGHTS
from evergreen.core.severity import Severity
from evergreen.domains.findings import Finding, graded, reasons, set_aside
from evergreen.domains.movies.names import AT, ENTITY, GENRES, MOVIE, RATING, SILVER, TIME, TITLE, USER, YEAR
from evergreen.ports.dataset import Checked

REASON = "reason"
REQUIRED = (USER, MOVIE, AT)
LOW, HIGH = 0.5, 5.0
KINDS = frozenset({RATING, *KIND_WEIGHTS})
_USER, _MOVIE = r"[!-~]{1,80}", r"[0-9]{1,15}"
_MAX_TEXT = 300


def validate(received: pd.DataFrame, last_known: date) -> Checked:
    given = received.loc[:, ~received.columns.duplicated()].reset_index(drop=True)
    rows = coerced(given)
    findings = [*_schema(given, rows), *_rows(given, rows, last_known)]
    good = ~set_aside(findings, rows)
    again = rows[good].duplicated([ENTITY, AT], keep="last").reindex(rows.index, fill_value=False).astype(bool)
    findings.append(Finding("duplicate", ENTITY, again, "the same user, movie and moment again"))
    good &= ~again
    keys = {name: rows.loc[~good, name] for name in (ENTITY, TIME) if name not in given.columns}
    quarantined = given.loc[~good].assign(**keys, **{REASON: reasons(findings, rows)[~good.to_numpy()]})
    told = graded(findings, len(rows))
    return Checked(
        clean=rows.loc[good, list(SILVER)].reset_index(drop=True),
        quarantined=quarantined.reset_index(drop=True),
        findings=tuple(finding for _, finding in told),
        severity=told[0][0] if told else None,
    )


def coerced(received: pd.DataFrame) -> pd.DataFrame:
    """Silver's columns; a cell that cannot be read is nothing."""
    at = times(_column(received, AT))
    user, movie = texts(_column(received, USER)), texts(_column(received, MOVIE))
    kind = texts(_column(received, "interaction")).fillna(RATING)
    made: dict[str, Any] = {
        TIME: at.dt.tz_localize(None).dt.normalize().astype("datetime64[us]"),
        AT: at,
        ENTITY: user + ":" + movie,
        USER: user,
        MOVIE: movie,
        "interaction": kind,
        "rating": _numbers(_column(received, "rating")),
        "source": texts(_column(received, "source")),
        TITLE: texts(_column(received, TITLE)).str.slice(0, _MAX_TEXT),
        GENRES: texts(_column(received, GENRES)).str.slice(0, _MAX_TEXT),
        YEAR: _numbers(_column(received, YEAR)),
    }
    return pd.DataFrame(made).astype({name: dtype for name, dtype in SILVER.items() if dtype == "str"})


def times(column: pd.Series[Any]) -> pd.Series[Any]:
    """Instants in UTC of a timestamp, a text in ISO form or seconds since 1970, as text or as number; NaT for what is none."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        read = pd.to_datetime(column, utc=True)
    else:
        said = column.astype("str")
        seconds = _numbers(said)
        as_text = pd.to_datetime(said.where(seconds.isna()), format="ISO8601", errors="coerce", utc=True)
        as_number = pd.to_datetime((seconds.where(seconds.abs() < 1e10) * 1e6).round().astype("Int64").astype("datetime64[us]"), utc=True)
        read = as_text.astype("datetime64[us, UTC]").fillna(as_number.astype("datetime64[us, UTC]"))
    found: pd.Series[Any] = read.where((read >= pd.Timestamp("1900-01-01", tz="UTC")) & (read < pd.Timestamp("2200-01-01", tz="UTC")))
    return found.astype("datetime64[us, UTC]")


def texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Trimmed; blank is null; a whole number without its point."""
    if pd.api.types.is_float_dtype(column.dtype):
        column = column.astype("Int64") if (column.dropna() % 1 == 0).all() else column
    said = column.astype("str").str.strip()
    return said.where(said != "").where(column.notna())


def _column(received: pd.DataFrame, name: str) -> pd.Series[Any]:
    return received[name] if name in received.columns else pd.Series([None] * len(received), index=received.index, dtype="str")


def _numbers(column: pd.Series[Any]) -> pd.Series[float]:
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _schema(given: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Finding]:
    for name in REQUIRED if len(given) else ():
        if name not in given.columns:
            yield Finding("schema", name, pd.Series(False, index=rows.index), "the batch has no such column", Severity.HIGH, share=1.0)


def _rows(given: pd.DataFrame, rows: pd.DataFrame, last_known: date) -> Iterator[Finding]:
    for name, form, what in ((USER, _USER, "1 to 80 printable characters without a space"), (MOVIE, _MOVIE, "a whole number")):
        yield Finding("missing", name, rows[name].isna(), "missing")
        yield Finding("malformed", name, rows[name].notna() & ~rows[name].str.fullmatch(form).fillna(False).astype(bool), f"not {what}")
    yield Finding("missing", AT, rows[AT].isna(), "missing, or no time between 1900 and 2200")
    yield Finding("future", AT, rows[TIME] > pd.Timestamp(last_known), f"after {last_known}")
    rated = rows["interaction"] == RATING
    yield Finding("unknown", "interaction", ~rows["interaction"].isin(KINDS), f"none of {', '.join(sorted(KINDS))}")
    yield Finding("missing", "rating", rated & rows["rating"].isna(), "missing, or no number")
    yield Finding("out_of_range", "rating", rows["rating"].notna() & ~rows["rating"].between(LOW, HIGH), f"out of range ({LOW:g} to {HIGH:g})")
