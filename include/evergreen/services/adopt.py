"""Action `retrain` with a model that was trained elsewhere: fetched and built as hostile, completed and signed by us, then judged like any other.

Guarantee: as of `Retrain`; and no row its author may have seen judges it: where what is declared as seen reaches into the evaluation window,
the action waits until newer rows suffice, and those alone judge it. Failure: a hostile or unfit model, or rows that never come. Remedy: the
action fails for good with the reason (`action_failed`), the champion serves on. An author who declares too little is found out by the bake
like any version that does worse than promised."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from evergreen.core.errors import ArtifactRefused, EvergreenError, InvalidRequest, NotEnoughData, NotFound
from evergreen.core.release import last_released_day, released_at
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.registry import NewVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.submissions import SubmittedModel, SubmittedModels
from evergreen.services.candidates import Origin, new_version
from evergreen.services.carry_out import give_up
from evergreen.services.model_work import ModelWork
from evergreen.services.retrain import Retrain, Trained
from evergreen.services.training import TrainingWindow, feature_table, fit_candidate, read_silver, rows_between, window_since_change

if TYPE_CHECKING:
    import pandas as pd

TRIED_ROWS = 500
LONGEST_WAIT = timedelta(days=28)
"""From what its author has seen to the rows that judge it: a submission does not wait for ever."""
_AFTER_RELEASE = timedelta(hours=1)
"""Until the new day's batch has been taken in."""
_FOR_GOOD = (ArtifactRefused, InvalidRequest, NotEnoughData, NotFound)


class WaitsForRows(EvergreenError):
    def __init__(self, newer: int, why: str, until: datetime) -> None:
        super().__init__(why)
        self.newer = newer
        self.until = until


class Adopt(Retrain):
    def __init__(self, work: ModelWork, submitted: SubmittedModels) -> None:
        super().__init__(work)
        self._submitted = submitted

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Raises what refuses the model, with the action failed for good, and Unavailable with the action still to be repeated."""
        try:
            return super().run(claimed)
        except WaitsForRows as early:
            with self._work.store.transaction(claimed.lease) as tx:
                tx.actions.put_off(claimed.lease, until=early.until, why=str(early))
            return {"waits": str(early), "newer_rows": early.newer, "until": early.until.isoformat()}
        except _FOR_GOOD as error:
            with self._work.store.transaction(claimed.lease) as tx:
                give_up(tx, claimed.action, claimed.lease, claimed.attempts, str(error), self._work.clock.now())
            raise

    def _train(self, claimed: ClaimedAction, spec: ModelSpec) -> Trained:
        begun, action = time.monotonic(), claimed.action
        uri, seen_to = str(action.params["candidate"]), date.fromisoformat(action.params["trained_to"])
        table = feature_table(spec, read_silver(self._work.lake, spec, action.as_of), action.as_of)
        with self._work.store.transaction(claimed.lease) as tx:
            window = window_since_change(spec, table, tx.change_points.days(spec.name))
        window = _unseen(spec, table, window, seen_to, last_released_day(action.as_of), last_released_day(self._work.clock.now()))
        submitted = self._submitted.fetch(spec, uri)
        rows = rows_between(spec, table, window.train_first, window.train_last)[list(spec.feature_names)].tail(TRIED_ROWS)
        estimator = self._submitted.build(spec, submitted, rows)
        new = _completed(spec, estimator, lambda own: new_version(own, fit_candidate(own, table, window), Origin.of(action), time.monotonic() - begun))
        summary = {**new.summary, "trained_to": str(max(window.train_last, seen_to))}
        tags = {**new.tags, **_tags(action.params, submitted)}
        return Trained(self._work.registry.register(replace(new, spec=spec, tags=tags, summary=summary)))


def _unseen(spec: ModelSpec, table: pd.DataFrame, window: TrainingWindow, seen_to: date, known: date, today: date) -> TrainingWindow:
    """The window with an evaluation of unseen days alone. `known`: the last day that was looked at; `today`: that could be now. Raises WaitsForRows
    while those days hold too few rows, NotEnoughData when they will not come."""
    if seen_to < window.evaluation_first:
        return window
    needed, newer = spec.gates.min_rows, len(rows_between(spec, table, seen_to + timedelta(days=1), window.evaluation_last))
    if newer >= needed:
        return replace(window, evaluation_first=seen_to + timedelta(days=1))
    if known - seen_to > LONGEST_WAIT:
        raise NotEnoughData(f"{newer} rows came in {(known - seen_to).days} days after {seen_to}, {needed} judge it: submit it again when there are more")
    a_day = len(rows_between(spec, table, window.evaluation_first, window.evaluation_last)) / spec.windows.evaluation_days
    until = released_at(today + timedelta(days=max(1, math.ceil((needed - newer) / a_day)))) + _AFTER_RELEASE
    why = f"waits for {needed} rows of days after {seen_to}, which its author may have seen; {newer} are known; looks again on {until:%Y-%m-%d}"
    raise WaitsForRows(newer, why, until)


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
