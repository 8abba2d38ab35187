"""Action `retrain`: point-in-time snapshot, fit, a registered candidate, `model_training_completed`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from evergreen.contracts.actions import Action
from evergreen.contracts.events import ModelTrainingStarted, Window
from evergreen.core.drift_profile import Profile
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelTransaction
from evergreen.ports.registry import RegisteredVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.services.candidates import Origin, completed_payload, new_version, told, version_row
from evergreen.services.carry_out import resulting_event
from evergreen.services.drift_reference import candidate_profile
from evergreen.services.grid_search import search
from evergreen.services.model_work import ModelWork
from evergreen.services.training import TrainingWindow, feature_table, fit_candidate, read_silver, window_since_change


@dataclass(frozen=True)
class Trained:
    registered: RegisteredVersion
    profile: Profile | None = None
    """What drift will be counted against. None: a step that was repeated found the version; the first drift check makes it."""


class Retrain:
    """Guarantee: one action makes one version and one row, with the profile of its training rows. Failure: a crash at any line, or an overlapping
    retry. Remedy: the registry finds the version by the action's id before it makes one; a version that is complete there is not trained again,
    only written down."""

    def __init__(self, work: ModelWork) -> None:
        self._work = work

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        action, spec = claimed.action, self._work.spec_of(claimed.action.model)
        found = self._work.registry.find(spec.name, str(action.id))
        trained = self._train(claimed, spec) if found is None else Trained(found)
        row = version_row(trained.registered, Origin.of(action))
        result = told(row)
        with self._work.store.transaction(claimed.lease) as tx:
            tx.versions.insert(row)
            if trained.profile is not None:
                tx.reference_profiles.keep(row.model, row.version, trained.profile, self._work.clock.now())
            event = resulting_event(
                action, "model_training_completed", completed_payload(row), subject=spec.name, time=self._work.clock.now(), target=str(row.version)
            )
            self._work.carry_out.complete(tx, claimed, [event], result)
        return result

    def _train(self, claimed: ClaimedAction, spec: ModelSpec) -> Trained:
        begun = time.monotonic()
        action = claimed.action
        table = feature_table(spec, read_silver(self._work.lake, spec, action.as_of), action.as_of)
        with self._work.store.transaction(claimed.lease) as tx:
            window = window_since_change(spec, table, self._changes(tx, action))
            tx.outbox.publish(resulting_event(action, "model_training_started", _started(action, spec, window), subject=spec.name, time=self._work.clock.now()))
        searched = search(spec, table, window)
        candidate = fit_candidate(searched.spec, table, window)
        profile = candidate_profile(spec, table, candidate)
        new = new_version(spec, candidate, Origin.of(action), time.monotonic() - begun)
        return Trained(self._work.registry.register(replace(new, params={**new.params, **searched.params}, trials=searched.trials)), profile)

    def _changes(self, tx: ModelTransaction, action: Action) -> Sequence[date]:
        """The known changes, after this action's own was written down: the first drifted window of the serving version that led to a retrain.

        A version that was trained across a known change differs from what came after it for that reason: its drift is no new change."""
        champion = tx.champions.get(action.model)
        serving = None if champion is None else tx.versions.get(action.model, champion.version)
        if serving is not None:
            day = tx.change_points.drifted_since(action.causes, serving.name)
            explained = any(serving.trained_from < known for known in tx.change_points.days(action.model))
            if day is not None and not explained:
                tx.change_points.record(action.model, serving.version, day, action.id, self._work.clock.now())
        return tx.change_points.days(action.model)


def _started(action: Action, spec: ModelSpec, window: TrainingWindow) -> ModelTrainingStarted:
    days = Window(first_day=window.train_first, last_day=window.train_last)
    return ModelTrainingStarted(model_name=spec.name, action_id=str(action.id), reason=action.reason, window=days)
