"""Taking an announced batch in: what is fit goes to silver and gold, what is not is set aside with a reason.

Guarantee: a row is in silver only if it was received, passed the dataset's checks and lies in the announced, released days; a batch
announced again changes nothing. Failure: the file is missing, cut short, not the announced one, or a process dies at any line.
Remedy: an unusable batch is said on `data.quality.issues` and the action succeeds (announce the repaired file again); a repeated step
writes the same bronze files and silver rows, and only the last transaction says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import structlog

from evergreen.contracts.actions import Action
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import DataIngested, DataProcessed, DataQualityIssue, QualityFinding, Window
from evergreen.core.clock import Clock
from evergreen.core.quality import HISTORY_DAYS, INCIDENT_OVER
from evergreen.core.release import last_released_day
from evergreen.core.severity import Severity
from evergreen.ports.batches import BatchRow, BatchStore
from evergreen.ports.dataset import Dataset
from evergreen.ports.lake import BatchRejected, Lake
from evergreen.ports.storage import ClaimedAction
from evergreen.services.batch_checks import check_batch
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.gaps import missing_rows, without_gaps

if TYPE_CHECKING:
    import pandas as pd

MAX_FINDINGS = 50
"""In one event and in the batch's row."""
_ALWAYS_SAID = frozenset({"empty_day", "volume"})
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _TakenIn:
    status: Literal["accepted", "rejected"]
    rows: int
    quarantined: int
    findings: Sequence[QualityFinding]
    """Worst first."""
    severity: Severity | None
    path: str

    @property
    def to_be_said(self) -> bool:
        if self.severity is None:
            return False
        return self.severity > Severity.LOW or self.quarantined > 0 or any(finding.kind in _ALWAYS_SAID for finding in self.findings)

    @property
    def incident(self) -> bool:
        return self.severity is not None and self.severity > Severity.LOW


class Ingest:
    def __init__(self, store: BatchStore, lake: Lake, carry_out: CarryOut, clock: Clock, datasets: Mapping[str, Dataset]) -> None:
        self._store = store
        self._lake = lake
        self._carry_out = carry_out
        self._clock = clock
        self._datasets = datasets

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Result: `outcome` (accepted, rejected, repeated), rows, quarantined, kinds of issues, `incident` (began, goes_on, over, none)."""
        given = claimed.action.params
        batch = DataIngested.model_validate({name: given[name] for name in DataIngested.model_fields if name in given})
        with self._store.transaction() as tx:
            known = tx.batches.get(batch.dataset, batch.batch_id)
        if known is not None and known.status == "accepted" and known.sha256 == batch.sha256:
            return self._repeated(claimed, known)
        return self._finish(claimed, batch, self._take_in(claimed.action, batch))

    def _take_in(self, action: Action, batch: DataIngested) -> _TakenIn:
        dataset = self._datasets.get(batch.dataset)
        if dataset is None:
            return self._rejected(batch, "unknown_dataset", f"no dataset {batch.dataset!r} here; known: {', '.join(self._datasets)}")
        try:
            received = self._lake.read_batch(batch.path, batch.sha256)
        except BatchRejected as error:
            return self._rejected(batch, error.kind, str(error))
        last_known = min(batch.window.last_day, last_released_day(action.as_of))
        checked = check_batch(received, dataset, batch, last_known, self._before(batch))
        path = self._lake.keep_bronze(batch.dataset, batch.batch_id, received, checked.quarantined)
        aside, findings = len(checked.quarantined), checked.findings
        if checked.clean.empty:
            kind = "empty_batch" if received.empty else "no_usable_rows"
            whole = QualityFinding(kind=kind, count=len(received), share=1.0, detail=f"none of {len(received)} rows can be used")
            return _TakenIn("rejected", 0, aside, (whole, *findings), Severity.HIGH, path)
        self._lake.merge_silver(batch.dataset, checked.clean)
        self._write_gold(dataset, batch)
        return _TakenIn("accepted", len(checked.clean), aside, findings, checked.severity, path)

    def _before(self, batch: DataIngested) -> pd.DataFrame:
        first = batch.window.first_day
        return self._lake.silver(batch.dataset, first_day=first - timedelta(days=HISTORY_DAYS), last_day=first - timedelta(days=1))

    def _rejected(self, batch: DataIngested, kind: str, detail: str) -> _TakenIn:
        reason = {"kind": kind, "detail": detail, "announced": batch.model_dump(mode="json")}
        path = self._lake.keep_rejected(batch.dataset, batch.batch_id, reason)
        return _TakenIn("rejected", 0, 0, (QualityFinding(kind=kind, count=batch.rows, share=1.0, detail=detail),), Severity.HIGH, path)

    def _write_gold(self, dataset: Dataset, batch: DataIngested) -> None:
        """To the last day there is: a late batch changes the days after it too (who was listed first, a channel's history)."""
        silver = self._lake.silver(dataset.name)
        last = silver[dataset.day_column].max().date()
        entity, day = dataset.entity_column, dataset.day_column
        whole = without_gaps(silver, missing_rows(silver, self._lake.set_aside(dataset.name), entity, day), entity, day)
        for name, table in dataset.gold.items():
            first = batch.window.first_day - timedelta(days=table.looks_ahead)
            self._lake.write_gold(dataset.name, {name: table.build(whole if table.first_rows else silver)}, first_day=first, last_day=last)

    def _repeated(self, claimed: ClaimedAction, known: BatchRow) -> Mapping[str, Any]:
        result = {"outcome": "repeated", "batch_id": known.batch_id, "rows": known.rows, "quarantined": known.quarantined}
        with self._store.transaction(claimed.lease) as tx:
            self._carry_out.complete(tx, claimed, result=result)
        return result

    def _finish(self, claimed: ClaimedAction, batch: DataIngested, taken: _TakenIn) -> Mapping[str, Any]:
        row = _row(batch, taken, self._clock.now())
        kinds = sorted({finding.kind for finding in taken.findings})
        result = {"outcome": taken.status, "batch_id": row.batch_id, "rows": row.rows, "quarantined": row.quarantined, "issues": kinds}
        events = [build(claimed.action, batch, taken) for build in (self._processed, self._issue)]
        with self._store.transaction(claimed.lease) as tx:
            bad = tx.batches.open_incidents(batch.dataset)
            tx.batches.record(row)
            result["incident"] = state = _incident(taken.incident, bad, tx.batches.open_incidents(batch.dataset))
            if state == "over":
                over = _over(batch, bad)
                tx.batches.record(replace(row, issues=[*row.issues, {"kind": over.kind, "detail": over.detail}]))
                events.append(self._said(claimed.action, batch, over, target=f"{batch.batch_id}/{INCIDENT_OVER}"))
            self._carry_out.complete(tx, claimed, [event for event in events if event is not None], result)
        log.info("batch_ingested", dataset=batch.dataset, **result)
        return result

    def _processed(self, action: Action, batch: DataIngested, taken: _TakenIn) -> Event | None:
        if taken.status == "rejected":
            return None
        payload = DataProcessed(batch_id=batch.batch_id, dataset=batch.dataset, rows=taken.rows, quarantined=taken.quarantined, window=batch.window)
        return resulting_event(action, "data_processed", payload, subject=batch.dataset, time=self._clock.now(), target=batch.batch_id)

    def _issue(self, action: Action, batch: DataIngested, taken: _TakenIn) -> Event | None:
        if taken.severity is None or not taken.to_be_said:
            return None
        worst = taken.findings[0]
        payload = DataQualityIssue(
            dataset=batch.dataset,
            batch_id=batch.batch_id,
            kind=worst.kind,
            severity=taken.severity.word,
            window=batch.window,
            findings=tuple(taken.findings[:MAX_FINDINGS]),
            detail=f"{taken.quarantined} of {taken.rows + taken.quarantined} rows set aside; {worst.detail}" if taken.quarantined else worst.detail,
        )
        return self._said(action, batch, payload, target=batch.batch_id)

    def _said(self, action: Action, batch: DataIngested, payload: DataQualityIssue, target: str) -> Event:
        return resulting_event(action, "data_quality_issue", payload, subject=batch.dataset, time=self._clock.now(), target=target)


def _row(batch: DataIngested, taken: _TakenIn, now: datetime) -> BatchRow:
    return BatchRow(
        dataset=batch.dataset,
        batch_id=batch.batch_id,
        sha256=batch.sha256,
        first_day=batch.window.first_day,
        last_day=batch.window.last_day,
        rows=taken.rows,
        quarantined=taken.quarantined,
        issues=[finding.model_dump() for finding in taken.findings[:MAX_FINDINGS]],
        bronze_path=taken.path,
        status=taken.status,
        incident=taken.incident,
        ingested_time=now,
    )


def _incident(bad: bool, before: Sequence[BatchRow], after: Sequence[BatchRow]) -> str:
    """`before` and `after` this batch: the bad ones no good one has followed."""
    if bad:
        return "goes_on" if before else "began"
    return "goes_on" if after else "over" if before else "none"


def _over(batch: DataIngested, bad: Sequence[BatchRow]) -> DataQualityIssue:
    days = Window(first_day=min(row.first_day for row in bad), last_day=max(row.last_day for row in bad))
    which = bad[0].batch_id if len(bad) == 1 else f"{len(bad)} batches, first {bad[0].batch_id}"
    detail = f"batch {batch.batch_id} is good again; bad: {which}, of {days.first_day} to {days.last_day}"
    return DataQualityIssue(dataset=batch.dataset, batch_id=batch.batch_id, kind=INCIDENT_OVER, severity="low", window=days, detail=detail)
