"""Drift of interactions: none in calm weeks, simulated or real, and the day users turn to other movies."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evergreen.core.drift import DriftSummary
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.features import build_features
from evergreen.domains.movies.loaders import load_ratings
from evergreen.domains.movies.simulator import simulate
from evergreen.domains.movies.spec import movie_spec
from evergreen.services.drift_statistics import compare_tables
from evergreen.services.drift_windows import rows_between

FIRST, BREAK = date(2025, 1, 1), date(2025, 3, 10)
DAY = timedelta(days=1)


def check(table: pd.DataFrame, trained_to: date, first: date, days: int) -> DriftSummary:
    spec, reference = movie_spec(), rows_between(table, "day", date(1990, 1, 1), trained_to)
    return compare_tables(reference, rows_between(table, "day", first, first + (days - 1) * DAY), spec.drift_features, spec.categorical_features)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calm_weeks_are_calm_and_the_break_is_found_in_its_first_week(seed: int) -> None:
    rows = simulate(FIRST, BREAK + 6 * DAY, seed=seed, break_on=BREAK)
    table = build_features(movie_dataset().validate(rows, date(2025, 12, 31)).clean)
    calm = [check(table, date(2025, 2, 9), date(2025, 2, 10) + 7 * week * DAY, 7) for week in range(4)]
    assert [one.affected for one in calm] == [()] * 4
    broken = check(table, date(2025, 2, 9), BREAK, 7)
    assert {"in_taste", "days_known"} <= {one.feature for one in broken.affected}
    assert broken.score > max(one.score for one in calm) + 0.2


def test_real_ratings_of_a_handful_of_users_are_hardly_ever_drift(real: Path) -> None:
    """A window holds a few users' evenings, which are no independent rows: what one of them fills (the hour, the movies' years) must not be
    watched. Measured: 2 of 85 windows."""
    table = build_features(movie_dataset().validate(load_ratings(real), date(2018, 12, 31)).clean)
    windows = [(date(2012, 1, 1) + 28 * number * DAY, 28) for number in range(60)] + [(date(2012, 1, 1) + 90 * number * DAY, 90) for number in range(25)]
    affected = {str(window): [one.feature for one in check(table, date(2011, 12, 31), *window).affected] for window in windows}
    assert sum(map(bool, affected.values())) <= 2, affected
