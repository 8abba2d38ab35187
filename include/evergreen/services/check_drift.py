"""Action `drift_check`: what the champion was trained on against the newest lists, feature by feature, and its predictions too.

Guarantee: a window of a version is reported once, whoever asks and how often; nothing younger than the action's `as_of` is looked at, and
no day of which a large part was set aside: an incident is no drift. Nor are values that went missing: they are an issue of quality.
Cost: the window's rows are read and counted, the training rows once per version.
Failure: the model cannot be loaded. Remedy: features are compared all the same, weighted equally, and the report says what was missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from evergreen.contracts.envelope import Event
from evergreen.core.clock import Clock
from evergreen.core.drift import DriftSummary
from evergreen.core.drift_profile import METHOD, Profile
from evergreen.core.errors import ArtifactRefused, NotFound, Unavailable
from evergreen.core.release import last_released_day
from evergreen.ports.drift_reports import DriftPictures, DriftReport, DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec, Predictor
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.drift_reference import DriftReference, Reference
from evergreen.services.drift_rows import fair_rows
from evergreen.services.drift_told import as_json, drift_of, loss_of, told
from evergreen.services.drift_windows import CheckedWindow, checkable, report_id, windows_of

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

    @property
    def predictor(self) -> Predictor | None:
        return None if self.loaded is None else self.loaded.predictor


@dataclass(frozen=True)
class _Found:
    report: DriftReport
    summary: DriftSummary
    current: Profile


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
        self._reference = DriftReference(store, lake)

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Result: `outcome` (drifted, values_lost, calm, no_champion, nothing_to_check), version, `reports` (window, n, score, affected, lost),
        `skipped`."""
        action, spec = claimed.action, self._spec_of(claimed.action.model)
        with self._store.transaction() as tx:
            champion = tx.champions.get(spec.name)
            version = None if champion is None else tx.versions.get(spec.name, champion.version)
        if version is None:
            return self._finish(claimed, spec, [], {"outcome": "no_champion"})
        last_known = last_released_day(action.as_of)
        windows, skipped = checkable(windows_of(action.params, last_known), version, last_known)
        if not windows:
            return self._finish(claimed, spec, [], {"outcome": "nothing_to_check", "version": version.name, "skipped": skipped})
        fair, spoilt = fair_rows(self._lake, spec, windows)
        result = {"version": version.name, "skipped": skipped | spoilt}
        if not fair:
            return self._finish(claimed, spec, [], {"outcome": "nothing_to_check", **result})
        watched = self._watch(spec, version)
        reference = self._reference.of(spec, version, watched.loaded, self._clock.now())
        found = [self._compare(claimed, spec, watched, reference, window, rows) for window, rows in fair]
        return self._finish(claimed, spec, found, result)

    def _watch(self, spec: ModelSpec, version: VersionRow) -> _Watched:
        try:
            return _Watched(version, self._load(spec, version.version), ())
        except (Unavailable, ArtifactRefused, NotFound) as error:
            log.warning("champion_not_loaded", version=version.name, error=str(error))
            return _Watched(version, None, (f"predictions were not compared and features are weighted equally: {error}",))

    def _compare(self, claimed: ClaimedAction, spec: ModelSpec, watched: _Watched, reference: Reference, checked: CheckedWindow, rows: pd.DataFrame) -> _Found:
        from evergreen.services.drift_profiles import counted
        from evergreen.services.drift_statistics import compare_profiles

        begun = time.monotonic()
        window, version = checked.window, watched.version
        predictions = None if watched.predictor is None or rows.empty else watched.predictor.predict(rows)
        current = counted(rows, reference.profile, spec.season, predictions)
        summary = compare_profiles(reference.profile, current, spec.drift_features, watched.weights)
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
                **as_json(summary, reference.profile, watched.notes),
                "reference": {"first_day": str(version.trained_from), "last_day": str(version.trained_to), "n": summary.n_reference},
                "current": {"first_day": str(checked.looked_from), "last_day": str(window.last_day), "n": summary.n_current},
                "profile": current.to_json(),
                "cost": {"method": METHOD, "seconds": round(time.monotonic() - begun, 3), "rows_read": len(rows) + reference.rows_read},
            },
            action_id=claimed.action.id,
            time=self._clock.now(),
            report_url=self._pictures.url(found) if summary.affected else None,
        )
        return _Found(report, summary, current)

    def _finish(self, claimed: ClaimedAction, spec: ModelSpec, found: Sequence[_Found], result: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._store.transaction(claimed.lease) as tx:
            fresh = [one for one in found if tx.drift_reports.record(one.report)]
            events = [event for one in fresh for event in self._events(claimed, spec, one)]
            types = {event.type for event in events}
            outcome = "drifted" if "data_drift_detected" in types else "values_lost" if types else "calm"
            said: dict[str, Any] = {"outcome": outcome, **result}
            if found:
                said["reports"] = [told(one.report, one.summary, new=one in fresh) for one in found]
            self._carry_out.complete(tx, claimed, events, said)
        log.info("drift_checked", model=claimed.action.model, outcome=said["outcome"], reports=len(found), said=len(events))
        return said

    def _events(self, claimed: ClaimedAction, spec: ModelSpec, found: _Found) -> list[Event]:
        dataset = str(claimed.action.params.get("dataset") or spec.datasets[0])
        payloads = {
            "data_drift_detected": drift_of(found.report, found.summary),
            "data_quality_issue": loss_of(found.report, found.summary, found.current, dataset),
        }
        return [
            resulting_event(claimed.action, kind, payload, subject=dataset, time=self._clock.now(), target=str(found.report.id))
            for kind, payload in payloads.items()
            if payload is not None
        ]
