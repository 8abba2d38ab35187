"""What one look at a model's performance came to, and the words it is told in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import ModelPerformanceDegraded, Window
from evergreen.core.click_through import ClickThrough
from evergreen.core.evaluation import Interval
from evergreen.core.sequential import Bounds
from evergreen.ports.performance import PerformanceEstimate, PerformanceReport
from evergreen.services.performance_comparison import Serving
from evergreen.services.version_names import version_name

DEGRADED = "model_performance_degraded"
CLICK_THROUGH = "click_through_rate"


@dataclass(frozen=True)
class Finding:
    report: PerformanceReport
    drop: Interval
    rollback_target: int | None = None
    rollback_helps: bool = False
    clicked: ClickThrough | None = None
    """On its lists. None: it makes none, or nobody was shown one."""
    by_clicks: bool = False
    """Degraded by them alone."""


@dataclass(frozen=True)
class Found:
    """What one look came to, before anything is written."""

    outcome: str
    serving: Serving | None
    finding: Finding | None
    estimate: PerformanceEstimate | None = None


def degraded_payload(finding: Finding) -> ModelPerformanceDegraded:
    report = finding.report
    drop: Interval | Bounds = finding.drop
    metric, current, baseline, n = report.detail["metric"], report.current, report.baseline, report.n
    if finding.by_clicks and finding.clicked is not None and finding.clicked.drop is not None:
        now, first, drop = finding.clicked.now.counts, finding.clicked.first.counts, finding.clicked.drop
        metric, current, baseline, n = CLICK_THROUGH, now.mean.point, first.mean.point, now.users
    return ModelPerformanceDegraded(
        model_name=report.model,
        model_version=f"{report.model}@{report.version}",
        metric=metric,
        performance_drop=max(0.0, drop.point),
        current_performance=current,
        baseline_performance=baseline,
        window=Window(first_day=report.first_day, last_day=report.last_day),
        n=n,
        interval=(drop.low, drop.high),
        rollback_target=version_name(report.model, finding.rollback_target),
        rollback_helps=finding.rollback_helps,
    )


def seen_event(payload: ModelPerformanceDegraded, time: datetime) -> Event:
    """Of a look without an action: named after what was looked at."""
    window = payload.window
    return Event(
        id=derived_id(DEGRADED, payload.model_version, window.first_day, window.last_day, payload.n),
        source="/monitor",
        type=DEGRADED,
        subject=payload.model_name,
        time=time,
        data=payload.model_dump(mode="json"),
    )


def told(outcome: str, serving: Serving | None, finding: Finding | None, *, stable: bool) -> dict[str, Any]:
    """The result. `labelled` of `predicted`: entities since the version serves; `coverage`: the same as a share, of the window alone."""
    words: dict[str, Any] = {"outcome": outcome, "became_stable": stable}
    if serving is not None:
        words |= {"model_version": serving.version.name, "labelled": serving.labelled, "predicted": serving.predicted, "coverage": serving.coverage}
    if finding is not None:
        report = finding.report
        words |= {"n": report.n, "current": report.current, "baseline": report.baseline, "against": report.detail["against"]}
        words |= {"drop": finding.drop.point, "interval": [finding.drop.low, finding.drop.high], "window": [str(report.first_day), str(report.last_day)]}
        words |= {} if finding.clicked is None else {"click_through": finding.clicked.to_json()}
    return words
