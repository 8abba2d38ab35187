"""Action `retrain` with a model that was trained elsewhere: fetched and built as hostile, completed and signed by us, then judged like any other.

Guarantee: as of `Retrain`; and no row its author may have seen judges it: what is declared as seen must end before the evaluation window.
Failure: a hostile or unfit model. Remedy: the action fails for good with the reason (`action_failed`), the champion serves on. An author who
declares too little is found out by the bake like any version that does worse than promised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from evergreen.core.clock import Clock
from evergreen.core.errors import ArtifactRefused, EvergreenError, InvalidRequest, NotEnoughData, NotFound
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import ModelRegistry, NewVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.submissions import SubmittedModel, SubmittedModels
from evergreen.services.candidates import Origin, new_version
from evergreen.services.carry_out import CarryOut, give_up
from evergreen.services.retrain import Retrain, Trained
from evergreen.services.training import Silver, feature_table, fit_candidate, read_silver, rows_between, window_since_change

if TYPE_CHECKING:
    import pandas as pd

TRIED_ROWS = 500
_FOR_GOOD = (ArtifactRefused, InvalidRequest, NotEnoughData, NotFound)


class Adopt(Retrain):
    def __init__(
        self,
        store: ModelStore,
        clock: Clock,
        carry_out: CarryOut,
        registry: ModelRegistry,
        lake: Silver,
        spec_of: Callable[[str], ModelSpec],
        submitted: SubmittedModels,
    ) -> None:
        super().__init__(store, clock, carry_out, registry, lake, spec_of)
        self._submitted = submitted

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Raises what refuses the model, with the action failed for good, and Unavailable with the action still to be repeated."""
        try:
            return super().run(claimed)
        except _FOR_GOOD as error:
            with self._store.transaction(claimed.lease) as tx:
                give_up(tx, claimed.action, claimed.lease, claimed.attempts, str(error), self._clock.now())
            raise

    def _train(self, claimed: ClaimedAction, spec: ModelSpec) -> Trained:
        begun, action = time.monotonic(), claimed.action
        uri, seen_to = str(action.params["candidate"]), date.fromisoformat(action.params["trained_to"])
        table = feature_table(spec, read_silver(self._lake, spec, action.as_of), action.as_of)
        with self._store.transaction(claimed.lease) as tx:
            window = window_since_change(spec, table, tx.change_points.days(spec.name))
        if seen_to >= window.evaluation_first:
            raise NotEnoughData(
                f"trained up to {seen_to}, but {window.evaluation_first}…{window.evaluation_last} judge it: "
                f"submit it again when {spec.windows.evaluation_days} days after {seen_to} are known"
            )
        submitted = self._submitted.fetch(spec, uri)
        rows = rows_between(spec, table, window.train_first, window.train_last)[list(spec.feature_names)].tail(TRIED_ROWS)
        estimator = self._submitted.build(spec, submitted, rows)
        new = _completed(spec, estimator, lambda own: new_version(own, fit_candidate(own, table, window), Origin.of(action), time.monotonic() - begun))
        return Trained(self._registry.register(replace(new, spec=spec, tags={**new.tags, **_tags(action.params, submitted)})))


def _completed(spec: ModelSpec, estimator: Any, candidate_of: Callable[[ModelSpec], NewVersion]) -> NewVersion:
    """Whatever an estimator makes our own code raise, it is refused."""
    adopt = spec.adopt
    if adopt is None:
        raise InvalidRequest(f"{spec.name} takes no model trained elsewhere")

    def fit(train: pd.DataFrame, seed: int) -> FittedModel:
        return adopt(estimator, train, seed)

    try:
        new = candidate_of(replace(spec, fit=fit))
        _answers_gaps(spec, new)
    except EvergreenError:
        raise
    except Exception as error:  # as above
        raise ArtifactRefused(f"the model cannot be used: {type(error).__name__}: {error}"[:400]) from error
    return new


def _answers_gaps(spec: ModelSpec, new: NewVersion) -> None:
    import numpy as np

    unknown = new.example[list(spec.feature_names)].astype("float64").head(1) * np.nan
    if not np.isfinite(spec.predictor(new.fitted.estimators, new.fitted.card).predict(unknown)).all():
        raise ArtifactRefused("the model has no finite answer where nothing is known of a row")


def _tags(params: Mapping[str, Any], submitted: SubmittedModel) -> dict[str, str]:
    return {
        "evergreen.submitted_uri": str(params["candidate"]),
        "evergreen.submitted_sha256": submitted.sha256,
        "evergreen.submitted_trained_to": str(params["trained_to"]),
        "evergreen.submitted_by": str(params.get("requested_by", "")),
    }
