"""Counting: parts against the whole, cells against the rows themselves, strata, and the cost."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from evergreen.core.drift import js_distance
from evergreen.core.drift_profile import MOST_LABELS, LabelCells, NumberCells
from evergreen.environment import CHECKOUT
from evergreen.ports.model import Season
from evergreen.services.drift_profiles import counted, reference_profile
from evergreen.services.drift_statistics import compare_profiles, compare_tables

WEEKDAY = Season("weekday", "day")


def table(size: int, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(size) < 0.05, np.nan, rng.normal(shift, 1.0, size)),
            "whole": rng.poisson(30, size).astype("float64"),
            "few": rng.integers(0, 5, size).astype("float64"),
            "c": rng.choice(["a", "b", "c", "d"], size, p=[0.6, 0.3, 0.09, 0.01]),
            "day": pd.Timestamp("2025-01-06") + pd.to_timedelta(np.arange(size) % 56, unit="D"),
        }
    )


NAMES = ["x", "whole", "few", "c"]


@pytest.mark.parametrize("season", [None, WEEKDAY], ids=["one-stratum", "weekdays"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cut=st.integers(0, 400))
def test_profiles_of_parts_add_up_to_that_of_the_whole(season: Season | None, cut: int):
    like = reference_profile(table(500), NAMES, ["c"], season)
    rows = table(400, seed=1, shift=0.5)
    parts = counted(rows.iloc[:cut], like, season).merge(counted(rows.iloc[cut:], like, season))
    assert parts == counted(rows, like, season)
    assert parts.n == 400


def test_the_reference_counted_again_is_the_reference():
    rows = table(3000)
    profile = reference_profile(rows, NAMES, ["c"], WEEKDAY)
    assert counted(rows, profile, WEEKDAY) == profile
    assert counted(rows.sample(frac=1.0, random_state=1), profile, WEEKDAY) == profile


def test_on_many_rows_and_two_threads_it_is_the_same(monkeypatch: pytest.MonkeyPatch):
    rows = table(5000)
    alone = reference_profile(rows, NAMES, ["c"])
    monkeypatch.setattr("evergreen.services.drift_profiles._CHUNK", 700)
    monkeypatch.setattr("evergreen.services.drift_profiles._WORTH_THREADS", 1000)
    assert reference_profile(rows, NAMES, ["c"]) == alone


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4])
def test_counts_say_what_the_rows_say(shift: float):
    """The distance over deciles, the two-sample test within the width of a percentile, Cliff's sign and the medians."""
    old, new = np.random.default_rng(1).normal(size=4000), np.random.default_rng(2).normal(shift, 1, 300)
    summary = compare_tables(pd.DataFrame({"x": old}), pd.DataFrame({"x": new}), ["x"])
    [result] = summary.results
    deciles = np.quantile(old, np.linspace(0, 1, 11)[1:-1])
    by_rows = [np.bincount(np.searchsorted(deciles, side), minlength=10).tolist() for side in (old, new)]
    if result.kind == "distribution":
        assert result.statistic == pytest.approx(js_distance(*by_rows), abs=1e-9)
        exact = stats.ks_2samp(old, new, method="asymp")
        assert stats.kstwo.isf(min(result.p_value, 1.0), round(4000 * 300 / 4300)) == pytest.approx(exact.statistic, abs=0.0101)
        assert abs(float(result.direction.split()[-3]) - np.median(old)) < 0.05


def test_cells_beyond_what_the_reference_saw_are_its_own():
    cells = reference_profile(pd.DataFrame({"x": np.arange(1000.0)}), ["x"]).columns["x"].cells
    assert isinstance(cells, NumberCells)
    assert (cells.low, cells.uppers[-1], len(cells.uppers)) == (0.0, 999.0, 100)
    like = reference_profile(pd.DataFrame({"x": np.arange(1000.0)}), ["x"])
    counts = counted(pd.DataFrame({"x": [-0.001, 0.0, 999.0, 999.001, np.inf, None]}), like).columns["x"]
    assert (counts.counts[0][0], counts.counts[0][1], counts.counts[0][-2], counts.counts[0][-1], counts.nulls) == (1, 1, 1, 1, (2,))


def test_no_more_labels_than_are_bounded_and_the_rest_together():
    labels = [f"l{number}" for number in range(1500)]
    column = pd.Series(np.repeat(labels, [3] * 1000 + [1] * 500))
    found = reference_profile(pd.DataFrame({"c": column}), ["c"], ["c"]).columns["c"]
    assert isinstance(found.cells, LabelCells)
    assert (len(found.cells.labels), found.counts[0][-1]) == (MOST_LABELS, 500)


def weekly(days: range, seed: int, per_day: int = 80) -> pd.DataFrame:
    """x is 1.5 spreads higher at the weekend."""
    day = pd.Timestamp("2025-01-06") + pd.to_timedelta(np.repeat(list(days), per_day), unit="D")
    rng = np.random.default_rng([seed, days.start])
    return pd.DataFrame({"x": rng.normal(1.5 * (day.dayofweek >= 5), 1.0), "day": day})


@pytest.mark.parametrize("seed", range(20))
def test_a_lone_sunday_is_compared_with_sundays(seed: int):
    reference, sunday = weekly(range(91), seed), weekly(range(97, 98), seed)
    assert compare_tables(reference, sunday, ["x"]).affected
    assert not compare_tables(reference, sunday, ["x"], season=WEEKDAY).affected
    moved = sunday.assign(x=sunday["x"] - 2.0)
    assert compare_tables(reference, moved, ["x"], season=WEEKDAY).affected


def test_a_season_the_reference_does_not_hold_is_a_finding():
    like = reference_profile(weekly(range(5), 1), ["x"], season=WEEKDAY)
    week = counted(weekly(range(7, 14), 1), like, WEEKDAY)
    [result] = compare_profiles(like, week, ["x"]).results
    assert (result.drifted, result.findings) == (False, ("160 rows of a season the reference does not know",))
    unknown = weekly(range(7, 14), 1).assign(day=pd.Series(pd.NaT, index=range(560), dtype="datetime64[us]"))
    assert counted(unknown, like, WEEKDAY).n == 0


@pytest.mark.slow
def test_a_million_rows_of_twenty_columns_against_a_stored_profile():
    """In two seconds and 100 MB beyond the data; the benchmark says the figures."""
    done = subprocess.run([sys.executable, "benchmarks/drift.py", "--check"], cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
