"""What of a batch may enter silver. Broken rows are set aside with a reason, incidents are named; nothing in a batch raises.

Guarantee: every received row is in `clean` or in `quarantined`, and no clean row has lost its key or carries an impossible value.
A few hidden like counts are normal and stay; half a day without counts is an incident and goes aside. A new mix of categories is no incident.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from evergreen.core.quality import INCIDENT_SHARE
from evergreen.core.severity import Severity
from evergreen.domains.findings import Finding, set_aside
from evergreen.domains.videos.coerce import coerce_batch
from evergreen.domains.videos.schema import COUNTS, KEY, LOAD_ERROR, NAMES, REQUIRED, empty_batch

REASON = "reason"

USUAL_ROWS = 50
"""Length of a day's list in every region since 2025; longer lists set their own measure."""
_FAR_TOO_FEW, _FEW = 0.15, 0.5
_RANGES: dict[str, tuple[float, float]] = {
    "view_count": (1, 1e11),  # the most viewed video ever has 2e10; no view at all is no listing
    "like_count": (0, 1e10),
    "comment_count": (0, 1e10),
    "rank": (1, 10_000),
    "category_id": (1, 999),
    "tag_count": (0, 5_000),
    "description_length": (0, 100_000),
    "duration": (0, 30 * 86_400),
}
_FIRST_VIDEO = pd.Timestamp("2005-04-23", tz="UTC")
_AHEAD = pd.Timedelta(hours=48)
"""A list's day is a file date: videos up to 18 h younger than its midnight are normal."""
_ABSENT_IN_2017 = ("published_at", "channel_id", "description_length")
_VIDEO_ID = r"[A-Za-z0-9_\-]{1,64}"


@dataclass(frozen=True)
class QualityIssue:
    kind: str
    """schema, unreadable, missing, malformed, out_of_range, future, duplicate, incident, absent, volume, inconsistent"""
    column: str | None
    severity: Severity
    count: int
    share: float
    """Of the batch's rows; of a day's rows for incident and volume."""
    detail: str


@dataclass(frozen=True)
class ValidatedBatch:
    clean: pd.DataFrame
    """Batch schema, silver's columns."""
    quarantined: pd.DataFrame
    """The same columns and `reason`."""
    issues: list[QualityIssue]
    """Worst first."""


def validate(batch: pd.DataFrame, as_of: date | None = None) -> ValidatedBatch:
    """`as_of`: the platform's day; lists of later days come from the future. Without it only times inside the batch are compared."""
    named = batch.loc[:, ~batch.columns.duplicated()]
    rows = coerce_batch(named) if len(named) else empty_batch()
    findings = [*_schema(named, rows), *_unreadable(rows), *_row_findings(rows, as_of), *_incidents(rows)]
    broken = set_aside(findings, rows)
    findings.append(_duplicates(rows, ~broken))
    good = ~set_aside(findings, rows)
    quarantined = rows.loc[~good, list(NAMES)].assign(**{REASON: _reasons(findings, rows)[~good]})
    issues = [_issue(finding, len(rows)) for finding in findings if finding.rows.any() or finding.share is not None]
    issues += [*_volume(rows if as_of is None else rows[~(rows["list_date"] > pd.Timestamp(as_of))]), *_inconsistent(rows[good])]
    return ValidatedBatch(
        clean=rows.loc[good, list(NAMES)].reset_index(drop=True),
        quarantined=quarantined.reset_index(drop=True),
        issues=sorted(issues, key=lambda issue: (-issue.severity, issue.kind, issue.column or "")),
    )


def _reasons(findings: list[Finding], rows: pd.DataFrame) -> pd.Series[Any]:
    """Why each row goes aside, several reasons joined by `; `. What loading could not read is quoted."""
    reasons: list[list[str]] = [[text] if isinstance(text, str) else [] for text in rows[LOAD_ERROR].tolist()]
    for finding in findings:
        if finding.kind == "unreadable":
            continue
        for at in np.flatnonzero(finding.rows.to_numpy()).tolist():
            reasons[at].append(finding.why if finding.column is None else f"{finding.column}: {finding.why}")
    return pd.Series(["; ".join(found) for found in reasons], index=rows.index, dtype="str")


def _schema(given: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Finding]:
    for name in REQUIRED if len(given) else ():
        if name not in given.columns:
            yield Finding("schema", name, pd.Series(False, index=rows.index), "the batch has no such column", Severity.HIGH, share=1.0)


def _row_findings(rows: pd.DataFrame, as_of: date | None) -> Iterator[Finding]:
    for name in REQUIRED:
        unread = rows[LOAD_ERROR].str.contains(f"(?:^|; )(?:row|{name}): ", regex=True).fillna(False).astype(bool)  # then there was a value
        yield Finding("missing", name, rows[name].isna() & ~unread, "missing")
    yield Finding("malformed", "video_id", rows["video_id"].notna() & ~rows["video_id"].str.fullmatch(_VIDEO_ID).fillna(False).astype(bool), "not a video id")
    for name, (low, high) in _RANGES.items():
        value = rows[name].astype("float64")
        yield Finding("out_of_range", name, value.notna() & ~value.between(low, high), f"out of range ({low:g} to {high:g})")
    published = rows["published_at"]
    midnight = rows["list_date"].dt.tz_localize("UTC")
    yield Finding("out_of_range", "published_at", published < _FIRST_VIDEO, "before the first video there was")
    yield Finding("future", "published_at", published > midnight + _AHEAD, "after the list that shows it")
    if as_of is not None:
        yield Finding("future", "list_date", rows["list_date"] > pd.Timestamp(as_of), f"after {as_of}")


def _incidents(rows: pd.DataFrame) -> Iterator[Finding]:
    """Columns that lose a large part of a day's values: the rows without go aside, the others stay."""
    old_form = rows[["published_at", "channel_id"]].isna().all(axis=None)
    for name in (*COUNTS, *_ABSENT_IN_2017, "tag_count"):
        empty = rows[name].isna()
        if name in _ABSENT_IN_2017 and old_form and empty.all():
            if len(rows):
                yield Finding("absent", name, pd.Series(False, index=rows.index), "lists of this form do not carry it", Severity.LOW, share=1.0)
            continue
        shares = empty.groupby(rows["list_date"]).transform("mean").fillna(0.0)
        worst = float(shares.max()) if len(shares) else 0.0
        yield Finding("incident", name, empty & (shares >= INCIDENT_SHARE), f"lost by up to {worst:.0%} of a day's rows", Severity.HIGH, _over(worst))


def _over(share: float) -> float | None:
    return share if share >= INCIDENT_SHARE else None


def _duplicates(rows: pd.DataFrame, good: pd.Series[bool]) -> Finding:
    """The first good row of a video, region and day stays."""
    again = rows[good].duplicated(list(KEY), keep="first").reindex(rows.index, fill_value=False)
    return Finding("duplicate", None, again.astype(bool), "the day's list already holds this video")


def _unreadable(rows: pd.DataFrame) -> Iterator[Finding]:
    """The reasons loading gave, by the column they begin with."""
    first = rows[LOAD_ERROR].map(lambda text: text.split(":")[0], na_action="ignore")
    for name in sorted(first.dropna().unique()):
        column = name if name in NAMES else None
        yield Finding("unreadable", column, first == name, "a value of the wrong type" if column else "not a whole row")


def _issue(finding: Finding, total: int) -> QualityIssue:
    count = int(finding.rows.sum()) if finding.share is None or finding.rows.any() else total
    share = count / total if finding.share is None else finding.share
    severity = finding.severity_at(share)
    return QualityIssue(finding.kind, finding.column, severity, count, share, finding.why)


def _volume(rows: pd.DataFrame) -> Iterator[QualityIssue]:
    if rows.empty:
        yield QualityIssue("volume", None, Severity.HIGH, 0, 0.0, "the batch has no rows")
        return
    per_day = rows.groupby("list_date").size()
    usual = max(float(per_day.median()), USUAL_ROWS) if len(per_day) else USUAL_ROWS
    for day, count in per_day.items():
        share = int(count) / usual
        if share < _FEW:
            severity = Severity.HIGH if share < _FAR_TOO_FEW else Severity.LOW
            yield QualityIssue("volume", None, severity, int(count), share, f"{str(day)[:10]}: {count} rows, usually {usual:.0f}")


def _inconsistent(clean: pd.DataFrame) -> Iterator[QualityIssue]:
    """More likes than views happens for minutes after a release, the counters run apart: kept, as no feature at listing uses the ratio."""
    odd: pd.Series[Any] = (clean["like_count"] > clean["view_count"]).fillna(False)
    if odd.any():
        yield QualityIssue("inconsistent", "like_count", Severity.LOW, int(odd.sum()), float(odd.mean()), "more likes than views; kept")
