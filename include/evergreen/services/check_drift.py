"""Action `drift_check`: what the champion was trained on against the newest lists, feature by feature, and its predictions too.

Guarantee: a window of a version is reported once, whoever asks and how often; nothing younger than the action's `as_of` is looked at, and
no day of which a large part was set aside: an incident is no drift.
Failure: the model cannot be loaded. Remedy: features are compared all the same, weighted equally, and the report says what was missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import structlog

from evergreen.contracts.envelope import Event
from evergreen.contracts.events import AffectedFeature, DataDriftDetected
from evergreen.core.clock import Clock
from evergreen.core.drift import DriftSummary
from evergreen.core.errors import ArtifactRefused, NotFound, Unavailable
from evergreen.core.release import last_released_day
from evergreen.ports.drift_reports import DriftPictures, DriftReport, DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.drift_windows import CheckedWindow, checkable, report_id, rows_between, told_apart, windows_of
from evergreen.services.training import feature_table, read_known

if TYPE_CHECKING:
    import pandas as pd

LoadVersion = Callable[[ModelSpec, int], LoadedVersion]
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Watched:
    """The champion as far as it could be loaded."""

    version: VersionRow
    loaded: LoadedVersion | None
    notes: tuple[str, ...]

    @property
    def weights(self) -> Mapping[str, float] | None:
        return None if self.loaded is None else self.loaded.card.get("importances")


class CheckDrift:
    def __init__(
        self,
        store: DriftStore,
        clock: Clock,
        carry_out: CarryOut,
        lake: Lake,
        spec_of: Callable[[str], ModelSpec],
        load: LoadVersion,
        pictures: DriftPictures,
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._lake = lake
        self._spec_of = spec_of
        self._load = load
        self._pictures = pictures

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Result: `outcome` (drifted, calm, no_champion, nothing_to_check), version, `reports` (window, n, score, affected), `skipped`."""
        action, spec = claimed.action, self._spec_of(claimed.action.model)
        with self._store.transaction() as tx:
            champion = tx.champions.get(spec.name)
            version = None if champion is None else tx.versions.get(spec.name, champion.version)
        if version is None:
            return self._finish(claimed, [], {"outcome": "no_champion"})
        last_known = last_released_day(action.as_of)
        windows, skipped = checkable(windows_of(action.params, last_known), version, last_known)
        if not windows:
            return self._finish(claimed, [], {"outcome": "nothing_to_check", "version": version.name, "skipped": skipped})
        known = read_known(self._lake, spec, action.as_of)
        table = feature_table(spec, known.silver, action.as_of)
        fair = table[~table[spec.time_column].dt.date.isin(known.spoilt_days)]
        windows, spoilt = told_apart(windows, table, fair, spec.time_column)
        told = {"version": version.name, "skipped": skipped | spoilt}
        if not windows:
            return self._finish(claimed, [], {"outcome": "nothing_to_check", **told})
        watched = self._watch(spec, version)
        reference = rows_between(table, spec.time_column, version.trained_from, version.trained_to)
        reports = [self._compare(claimed, spec, watched, reference, fair, window) for window in windows]
        return self._finish(claimed, reports, told)

    def _watch(self, spec: ModelSpec, version: VersionRow) -> _Watched:
        try:
            return _Watched(version, self._load(spec, version.version), ())
        except (Unavailable, ArtifactRefused, NotFound) as error:
            log.warning("champion_not_loaded", version=version.name, error=str(error))
            return _Watched(version, None, (f"predictions were not compared and features are weighted equally: {error}",))

    def _compare(
        self, claimed: ClaimedAction, spec: ModelSpec, watched: _Watched, reference: pd.DataFrame, table: pd.DataFrame, checked: CheckedWindow
    ) -> tuple[DriftReport, DriftSummary]:
        from evergreen.services.drift_statistics import compare_tables

        window, version = checked.window, watched.version
        current = rows_between(table, spec.time_column, checked.looked_from, window.last_day)
        predictor = None if watched.loaded is None else watched.loaded.predictor
        predictions = None if predictor is None or current.empty or reference.empty else (predictor.predict(reference), predictor.predict(current))
        summary = compare_tables(reference, current, spec.drift_features, spec.categorical_features, watched.weights, predictions)
        found = report_id(version.name, window)
        report = DriftReport(
            id=found,
            model=version.model,
            version=version.version,
            first_day=window.first_day,
            last_day=window.last_day,
            n=summary.n_current,
            score=summary.score,
            drifted=bool(summary.affected),
            features={
                "results": [asdict(result) for result in summary.results],
                "reference": {"first_day": str(version.trained_from), "last_day": str(version.trained_to), "n": summary.n_reference},
                "current": {"first_day": str(checked.looked_from), "last_day": str(window.last_day), "n": summary.n_current},
                "sampled": dict(summary.sampled),
                "notes": list(watched.notes),
            },
            action_id=claimed.action.id,
            time=self._clock.now(),
            report_url=self._pictures.url(found) if summary.affected else None,
        )
        return report, summary

    def _finish(self, claimed: ClaimedAction, found: Sequence[tuple[DriftReport, DriftSummary]], result: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._store.transaction(claimed.lease) as tx:
            fresh = [(report, summary) for report, summary in found if tx.drift_reports.record(report)]
            events = [event for report, summary in fresh if (event := self._event(claimed, report, summary)) is not None]
            told: dict[str, Any] = {"outcome": "drifted" if events else "calm", **result}
            if found:
                told["reports"] = [_told(report, summary, new=(report, summary) in fresh) for report, summary in found]
            self._carry_out.complete(tx, claimed, events, told)
        log.info("drift_checked", model=claimed.action.model, outcome=told["outcome"], reports=len(found), said=len(events))
        return told

    def _event(self, claimed: ClaimedAction, report: DriftReport, summary: DriftSummary) -> Event | None:
        if summary.severity is None:
            return None
        dataset = str(claimed.action.params.get("dataset") or self._spec_of(report.model).datasets[0])
        affected = [AffectedFeature(name=one.feature, effect=one.statistic, q_value=one.q_value, direction=one.direction) for one in summary.affected]
        payload = DataDriftDetected(
            model_version=f"{report.model}@{report.version}",
            drift_score=report.score,
            affected_features=tuple(affected),
            severity=summary.severity.word,
            window={"first_day": report.first_day, "last_day": report.last_day},
            n=report.n,
            report_url=report.report_url,
        )
        return resulting_event(claimed.action, "data_drift_detected", payload, subject=dataset, time=self._clock.now(), target=str(report.id))


def _told(report: DriftReport, summary: DriftSummary, *, new: bool) -> dict[str, Any]:
    return {
        "report_id": str(report.id),
        "window": f"{report.first_day}..{report.last_day}",
        "n": report.n,
        "score": round(report.score, 4),
        "affected": [result.feature for result in summary.affected],
        "reported_before": not new,
    }
