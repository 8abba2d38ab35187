"""A version that no retrain made enters the gates: written down like any other, then announced as trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from evergreen.contracts.envelope import Event, derived_id
from evergreen.core.clock import Clock
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.versions import VersionRow
from evergreen.services.candidates import Origin, completed_payload, new_version, version_row
from evergreen.services.training import Candidate, TrainingWindow, feature_table, read_silver, window_since_change

if TYPE_CHECKING:
    import pandas as pd

    Fit = Callable[[ModelSpec, pd.DataFrame, TrainingWindow], Candidate]


class Submit:
    """Guarantee: the same key submits one version. Failure: a crash at any line. Remedy: submit again with the same key."""

    def __init__(self, store: ModelStore, clock: Clock, registry: ModelRegistry, lake: Lake) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._lake = lake

    def run(self, spec: ModelSpec, key: str, fit: Fit) -> VersionRow:
        """`fit` makes the candidate from the feature table as of now and the window a retrain would use."""
        now = self._clock.now()
        origin = Origin(UUID(derived_id("submitted", spec.name, key)), "submitted", now)
        registered = self._registry.find(spec.name, str(origin.action_id))
        if registered is None:
            table = feature_table(spec, read_silver(self._lake, spec, now), now)
            with self._store.transaction() as tx:
                changes = tx.change_points.days(spec.name)
            candidate = fit(spec, table, window_since_change(spec, table, changes))
            registered = self._registry.register(new_version(spec, candidate, origin, cost_seconds=0.0))
        row = version_row(registered, origin)
        with self._store.transaction() as tx:
            tx.versions.insert(row)
            tx.outbox.publish(_trained(row, origin, self._clock))
        return row


def _trained(row: VersionRow, origin: Origin, clock: Clock) -> Event:
    return Event(
        id=derived_id(origin.action_id, "model_training_completed", row.version),
        source="/app/submit",
        type="model_training_completed",
        subject=row.model,
        time=clock.now(),
        data=completed_payload(row).model_dump(mode="json"),
    )
