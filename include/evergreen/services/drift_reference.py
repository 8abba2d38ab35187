"""What a version's new rows are compared with: the profile of those it was trained on, made once and kept with the version.

Guarantee: one profile per version, equal whoever makes it: it is counted from the rows of the training days, and what the model says of new
rows is compared with what was said of unseen ones. Failure: the watched columns change with the code; a version is older than its profile, or
was trained elsewhere. Remedy: the first check makes a profile that is missing, or is of other columns or another season; where nothing is
known of unseen rows, the prediction is compared with that of the training rows and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from evergreen.core.drift_profile import FORWARD, LabelCells, Profile
from evergreen.ports.drift_reports import DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec, Predictor
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.drift_rows import feature_rows
from evergreen.services.drift_windows import rows_between
from evergreen.services.training import Candidate

if TYPE_CHECKING:
    import pandas as pd

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reference:
    profile: Profile
    rows_read: int
    """To make it; 0 where it was there."""


class DriftReference:
    def __init__(self, store: DriftStore, lake: Lake) -> None:
        self._store = store
        self._lake = lake

    def of(self, spec: ModelSpec, version: VersionRow, loaded: LoadedVersion | None, now: datetime) -> Reference:
        with self._store.transaction() as tx:
            kept = tx.reference_profiles.get(version.model, version.version)
        if kept is not None and _fits(kept, spec) and (loaded is None or kept.prediction is not None):
            return Reference(kept, 0)
        return self._made(spec, version, loaded, now)

    def _made(self, spec: ModelSpec, version: VersionRow, loaded: LoadedVersion | None, now: datetime) -> Reference:
        rows = feature_rows(self._lake, spec, version.trained_from, version.trained_to)
        profile = _profile(spec, rows, *(({}, None) if loaded is None else (loaded.card, loaded.predictor)))
        with self._store.transaction() as tx:
            tx.reference_profiles.keep(version.model, version.version, profile, now)
        log.info("reference_profile_made", version=version.name, rows=len(rows), columns=len(profile.columns))
        return Reference(profile, len(rows))


def candidate_profile(spec: ModelSpec, table: pd.DataFrame, candidate: Candidate) -> Profile:
    """Of a version just trained. `table`: the feature table its rows are of."""
    days, fitted = candidate.window, candidate.fitted
    rows = rows_between(table, spec.time_column, days.train_first, days.train_last)
    return _profile(spec, rows, fitted.card, spec.predictor(fitted.estimators, fitted.card))


def _profile(spec: ModelSpec, rows: pd.DataFrame, card: Mapping[str, Any], predictor: Predictor | None) -> Profile:
    from evergreen.services.drift_profiles import reference_profile

    unseen = None if predictor is None else _unseen(spec, card)
    said = None if predictor is None or unseen is not None or rows.empty else predictor.predict(rows)
    profile = reference_profile(rows, spec.drift_features, spec.categorical_features, spec.season, said)
    return profile if unseen is None else replace(profile, prediction=unseen.prediction, forward=True)


def _unseen(spec: ModelSpec, card: Mapping[str, Any]) -> Profile | None:
    """None: not known, or told apart by another season."""
    if FORWARD not in card:
        return None
    found = Profile.from_json(card[FORWARD])
    return found if found.season == _season(spec) else None


def _fits(profile: Profile, spec: ModelSpec) -> bool:
    labelled = {name for name, column in profile.columns.items() if isinstance(column.cells, LabelCells)}
    watched = set(spec.drift_features)
    return set(profile.columns) == watched and labelled == watched & set(spec.categorical_features) and profile.season == _season(spec)


def _season(spec: ModelSpec) -> str:
    return str(spec.season or "")
