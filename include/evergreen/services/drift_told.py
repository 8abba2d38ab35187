"""What a drift check says: its report's JSON, the events and the action's result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evergreen.contracts.events import AffectedFeature, DataDriftDetected, DataQualityIssue, QualityFinding, Window
from evergreen.core.drift import DriftSummary
from evergreen.core.drift_profile import Profile
from evergreen.core.severity import Severity
from evergreen.ports.drift_reports import DriftReport

_LOST = {"nulls": "null_burst", "missing_column": "column_gone"}
_SEEN = "the prediction is compared with what the version says of rows it was trained on, which spreads more than what it says of new ones"


def as_json(summary: DriftSummary, reference: Profile, notes: Sequence[str]) -> dict[str, Any]:
    irrelevant = [result.feature for result in summary.drifted if not summary.affected]
    if irrelevant:
        notes = [*notes, f"none of the model's business, it hardly uses them: {', '.join(irrelevant)}"]
    if summary.prediction is not None and not reference.forward:
        notes = [*notes, _SEEN]
    return {
        "results": [asdict(result) for result in summary.results],
        "losses": [asdict(result) for result in summary.losses],
        "prediction": None if summary.prediction is None else asdict(summary.prediction),
        "notes": list(notes),
    }


def drift_of(report: DriftReport, summary: DriftSummary) -> DataDriftDetected | None:
    """None: nothing is affected."""
    if summary.severity is None:
        return None
    affected = [
        AffectedFeature.model_validate(
            {
                "name": one.feature,
                "effect": one.statistic,
                "q_value": one.q_value,
                "direction": one.direction,
                "kind": one.kind,
                "weight": one.weight if summary.weighted else None,
            }
        )
        for one in summary.affected
    ]
    return DataDriftDetected(
        model_version=f"{report.model}@{report.version}",
        drift_score=report.score,
        affected_features=tuple(affected),
        severity=summary.severity.word,
        window=_window(report),
        n=report.n,
        report_url=report.report_url,
    )


def loss_of(report: DriftReport, summary: DriftSummary, current: Profile, dataset: str) -> DataQualityIssue | None:
    """Values that went missing, which ingest may have no rule for. None: none did."""
    if not summary.lost:
        return None
    findings = []
    for one in summary.lost:
        column = current.columns.get(one.feature)
        count = current.n if column is None else sum(column.nulls)
        findings.append(QualityFinding(kind=_LOST[one.kind], column=one.feature, count=count, share=count / current.n, detail=one.direction))
    detail = "; ".join(f"{one.column}: {one.detail}" for one in findings)
    return DataQualityIssue(
        dataset=dataset, kind=findings[0].kind, severity=Severity.HIGH.word, window=_window(report), findings=tuple(findings), detail=detail
    )


def told(report: DriftReport, summary: DriftSummary, *, new: bool) -> dict[str, Any]:
    """Of one report in the action's result."""
    return {
        "report_id": str(report.id),
        "window": f"{report.first_day}..{report.last_day}",
        "n": report.n,
        "score": round(report.score, 4),
        "affected": [result.feature for result in summary.affected],
        "lost": [result.feature for result in summary.lost],
        "reported_before": not new,
    }


def _window(report: DriftReport) -> Window:
    return Window(first_day=report.first_day, last_day=report.last_day)
