"""The prediction's reference: what was said of rows a model had not seen, so that how well it knows its training rows is no drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from evergreen.core.drift import DriftResult
from evergreen.core.drift_profile import FORWARD, Profile
from evergreen.domains.tabular.declared import Column, Declared, Number
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.streams import FIRST_DAY, ONSET, Kind, stream
from evergreen.ports.model import FittedModel, ModelSpec, Season
from evergreen.services.drift_profiles import counted
from evergreen.services.drift_reference import candidate_profile
from evergreen.services.drift_statistics import compare_profiles
from evergreen.services.drift_windows import rows_between
from evergreen.services.training import Candidate, TrainingWindow, fit_candidate

INPUTS = tuple(f"x{number}" for number in range(1, 9))
DECLARED = Declared(
    name="stream",
    kind="regression",
    time=Column("at", "at"),
    time_format=None,
    target=Column("y", "y"),
    classes=(),
    entity=Column("entity", "entity"),
    hashed=False,
    numbers=tuple(Number(name, name) for name in INPUTS),
    categories=(),
)
WEEK = timedelta(days=7)
CHANGED = FIRST_DAY + timedelta(days=ONSET)
WINDOW = TrainingWindow(FIRST_DAY, CHANGED - timedelta(days=1), CHANGED, CHANGED + WEEK - timedelta(days=1), None)
BLOCKS = 5


class Forest:
    """Knows its training rows by heart."""

    def __init__(self, model: RandomForestRegressor) -> None:
        self._model = model

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        return np.asarray(self._model.predict(features[list(INPUTS)]))


def forest(rows: pd.DataFrame) -> RandomForestRegressor:
    return RandomForestRegressor(20, random_state=0).fit(rows[list(INPUTS)], rows["y"])


def _fit(table: pd.DataFrame, seed: int) -> FittedModel:
    blocks = np.array_split(np.arange(len(table)), BLOCKS)
    parts = [pd.Series(forest(table.iloc[: block[0]]).predict(table.iloc[block][list(INPUTS)]), index=table.index[block]) for block in blocks[2:]]
    return FittedModel({"primary": forest(table)}, {"seed": seed}, forward=pd.concat(parts))


def _predictor(estimators: Mapping[str, Any], card: Mapping[str, Any]) -> Any:
    return Forest(estimators["primary"])


PLAIN = replace(tabular_spec(DECLARED), build_features=lambda silver: silver)
OVERFIT = replace(PLAIN, fit=_fit, predictor=_predictor)


def material(seed: int) -> tuple[pd.DataFrame, Candidate]:
    """Outcomes that are mostly luck: a forest remembers each, and has little to say of a new row."""
    rows, _ = stream(Kind.STATIONARY, seed=seed, per_day=45)
    rows["y"] += 3 * rows["y"].std() * np.random.default_rng(seed).standard_normal(len(rows))
    return rows, fit_candidate(OVERFIT, rows, WINDOW)


def of_the_prediction(spec: ModelSpec, rows: pd.DataFrame, candidate: Candidate, reference: Profile, week: int) -> DriftResult:
    predictor = spec.predictor(candidate.fitted.estimators, candidate.fitted.card)
    first = CHANGED + week * WEEK
    window = rows_between(rows, "day", first, first + WEEK - timedelta(days=1))
    summary = compare_profiles(reference, counted(window, reference, spec.season, predictor.predict(window)), INPUTS)
    assert summary.prediction is not None
    return summary.prediction


def without_forward(candidate: Candidate) -> Candidate:
    card = {key: value for key, value in candidate.fitted.card.items() if key != FORWARD}
    return replace(candidate, fitted=replace(candidate.fitted, card=card))


@pytest.mark.parametrize("seed", range(5))
def test_that_training_rows_are_known_by_heart_is_no_drift(seed: int):
    rows, candidate = material(seed)
    unseen, seen = (candidate_profile(OVERFIT, rows, one) for one in (candidate, without_forward(candidate)))
    assert (unseen.forward, seen.forward) == (True, False)
    assert not [week for week in range(12) if of_the_prediction(OVERFIT, rows, candidate, unseen, week).drifted]
    against_seen = [of_the_prediction(OVERFIT, rows, candidate, seen, week) for week in range(12)]
    assert sum(one.drifted for one in against_seen) >= 9, [one.statistic for one in against_seen]


@pytest.mark.parametrize("seed", range(5))
def test_predictions_that_move_are_found_by_the_boosted_trees(seed: int):
    spec = replace(PLAIN, season=Season("weekday", "day"))
    rows, _ = stream(Kind.RAMP, seed=seed)
    candidate = fit_candidate(spec, rows, WINDOW)
    reference = candidate_profile(spec, rows, candidate)
    assert reference.forward
    assert not of_the_prediction(spec, rows, candidate, reference, 0).drifted
    assert of_the_prediction(spec, rows, candidate, reference, 11).drifted


def test_what_is_saved_counts_the_rows_predicted_by_day_of_the_week():
    spec = replace(PLAIN, season=Season("weekday", "day"))
    rows, _ = stream(Kind.STATIONARY)
    fitted = fit_candidate(spec, rows, WINDOW).fitted
    assert fitted.forward is not None
    said = Profile.from_json(fitted.card[FORWARD])
    assert (said.forward, said.season, said.columns) == (True, "weekday of day", {})
    assert said.prediction is not None
    assert said.prediction.rows == tuple(rows.loc[fitted.forward.index, "day"].dt.dayofweek.value_counts().sort_index())
    assert 0.55 < sum(said.prediction.rows) / (ONSET * 15) < 0.65


def test_of_another_season_the_training_rows_are_asked_instead():
    rows, _ = stream(Kind.STATIONARY)
    candidate = fit_candidate(PLAIN, rows, WINDOW)
    found = candidate_profile(replace(PLAIN, season=Season("weekday", "day")), rows, candidate)
    assert not found.forward
    assert found.prediction is not None
    assert found.prediction.rows == found.rows
