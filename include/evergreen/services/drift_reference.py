"""What a version's new rows are compared with: the profile of those it was trained on, made once and kept with the version.

Guarantee: one profile per version, equal whoever makes it: it is counted from the rows of the training days. Failure: the watched columns
change with the code. Remedy: a profile of other columns or another season is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from evergreen.core.drift_profile import LabelCells, Profile
from evergreen.ports.drift_reports import DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec, Predictor
from evergreen.ports.versions import VersionRow
from evergreen.services.drift_rows import feature_rows

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

    def of(self, spec: ModelSpec, version: VersionRow, predictor: Predictor | None, now: datetime) -> Reference:
        with self._store.transaction() as tx:
            kept = tx.reference_profiles.get(version.model, version.version)
        if kept is not None and _fits(kept, spec) and (predictor is None or kept.prediction is not None):
            return Reference(kept, 0)
        return self._made(spec, version, predictor, now)

    def _made(self, spec: ModelSpec, version: VersionRow, predictor: Predictor | None, now: datetime) -> Reference:
        from evergreen.services.drift_profiles import reference_profile

        rows = feature_rows(self._lake, spec, version.trained_from, version.trained_to)
        said = None if predictor is None or rows.empty else predictor.predict(rows)
        profile = reference_profile(rows, spec.drift_features, spec.categorical_features, spec.season, said)
        with self._store.transaction() as tx:
            tx.reference_profiles.keep(version.model, version.version, profile, now)
        log.info("reference_profile_made", version=version.name, rows=len(rows), columns=len(profile.columns))
        return Reference(profile, len(rows))


def _fits(profile: Profile, spec: ModelSpec) -> bool:
    labelled = {name for name, column in profile.columns.items() if isinstance(column.cells, LabelCells)}
    watched = set(spec.drift_features)
    return set(profile.columns) == watched and labelled == watched & set(spec.categorical_features) and profile.season == str(spec.season or "")
