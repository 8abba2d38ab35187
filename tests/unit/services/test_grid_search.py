"""The search of a retrain: its order, its budget, and that nothing that judges the candidate chooses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.core.errors import NotEnoughData
from evergreen.core.release import released_at
from evergreen.ports.grid_search import Search
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.services.grid_search import grid_order, search
from evergreen.services.training import feature_table, fit_candidate, training_window
from tests.support.tiny import BREAK, tiny_rows, tiny_spec

GRID = {"strength": (0.0, 0.5, 1.0), "shift": (0.0, 1.0)}
AS_OF = released_at(BREAK - timedelta(days=1))


class Fits:
    """Of the tiny model; `strength` draws its slope towards none, `shift` moves what it says."""

    def __init__(self) -> None:
        self.last_days: list[str] = []
        self.asked: list[Mapping[str, float]] = []

    def __call__(self, table: pd.DataFrame, seed: int, params: Mapping[str, float]) -> FittedModel:
        self.last_days.append(str(table["day"].max().date()))
        self.asked.append(params)
        fitted = tiny_spec().fit(table, seed)
        model = fitted.estimators["primary"]
        model.coef_ = model.coef_ * (1.0 - params.get("strength", 0.5))
        model.intercept_ = model.intercept_ + params.get("shift", 1.0)
        return fitted


class Seconds:
    """A clock that goes on so much with each look."""

    def __init__(self, step: float) -> None:
        self._at, self._step = 0.0, step

    def __call__(self) -> float:
        self._at += self._step
        return self._at


def spec_with(fits: Fits, *, trials: int = 20, seconds: float = 1e9) -> ModelSpec:
    return replace(tiny_spec(), search=Search(GRID, trials, seconds, fits))


@pytest.fixture
def table() -> pd.DataFrame:
    return feature_table(tiny_spec(), tiny_rows(59), AS_OF)


@pytest.fixture
def fits() -> Fits:
    return Fits()


def test_the_best_on_the_validation_window_is_fitted_on_the_whole_one(table: pd.DataFrame, fits: Fits) -> None:
    spec = spec_with(fits)
    window = training_window(spec, table)
    found = search(spec, table, window)
    assert [trial.params for trial in found.trials] == list(grid_order(spec.search, 0))  # type: ignore[arg-type]
    [chosen] = [trial for trial in found.trials if trial.chosen]
    assert chosen.params == {"strength": 0.0, "shift": 0.0}
    assert found.params == {"trials": "7", "search.strength": "0.0", "search.shift": "0.0"}
    candidate = fit_candidate(found.spec, table, window)
    assert fits.last_days[-1] == str(window.train_last)
    assert candidate.metrics["mae_y"] == fit_candidate(tiny_spec(), table, window).metrics["mae_y"]


def test_it_validates_before_the_window_that_judges(table: pd.DataFrame, fits: Fits) -> None:
    spec = spec_with(fits)
    window = training_window(spec, table)
    days = table["day"].dt.date
    found = search(spec, table, window)
    assert {*fits.last_days} == {str(window.train_last - timedelta(days=7))}
    later = table.copy()
    later.loc[days >= window.evaluation_first, ["x", "y", "group"]] = np.nan
    again = search(spec, later, window)
    earlier = search(spec, table[days <= window.train_last], window)
    assert [(one.params, one.loss, one.chosen) for one in again.trials] == [(one.params, one.loss, one.chosen) for one in found.trials]
    assert [one.loss for one in earlier.trials] == [one.loss for one in found.trials]


def test_the_models_own_settings_come_first_and_only_the_seed_decides_the_rest() -> None:
    grid = Search(GRID, 7, 1.0, Fits())
    first, *others = grid_order(grid, 0)
    assert first == {}
    assert others == list(grid_order(grid, 0))[1:] != list(grid_order(grid, 1))[1:]
    assert len({tuple(one.items()) for one in others}) == 6


@pytest.mark.parametrize(("trials", "made"), [(1, 1), (3, 3), (50, 7)])
def test_no_more_trials_than_the_budget_has(table: pd.DataFrame, fits: Fits, trials: int, made: int) -> None:
    spec = spec_with(fits, trials=trials)
    assert len(search(spec, table, training_window(spec, table)).trials) == made


@pytest.mark.parametrize(("seconds", "made"), [(0.5, 1), (4.0, 2), (6.0, 3), (1000.0, 7)])
def test_no_trial_begins_that_would_be_over_the_budget_of_time(table: pd.DataFrame, fits: Fits, seconds: float, made: int) -> None:
    """Each takes a second by this clock, and one passes before it."""
    spec = spec_with(fits, seconds=seconds)
    found = search(spec, table, training_window(spec, table), clock=Seconds(1.0))
    assert len(found.trials) == made
    assert sum(trial.chosen for trial in found.trials) == 1


def test_of_equal_ones_the_models_own_settings_win(table: pd.DataFrame) -> None:
    spec = replace(tiny_spec(), search=Search(GRID, 20, 1e9, lambda rows, seed, _: tiny_spec().fit(rows, seed)))
    found = search(spec, table, training_window(spec, table))
    assert [trial.number for trial in found.trials if trial.chosen] == [0]


def test_what_gives_no_number_or_lacks_rows_is_not_chosen(table: pd.DataFrame, fits: Fits) -> None:
    def odd(rows: pd.DataFrame, seed: int, params: Mapping[str, float]) -> FittedModel:
        fitted = fits(rows, seed, params)
        if params.get("strength") == 0.5:
            raise NotEnoughData("too few")
        fitted.estimators["primary"].intercept_ = 0.0 if params.get("strength") == 1.0 else np.nan
        return fitted

    spec = replace(tiny_spec(), search=Search(GRID, 20, 1e9, odd))
    found = search(spec, table, training_window(spec, table))
    assert [trial.params["strength"] for trial in found.trials if trial.chosen] == [1.0]
    assert sum(trial.loss is None for trial in found.trials) == 5


def test_where_nothing_may_be_searched_the_model_is_as_ever(table: pd.DataFrame, fits: Fits) -> None:
    spec, window = tiny_spec(), training_window(tiny_spec(), table)
    assert search(spec, table, window).spec is spec
    short = replace(window, train_first=window.train_last - timedelta(days=6))
    assert search(spec_with(fits), table, short).trials == ()
    few = replace(window, train_first=window.train_last - timedelta(days=8))
    assert search(spec_with(fits), table, few).trials == ()
    assert fits.asked == []
