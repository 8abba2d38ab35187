"""A version trained outside a retrain action (elsewhere, or by a drill) enters the gates like any candidate."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from evergreen.contracts.envelope import Event, derived_id
from evergreen.core.clock import Clock
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import ModelRegistry
from evergreen.services.candidates import Origin, completed_payload, new_version, version_row
from evergreen.services.training import Fit, feature_table, fit_candidate, read_silver, training_window


class Submit:
    def __init__(self, store: ModelStore, clock: Clock, registry: ModelRegistry, lake: Lake, spec_of: Callable[[str], ModelSpec]) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._lake = lake
        self._spec_of = spec_of

    def run(self, model: str, *, key: str, who: str, fit: Fit | None = None) -> str:
        """Fit on the window a retrain would use now (with `fit` in place of the spec's), register, announce; returns the version's name.

        The same key gives the same version. The announcement is `model_training_completed` with reason `submitted`: the policy has it evaluated."""
        begun, spec = time.monotonic(), self._spec_of(model)
        origin = Origin(UUID(derived_id("submitted", model, key)), "submitted", self._clock.now(), causes=f"submitted by {who}")
        registered = self._registry.find(model, str(origin.action_id))
        if registered is None:
            table = feature_table(spec, read_silver(self._lake, spec, origin.as_of), origin.as_of)
            with self._store.transaction() as tx:
                change_point = tx.change_points.last(model)
            candidate = fit_candidate(spec, table, training_window(spec, table, change_point), fit=fit)
            registered = self._registry.register(new_version(spec, candidate, origin, time.monotonic() - begun))
        row = version_row(registered, origin)
        with self._store.transaction() as tx:
            tx.versions.insert(row)
            tx.outbox.publish(
                Event(
                    id=derived_id(origin.action_id, "model_training_completed", row.version),
                    source=f"/submit/{who}",
                    type="model_training_completed",
                    subject=model,
                    time=self._clock.now(),
                    data=completed_payload(row).model_dump(mode="json"),
                )
            )
        return row.name
