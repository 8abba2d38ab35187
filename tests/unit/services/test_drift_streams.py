"""Streams whose truth is known, week by week: silent where nothing happens, the right feature and window where something does."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import pandas as pd
import pytest

from evergreen.core.drift import DriftSummary
from evergreen.core.drift_profile import Profile
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.domains.tabular.streams import FIRST_DAY, ONSET, RAMP_DAYS, Kind, Truth, stream
from evergreen.ports.model import Season
from evergreen.services.drift_profiles import counted, reference_profile
from evergreen.services.drift_statistics import compare_profiles
from evergreen.services.drift_windows import rows_between

INPUTS = (*(f"x{number}" for number in range(1, 9)), "c1", "c2")
LABELS = ("c1", "c2")
WEIGHTS = {"x1": 0.3, "x2": 0.25, "x3": 0.2, "x4": 0.1, "c1": 0.12, **dict.fromkeys(("x5", "x6", "x7", "x8", "c2"), 0.005)}
SEEDS = range(20)
CALM_SEEDS = [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20, 50))]
WEEK = timedelta(days=7)
BY_WEEKDAY = """
name = "stream"
kind = "regression"
season = "weekday"
[time]
column = "at"
name = "seen_at"
[target]
column = "y"
[entity]
column = "entity"
[numbers.x1]
"""
SEASONS = {Kind.SEASONAL_WEEKDAY: Season("weekday", "day"), Kind.SEASONAL_HOUR: Season("hour", "at")}


def reference_of(rows: pd.DataFrame, season: Season | None) -> Profile:
    return reference_profile(rows_between(rows, "day", FIRST_DAY, FIRST_DAY + timedelta(days=ONSET - 1)), INPUTS, LABELS, season)


@lru_cache(maxsize=64)
def weeks(kind: Kind, seed: int) -> tuple[dict[date, DriftSummary], Truth]:
    rows, truth = stream(kind, seed=seed)
    season = SEASONS.get(kind)
    reference = reference_of(rows, season)
    found = {}
    for number in range(13):
        first = FIRST_DAY + timedelta(days=ONSET) + number * WEEK
        window = rows_between(rows, "day", first, first + WEEK - timedelta(days=1))
        found[first] = compare_profiles(reference, counted(window, reference, season), INPUTS, WEIGHTS)
    return found, truth


def affected(kind: Kind, seed: int) -> dict[date, set[str]]:
    return {first: {one.feature for one in summary.affected} for first, summary in weeks(kind, seed)[0].items() if summary.affected}


@pytest.mark.parametrize("seed", CALM_SEEDS)
@pytest.mark.parametrize("kind", [Kind.STATIONARY, Kind.SEASONAL_WEEKDAY, Kind.SEASONAL_HOUR, Kind.ABRUPT_CONCEPT, Kind.GRADUAL_CONCEPT])
def test_no_false_alarm_and_none_when_only_the_outcome_changes(kind: Kind, seed: int):
    """A concept change leaves the inputs alone: it is the error monitor's to find."""
    assert affected(kind, seed) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flip_of_the_mix_is_found_in_its_first_window_and_nothing_else(seed: int):
    found = affected(Kind.MIX_FLIP, seed)
    assert found == {key: {"c1"} for key in weeks(Kind.MIX_FLIP, seed)[0]}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ramp_is_found_by_the_time_it_has_moved_one_spread(seed: int):
    found = affected(Kind.RAMP, seed)
    assert set().union(*found.values()) == {"x2"}
    half = weeks(Kind.RAMP, seed)[1].first_day + timedelta(days=RAMP_DAYS // 2)
    assert set(found) >= {first for first in weeks(Kind.RAMP, seed)[0] if first >= half}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_null_burst_is_lost_values_in_its_week_and_never_drift(seed: int):
    found, truth = weeks(Kind.NULL_BURST, seed)
    assert affected(Kind.NULL_BURST, seed) == {}
    lost = {first: [one.feature for one in summary.lost] for first, summary in found.items() if summary.lost}
    assert lost == {truth.first_day: ["x3"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_of_what_has_no_effect_is_in_the_report_and_affects_nothing(seed: int):
    found, _ = weeks(Kind.IRRELEVANT_SHIFT, seed)
    assert affected(Kind.IRRELEVANT_SHIFT, seed) == {}
    assert all({one.feature for one in summary.drifted} == {"x7"} and summary.severity is None for summary in found.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_inputs_that_move_to_where_the_model_is_better_are_drift_like_any(seed: int):
    """Whether the model suffers is the performance check's question; drift alone never rolls back (tests/unit/core/test_policy.py)."""
    assert affected(Kind.EASIER, seed) == {key: {"x2"} for key in weeks(Kind.EASIER, seed)[0]}


@pytest.mark.parametrize("seed", CALM_SEEDS)
def test_a_lone_sunday_is_drift_when_it_is_like_a_monday_and_only_then(seed: int):
    """Fifty rows a Sunday, thirteen Sundays, of a model whose spec names the season. Without one each is drift."""
    season = tabular_spec(parse_spec(BY_WEEKDAY, folder="stream")).season
    rows, _ = stream(Kind.SEASONAL_WEEKDAY, seed=seed, size=2.0, per_day=50)
    flat, by_day = reference_of(rows, None), reference_of(rows, season)
    for number in range(13):
        day = FIRST_DAY + timedelta(days=ONSET + 6) + number * WEEK
        sunday = rows_between(rows, "day", day, day)
        like_monday = sunday.assign(x1=sunday["x1"] - 2.0)
        assert compare_profiles(by_day, counted(sunday, by_day, season), INPUTS, WEIGHTS).affected == ()
        assert [one.feature for one in compare_profiles(by_day, counted(like_monday, by_day, season), INPUTS, WEIGHTS).affected] == ["x1"]
        assert "x1" in {one.feature for one in compare_profiles(flat, counted(sunday, flat), INPUTS, WEIGHTS).affected}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_week_without_its_sunday_is_no_other_week(seed: int):
    """As an incident leaves it: the mix of days has changed, no day has."""
    season = SEASONS[Kind.SEASONAL_WEEKDAY]
    rows, _ = stream(Kind.SEASONAL_WEEKDAY, seed=seed, size=4.0)
    by_day = reference_of(rows, season)
    first = FIRST_DAY + timedelta(days=ONSET)
    weekdays = rows_between(rows, "day", first, first + timedelta(days=4))
    assert compare_profiles(by_day, counted(weekdays, by_day, season), INPUTS, WEIGHTS).affected == ()
