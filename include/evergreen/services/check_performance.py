"""Action `performance_check`: has the serving version become worse than it was, or than the one it replaced?

Guarantee: a window is tested once, whoever asks (unique row), on outcomes known at `as_of`; luck on either side is resampled away before
anything is called degraded. The same transaction writes the report, `model_performance_degraded` and, when the bake is over, `stable`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from evergreen.contracts.actions import Action
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import ModelPerformanceDegraded, Window
from evergreen.core.champion import bake_is_over, rollback_targets
from evergreen.core.clock import Clock
from evergreen.core.errors import ArtifactRefused
from evergreen.core.evaluation import Interval
from evergreen.core.performance import MIN_FRESH, MIN_ROWS, is_degraded, newest_days
from evergreen.core.release import DEFAULT_ZONE
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.performance import LabelledPrediction, PerformanceReport
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.bootstrap_interval import paired, unpaired
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.promote import facts_of
from evergreen.services.version_names import version_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ROWS = 5000
"""Newest labelled predictions read at most; a busy day is judged on these."""
_TARGETS_TRIED = 3


@dataclass(frozen=True)
class Serving:
    """The champion at the time of the check, and what came true of its predictions."""

    version: VersionRow
    deployment: DeploymentRow
    since: datetime
    rows: Sequence[tuple[LabelledPrediction, float]]
    """With the outcome in the target's units, newest first."""
    predicted: int
    labelled: int
    targets: Sequence[int]
    last: PerformanceReport | None
    breached: bool


@dataclass(frozen=True)
class Finding:
    report: PerformanceReport
    drop: Interval
    rollback_target: int | None = None
    rollback_helps: bool = False


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
        self._registry = registry
        self._spec_of = spec_of
        self._zone = ZoneInfo(zone)

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        action = claimed.action
        spec = self._spec_of(action.model)
        with self._store.transaction() as tx:
            serving = self._serving(tx, spec, action.as_of)
        outcome, finding = ("no_champion", None) if serving is None else self._look(spec, serving, action)
        with self._store.transaction(claimed.lease) as tx:
            events: list[Event] = []
            if finding is not None and not tx.performance.record(finding.report):
                outcome, finding = "already_reported", None
            if finding is not None and finding.report.degraded:
                events.append(self._degraded(action, finding))
            stable = serving is not None and self._settle(tx, serving, finding, action.as_of)
            result = _told(outcome, serving, finding, stable)
            self._carry_out.complete(tx, claimed, events, result)
        return result

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

    def _look(self, spec: ModelSpec, serving: Serving, action: Action) -> tuple[str, Finding | None]:
        days = [self._day(row.time) for row, _ in serving.rows]
        window = serving.rows[: newest_days(days, spec.windows.performance_rows)]
        if len(window) < MIN_ROWS:
            return "too_few_labels", None
        if serving.last is not None and sum(row.time.isoformat() > serving.last.detail.get("newest", "") for row, _ in window) < MIN_FRESH:
            return "nothing_new", None
        import numpy as np

        current = np.array([abs(row.predicted - outcome) for row, outcome in window])
        compared = self._compare(spec, serving, window, current)
        if compared is None:
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
            action_id=action.id,
            detail={"newest": max(row.time.isoformat() for row, _ in window), "against": against, "drop": drop.point, "metric": spec.metric},
        )
        if not report.degraded:
            return "fine", Finding(report, drop)
        return "degraded", Finding(report, drop, *self._way_back(spec, serving, window, float(current.mean())))

    def _compare(
        self, spec: ModelSpec, serving: Serving, window: Sequence[tuple[LabelledPrediction, float]], current: NDArray[np.float64]
    ) -> tuple[float, Interval, str] | None:
        """(baseline error, relative drop, what it is compared with). Until stable: the previous champion on the same rows; else its own
        error on held-out rows."""
        import numpy as np

        previous = serving.deployment.previous_version
        if not serving.version.stable and previous is not None:
            theirs = self._errors_of(spec, previous, window)
            if theirs is not None:
                return float(theirs.mean()), paired(current, theirs), f"{spec.name}@{previous} on the same rows"
        own = np.asarray((serving.version.scorecard or {}).get("baseline_errors", []), dtype=np.float64)
        if len(own) < MIN_ROWS:
            return None
        return float(own.mean()), unpaired(current, own), f"its own {len(own)} held-out rows"

    def _errors_of(self, spec: ModelSpec, version: int, window: Sequence[tuple[LabelledPrediction, float]]) -> NDArray[np.float64] | None:
        """Another version's errors on the same rows: as it said in the shadow, else scored now from the features that were used then."""
        import numpy as np

        predicted = {at: row.shadow_predicted for at, (row, _) in enumerate(window) if row.shadow_version == version and row.shadow_predicted is not None}
        missing = [at for at in range(len(window)) if at not in predicted]
        if missing:
            try:
                predictor = self._registry.load(spec, version).predictor
            except ArtifactRefused:
                return None
            answers = predictor.answer([window[at][0].features for at in missing])
            predicted |= {at: float(answer["prediction"]) for at, answer in zip(missing, answers, strict=True)}
        return np.array([abs(predicted[at] - outcome) for at, (_, outcome) in enumerate(window)])

    def _way_back(self, spec: ModelSpec, serving: Serving, window: Sequence[tuple[LabelledPrediction, float]], current: float) -> tuple[int | None, bool]:
        """The newest stable version that was not worse on these rows, else the newest stable one and that it does not help."""
        loadable = None
        for version in serving.targets[:_TARGETS_TRIED]:
            errors = self._errors_of(spec, version, window)
            if errors is not None and float(errors.mean()) <= current:
                return version, True
            loadable = loadable if loadable is not None or errors is None else version
        return loadable, False

    def _settle(self, tx: ModelTransaction, serving: Serving, finding: Finding | None, as_of: datetime) -> bool:
        """Whether the version became stable now."""
        breached = serving.breached or (finding is not None and finding.report.degraded)
        tested = serving.last is not None or finding is not None
        if serving.version.stable or not tested or not bake_is_over(serving.since, as_of, serving.labelled, breached):
            return False
        tx.versions.mark_stable(serving.version.model, serving.version.version)
        tx.deployments.mark_stable(serving.deployment.id, self._clock.now())
        return True

    def _degraded(self, action: Action, finding: Finding) -> Event:
        report = finding.report
        payload = ModelPerformanceDegraded(
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
        return resulting_event(action, "model_performance_degraded", payload, subject=report.model, time=self._clock.now())

    def _day(self, time: datetime) -> date:
        return time.astimezone(self._zone).date()


def _with_outcome(spec: ModelSpec, newest: Sequence[LabelledPrediction]) -> list[tuple[LabelledPrediction, float]]:
    """Outcomes that are no label (a count that is not a number) are left out."""
    known = []
    for row in newest:
        try:
            known.append((row, spec.label_of(row.outcome) if row.label is None else row.label))
        except ValueError:
            continue
    return known


def _told(outcome: str, serving: Serving | None, finding: Finding | None, stable: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"outcome": outcome, "became_stable": stable}
    if serving is not None:
        told |= {"model_version": serving.version.name, "labelled": serving.labelled, "predicted": serving.predicted}
    if finding is not None:
        report = finding.report
        told |= {"n": report.n, "current": report.current, "baseline": report.baseline, "against": report.detail["against"]}
        told |= {"drop": finding.drop.point, "interval": [finding.drop.low, finding.drop.high], "window": [str(report.first_day), str(report.last_day)]}
    return told
