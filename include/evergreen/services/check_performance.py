"""Action `performance_check`: has the serving version become worse than it was, or than the one it replaced?

Asked by an action's run (the DAG) or by the monitor, which looks without one. Guarantee: a window is tested once, whoever asks (unique row),
on outcomes known at `as_of`; luck on either side is resampled away before anything is called degraded. The same transaction writes the
report, `model_performance_degraded` and, when the bake is over, `stable`. Failure: two look at once. Remedy: the one that writes second
holds the champion's lock, sees the other's report and says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import ModelPerformanceDegraded, Window
from evergreen.core.champion import bake_is_over, rollback_targets
from evergreen.core.clock import Clock
from evergreen.core.evaluation import Interval
from evergreen.core.performance import MIN_FRESH, MIN_ROWS, is_degraded, newest_days
from evergreen.core.release import DEFAULT_ZONE
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.performance import LabelledPrediction, PerformanceReport
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.performance_comparison import Comparison, Labelled, Serving
from evergreen.services.promote import facts_of
from evergreen.services.row_losses import row_losses
from evergreen.services.version_names import version_name

MAX_ROWS = 5000
"""Newest labelled predictions read at most; a busy day is judged on these."""
DEGRADED = "model_performance_degraded"


@dataclass(frozen=True)
class Finding:
    report: PerformanceReport
    drop: Interval
    rollback_target: int | None = None
    rollback_helps: bool = False


@dataclass(frozen=True)
class Found:
    """What one look came to, before anything is written."""

    outcome: str
    serving: Serving | None
    finding: Finding | None


class CheckPerformance:
    def __init__(
        self,
        store: ModelStore,
        clock: Clock,
        carry_out: CarryOut,
        registry: ModelRegistry,
        spec_of: Callable[[str], ModelSpec],
        zone: str = DEFAULT_ZONE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._comparison = Comparison(registry)
        self._spec_of = spec_of
        self._zone = ZoneInfo(zone)

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Carry an action out."""
        action = claimed.action
        found = self._find(action.model, action.as_of, action.id)
        with self._store.transaction(claimed.lease) as tx:
            degraded, result = self._settle(tx, found, action.as_of)
            now = self._clock.now()
            events = [resulting_event(action, DEGRADED, payload, subject=payload.model_name, time=now) for payload in degraded]
            self._carry_out.complete(tx, claimed, events, result)
        return result

    def look(self, model: str, as_of: datetime) -> Mapping[str, Any]:
        """The same without an action: the monitor looks every few minutes, and an action for each would bury those that did something."""
        found = self._find(model, as_of, None)
        with self._store.transaction() as tx:
            degraded, result = self._settle(tx, found, as_of)
            tx.outbox.publish_all([_seen_event(payload, self._clock.now()) for payload in degraded])
        return result

    def _find(self, model: str, as_of: datetime, action_id: UUID | None) -> Found:
        spec = self._spec_of(model)
        with self._store.transaction() as tx:
            serving = self._serving(tx, spec, as_of)
        if serving is None:
            return Found("no_champion", None, None)
        outcome, finding = self._judge(spec, serving, action_id)
        return Found(outcome, serving, finding)

    def _settle(self, tx: ModelTransaction, found: Found, as_of: datetime) -> tuple[list[ModelPerformanceDegraded], dict[str, Any]]:
        """Write what was found. Returns what is to be said (nothing where another was first) and the result."""
        serving, finding = found.serving, found.finding
        if serving is None:
            return [], _told(found.outcome, None, None, stable=False)
        outcome = found.outcome
        if finding is not None and not self._is_first(tx, serving, finding):
            outcome, finding = "already_reported", None
        stable = self._becomes_stable(tx, serving, finding, as_of)
        degraded = [_degraded(finding)] if finding is not None and finding.report.degraded else []
        return degraded, _told(outcome, serving, finding, stable=stable)

    def _is_first(self, tx: ModelTransaction, serving: Serving, finding: Finding) -> bool:
        model, version = serving.version.model, serving.version.version
        tx.champions.lock(model)
        return tx.performance.last(model, version, since=serving.since) == serving.last and tx.performance.record(finding.report)

    def _serving(self, tx: ModelTransaction, spec: ModelSpec, as_of: datetime) -> Serving | None:
        champion = tx.champions.get(spec.name)
        version = None if champion is None else tx.versions.get(spec.name, champion.version)
        deployment = None if champion is None else tx.deployments.get(champion.deployment_id)
        if champion is None or version is None or deployment is None:
            return None
        since = deployment.served_from or champion.since
        newest = tx.performance.labelled(spec.name, version.version, since=since, until=as_of, limit=MAX_ROWS)
        predicted, labelled = tx.performance.counts(spec.name, version.version, since=since, until=as_of)
        return Serving(
            version=version,
            deployment=deployment,
            since=since,
            rows=_with_outcome(spec, newest),
            predicted=predicted,
            labelled=labelled,
            targets=rollback_targets([facts_of(row) for row in tx.versions.of_model(spec.name)], version.version),
            last=tx.performance.last(spec.name, version.version, since=since),
            breached=tx.performance.degraded_since(spec.name, version.version, since),
        )

    def _judge(self, spec: ModelSpec, serving: Serving, action_id: UUID | None) -> tuple[str, Finding | None]:
        days = [self._day(row.time) for row, _ in serving.rows]
        window = serving.rows[: newest_days(days, spec.windows.performance_rows)]
        if len(window) < MIN_ROWS:
            return "too_few_labels", None
        if serving.last is not None and sum(row.time.isoformat() > serving.last.detail.get("newest", "") for row, _ in window) < MIN_FRESH:
            return "nothing_new", None
        import numpy as np

        current = row_losses(spec, np.array([row.predicted for row, _ in window]), np.array([outcome for _, outcome in window]))
        compared = self._comparison.baseline(spec, serving, window, current)
        if compared is None or not all(map(math.isfinite, (compared[1].point, compared[1].low, compared[1].high))):
            return "no_baseline", None
        baseline, drop, against = compared
        report = PerformanceReport(
            model=spec.name,
            version=serving.version.version,
            first_day=days[len(window) - 1],
            last_day=days[0],
            n=len(window),
            coverage=serving.labelled / serving.predicted if serving.predicted else 0.0,
            current=float(current.mean()),
            baseline=baseline,
            drop_low=drop.low,
            drop_high=drop.high,
            degraded=is_degraded(drop),
            time=self._clock.now(),
            action_id=action_id,
            detail={"newest": max(row.time.isoformat() for row, _ in window), "against": against, "drop": drop.point, "metric": spec.metric},
        )
        if not report.degraded:
            return "fine", Finding(report, drop)
        return "degraded", Finding(report, drop, *self._comparison.way_back(spec, serving, window, float(current.mean())))

    def _becomes_stable(self, tx: ModelTransaction, serving: Serving, finding: Finding | None, as_of: datetime) -> bool:
        """Whether the version became stable now."""
        breached = serving.breached or (finding is not None and finding.report.degraded)
        tested = serving.last is not None or finding is not None
        if serving.version.stable or not tested or not bake_is_over(serving.since, as_of, serving.labelled, breached):
            return False
        tx.versions.mark_stable(serving.version.model, serving.version.version)
        tx.deployments.mark_stable(serving.deployment.id, self._clock.now())
        return True

    def _day(self, time: datetime) -> date:
        return time.astimezone(self._zone).date()


def _degraded(finding: Finding) -> ModelPerformanceDegraded:
    report = finding.report
    return ModelPerformanceDegraded(
        model_name=report.model,
        model_version=f"{report.model}@{report.version}",
        performance_drop=max(0.0, finding.drop.point),
        current_performance=report.current,
        baseline_performance=report.baseline,
        window=Window(first_day=report.first_day, last_day=report.last_day),
        n=report.n,
        interval=(finding.drop.low, finding.drop.high),
        rollback_target=version_name(report.model, finding.rollback_target),
        rollback_helps=finding.rollback_helps,
    )


def _seen_event(payload: ModelPerformanceDegraded, time: datetime) -> Event:
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


def _with_outcome(spec: ModelSpec, newest: Sequence[LabelledPrediction]) -> list[Labelled]:
    """Outcomes that are no label (a count that is not a number) are left out."""
    known = []
    for row in newest:
        try:
            known.append((row, spec.label_of(row.outcome) if row.label is None else row.label))
        except ValueError:
            continue
    return known


def _told(outcome: str, serving: Serving | None, finding: Finding | None, *, stable: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"outcome": outcome, "became_stable": stable}
    if serving is not None:
        told |= {"model_version": serving.version.name, "labelled": serving.labelled, "predicted": serving.predicted}
    if finding is not None:
        report = finding.report
        told |= {"n": report.n, "current": report.current, "baseline": report.baseline, "against": report.detail["against"]}
        told |= {"drop": finding.drop.point, "interval": [finding.drop.low, finding.drop.high], "window": [str(report.first_day), str(report.last_day)]}
    return told
