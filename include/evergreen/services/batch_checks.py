"""What an announcement, and the days before it, let one check of a batch besides the dataset's own rules: its days and its numbers of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from evergreen.contracts.events import DataIngested, QualityFinding
from evergreen.core.quality import volume_of
from evergreen.core.severity import Severity
from evergreen.ports.dataset import Checked, Dataset

if TYPE_CHECKING:
    import pandas as pd

REASON = "reason"
_SHOWN_DAYS = 5
_MEDIUM_SHARE = 0.05
Graded = tuple[Severity, QualityFinding]


def check_batch(received: pd.DataFrame, dataset: Dataset, batch: DataIngested, last_known: date, before: pd.DataFrame | None = None) -> Checked:
    """The dataset's checks, then: rows outside the announced days are set aside; a wrong number of rows, days without a list and days with far
    fewer or more rows than usual are named. `before`: silver's rows of the HISTORY_DAYS before the batch."""
    checked = dataset.validate(received, last_known)
    inside, outside = _split(checked.clean, dataset, batch)
    if len(outside):
        reason = f"{dataset.day_column}: outside the announced days {batch.window.first_day} to {batch.window.last_day}"
        import pandas as pd

        quarantined = pd.concat([checked.quarantined, outside.assign(**{REASON: reason})], ignore_index=True)
        checked = replace(checked, clean=inside, quarantined=quarantined)
    graded = [*_outside(outside, len(received)), *_row_count(batch, len(received)), *_empty_days(checked, dataset, batch, last_known)]
    volume = [] if before is None or not dataset.daily else list(_volume(checked, dataset, before))
    return _with(_without_own_volume(checked) if volume else checked, [*graded, *volume])


def _volume(checked: Checked, dataset: Dataset, before: pd.DataFrame) -> Iterator[Graded]:
    """Of rows that came, clean or set aside: what was lost of them has a finding of its own."""
    import pandas as pd

    column = dataset.day_column
    usual = list(Counter(before[column].dt.date).items())
    came = Counter(checked.clean[column].dt.date)
    if column in checked.quarantined:
        texts = checked.quarantined[column].astype("str")
        came.update(day for day in pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601").dt.date if day in came)
    for day, count in sorted(came.items()):
        found = volume_of(day, count, usual)
        if found is not None:
            detail = f"{day}: {found.rows} rows, usually {found.usual:.0f}"
            yield found.severity, QualityFinding(kind="volume", count=found.rows, share=min(found.share, 1.0), detail=detail)


def _without_own_volume(checked: Checked) -> Checked:
    """A dataset that knows no other days has judged them by the batch's own."""
    return replace(checked, findings=tuple(finding for finding in checked.findings if finding.kind != "volume"))


def _split(clean: pd.DataFrame, dataset: Dataset, batch: DataIngested) -> tuple[pd.DataFrame, pd.DataFrame]:
    days = clean[dataset.day_column].dt.date
    inside = (days >= batch.window.first_day) & (days <= batch.window.last_day)
    return clean[inside].reset_index(drop=True), clean[~inside].reset_index(drop=True)


def _outside(outside: pd.DataFrame, total: int) -> Iterator[Graded]:
    if len(outside):
        share = len(outside) / total
        severity = Severity.MEDIUM if share > _MEDIUM_SHARE else Severity.LOW
        yield severity, QualityFinding(kind="outside_window", count=len(outside), share=share, detail="rows of days that were not announced")


def _row_count(batch: DataIngested, total: int) -> Iterator[Graded]:
    if total != batch.rows:
        share = min(abs(total - batch.rows) / max(batch.rows, 1), 1.0)
        yield (
            Severity.MEDIUM,
            QualityFinding(kind="row_count", count=abs(total - batch.rows), share=share, detail=f"{batch.rows} rows announced, {total} found"),
        )


def _empty_days(checked: Checked, dataset: Dataset, batch: DataIngested, last_known: date) -> Iterator[Graded]:
    there = set(checked.clean[dataset.day_column].dt.date)
    expected = [batch.window.first_day + timedelta(days=offset) for offset in range((last_known - batch.window.first_day).days + 1)]
    empty = [day for day in expected if day not in there]
    if empty and dataset.daily:
        shown = ", ".join(str(day) for day in empty[:_SHOWN_DAYS]) + (", …" if len(empty) > _SHOWN_DAYS else "")
        yield Severity.LOW, QualityFinding(kind="empty_day", count=len(empty), share=len(empty) / len(expected), detail=f"no usable rows on {shown}")


def _with(checked: Checked, graded: list[Graded]) -> Checked:
    """Worst first, as the dataset gives its own."""
    if not graded:
        return checked
    worst = max(severity for severity, _ in graded)
    added = tuple(finding for _, finding in sorted(graded, key=lambda one: -one[0]))
    if checked.severity is None or worst > checked.severity:
        return replace(checked, findings=(*added, *checked.findings), severity=worst)
    return replace(checked, findings=(*checked.findings, *added))
