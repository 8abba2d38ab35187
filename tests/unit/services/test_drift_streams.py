"""Streams whose truth is known, week by week: silent where nothing happens, the right feature and window where something does."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import pandas as pd
import pytest

from evergreen.core.drift import DriftSummary
from evergreen.core.drift_profile import Profile
from evergreen.domains.tabular.streams import FIRST_DAY, ONSET, RAMP_DAYS, Kind, Truth, stream
from evergreen.ports.model import Season
from evergreen.services.drift_profiles import counted, reference_profile
from evergreen.services.drift_statistics import compare_profiles
from evergreen.services.drift_windows import rows_between

INPUTS = (*(f"x{number}" for number in range(1, 9)), "c1", "c2")
LABELS = ("c1", "c2")
WEIGHTS = {"x1": 0.3, "x2": 0.25, "x3": 0.2, "x4": 0.1, "c1": 0.12, **dict.fromkeys(("x5", "x6", "x7", "x8", "c2"), 0.005)}
SEEDS = range(20)
WEEK = timedelta(days=7)
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


@pytest.mark.parametrize("seed", SEEDS)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_a_weekend_alone_is_compared_with_weekends(seed: int):
    rows, _ = stream(Kind.SEASONAL_WEEKDAY, seed=seed, size=2.0, per_day=30)
    season = SEASONS[Kind.SEASONAL_WEEKDAY]
    saturday = FIRST_DAY + timedelta(days=ONSET + 5)
    weekend = rows_between(rows, "day", saturday, saturday + timedelta(days=1))
    flat, by_day = reference_of(rows, None), reference_of(rows, season)
    assert "x1" in {one.feature for one in compare_profiles(flat, counted(weekend, flat), INPUTS, WEIGHTS).affected}
    assert compare_profiles(by_day, counted(weekend, by_day, season), INPUTS, WEIGHTS).affected == ()
