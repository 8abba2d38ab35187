"""What of a batch may enter silver, by the rules its spec declares.

Guarantee: every received row is in `clean` or in `quarantined` with its reasons, and no clean row lacks its time, its name or a required
cell, or holds a value outside what is declared; nothing in a batch raises. A category that is not declared is no fault: it is `other`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd

from evergreen.core.quality import INCIDENT_SHARE
from evergreen.core.severity import Severity
from evergreen.domains.findings import Finding, graded, reasons, set_aside
from evergreen.domains.tabular.coerce import coerced, is_given
from evergreen.domains.tabular.declared import Declared, Number
from evergreen.domains.tabular.row import AT, DAY, silver_columns
from evergreen.ports.dataset import Checked

REASON = "reason"
_INCIDENT_ROWS = 10
"""A day of fewer rows loses a third of them by chance."""
_MAX_NAME = 100
"""An idempotency key of 128 characters holds it."""


def validate(received: pd.DataFrame, last_known: date, declared: Declared) -> Checked:
    given = received.loc[:, ~received.columns.duplicated()].reset_index(drop=True)
    rows = coerced(given, declared)
    findings = [*_schema(given, rows, declared), *_unreadable(given, rows, declared), *_rows(rows, last_known, declared), *_incidents(rows, declared)]
    good = ~set_aside(findings, rows)
    again = rows[good].duplicated([declared.entity.name, DAY], keep="first").reindex(rows.index, fill_value=False).astype(bool)
    findings.append(Finding("duplicate", declared.entity.name, again, "the day already holds a row of this name"))
    good &= ~again
    keys = {name: rows.loc[~good, name] for name in (declared.entity.name, DAY) if name not in given.columns}  # of whom and when it was lost
    quarantined = given.loc[~good].assign(**keys, **{REASON: reasons(findings, rows)[~good.to_numpy()]})
    told = graded(findings, len(rows))
    return Checked(
        clean=rows.loc[good, list(silver_columns(declared))].reset_index(drop=True),
        quarantined=quarantined.reset_index(drop=True),
        findings=tuple(finding for _, finding in told),
        severity=told[0][0] if told else None,
    )


def _schema(given: pd.DataFrame, rows: pd.DataFrame, declared: Declared) -> Iterator[Finding]:
    for one in declared.columns if len(given) else ():
        if one.name not in given.columns:
            yield Finding("schema", one.name, pd.Series(False, index=rows.index), "the batch has no such column", Severity.HIGH, share=1.0)


def _unreadable(given: pd.DataFrame, rows: pd.DataFrame, declared: Declared) -> Iterator[Finding]:
    what = {one.name: "no finite number" for one in declared.numbers}
    what[declared.target.name] = f"none of {', '.join(declared.classes)}" if declared.classes else "no finite number"
    for name, why in what.items():
        if name in given.columns:
            yield Finding("unreadable", name, is_given(given[name]) & rows[name].isna(), why)
    if declared.time.name in given.columns:
        form = declared.time_format or "ISO 8601"
        yield Finding("unreadable", declared.time.name, is_given(given[declared.time.name]) & rows[AT].isna(), f"no time as {form} between 1900 and 2200")


def _rows(rows: pd.DataFrame, last_known: date, declared: Declared) -> Iterator[Finding]:
    yield Finding("missing", declared.time.name, rows[AT].isna(), "missing")
    name = rows[declared.entity.name]
    yield Finding("missing", declared.entity.name, name.isna(), "missing")
    strange = name.notna() & ~name.str.fullmatch(rf"[!-~]{{1,{_MAX_NAME}}}").fillna(False).astype(bool)
    yield Finding("malformed", declared.entity.name, strange, f"not 1 to {_MAX_NAME} printable characters without a space")
    yield Finding("future", declared.time.name, rows[DAY] > pd.Timestamp(last_known), f"after {last_known}")
    for one in declared.inputs:
        if one.required:
            yield Finding("missing", one.name, rows[one.name].isna(), "missing")
        if isinstance(one, Number):
            low, high = -np.inf if one.low is None else one.low, np.inf if one.high is None else one.high
            value = rows[one.name]
            yield Finding("out_of_range", one.name, value.notna() & ~value.between(low, high), f"out of range ({low:g} to {high:g})")


def _incidents(rows: pd.DataFrame, declared: Declared) -> Iterator[Finding]:
    """Columns that lose a large part of a day's values beyond the usual share: the rows without go aside, the others stay."""
    size = rows.groupby(DAY)[AT].transform("size").fillna(0)
    for one in declared.inputs:
        empty = rows[one.name].isna()
        share = empty.groupby(rows[DAY]).transform("mean").fillna(0.0)
        lost = empty & (share >= one.nulls + INCIDENT_SHARE) & (size >= _INCIDENT_ROWS)
        if lost.any():
            worst = float(share[lost].max())
            yield Finding("incident", one.name, lost, f"lost by up to {worst:.0%} of a day's rows", Severity.HIGH, worst)
