"""One number, one meaning: a change of a given size has the same distance at 50 rows and at a million, and no size at which it jumps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evergreen.core.drift import DriftSummary
from evergreen.core.drift_profile import Profile
from evergreen.services.drift_profiles import counted, reference_profile
from evergreen.services.drift_statistics import compare_profiles

Draw = Callable[[np.random.Generator, int, float], NDArray[np.float64]]
MILLION = 1_000_000
SHIFTS = (0.0, 0.2, 0.5, 1.0, 2.0)
CATEGORIES = np.array([0.25, 0.2, 0.15, 0.12, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01])


def _mix(rng: np.random.Generator, size: int, shift: float) -> NDArray[np.float64]:
    """Ten categories; the shift moves weight from the common to the rare."""
    weights = CATEGORIES * np.exp(0.5 * shift * np.arange(10) / 3)
    return rng.choice(10, size, p=weights / weights.sum()).astype(np.float64)


FAMILIES: dict[str, Draw] = {
    "normal": lambda rng, size, shift: rng.normal(shift, 1.0, size),
    "lognormal": lambda rng, size, shift: np.exp(rng.normal(shift, 1.0, size)),
    "whole": lambda rng, size, shift: np.floor(rng.normal(12.0 + 4.0 * shift, 4.0, size)),
    "categories": _mix,
}


@pytest.fixture(scope="module")
def references() -> dict[str, Profile]:
    return {family: reference(family, 50_000) for family in FAMILIES}


def reference(family: str, size: int, seed: int = 0) -> Profile:
    rows = pd.DataFrame({"x": FAMILIES[family](np.random.default_rng(seed), size, 0.0)})
    return reference_profile(rows, ["x"], ["x"] if family == "categories" else [])


def compared(profile: Profile, values: NDArray[np.float64]) -> DriftSummary:
    return compare_profiles(profile, counted(pd.DataFrame({"x": values}), profile), ["x"])


def distance(profile: Profile, values: NDArray[np.float64]) -> float:
    return compared(profile, values).results[0].statistic


def typical(profile: Profile, family: str, size: int, shift: float) -> float:
    seeds = range(101) if size < 200 else range(41) if size < 2_000 else range(9) if size < 100_000 else range(1)
    return float(np.median([distance(profile, FAMILIES[family](np.random.default_rng([seed, size]), size, shift)) for seed in seeds]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shift", SHIFTS)
def test_from_fifty_rows_to_a_million(references: dict[str, Profile], family: str, shift: float):
    profile = references[family]
    whole = typical(profile, family, MILLION, shift)
    for size in (50, 110, 333, 1_000, 1_001, 10_000, 100_000):
        assert typical(profile, family, size, shift) == pytest.approx(whole, abs=0.06), size


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exponent=st.floats(np.log10(50), 6), family=st.sampled_from(sorted(FAMILIES)), shift=st.floats(0, 2))
def test_at_any_size_in_between(references: dict[str, Profile], exponent: float, family: str, shift: float):
    profile = references[family]
    assert typical(profile, family, round(10**exponent), shift) == pytest.approx(typical(profile, family, 200_000, shift), abs=0.06)


@pytest.mark.parametrize("size", [50, 1_000, 100_000])
@pytest.mark.parametrize("family", FAMILIES)
def test_one_row_more_changes_next_to_nothing(references: dict[str, Profile], family: str, size: int):
    for shift in SHIFTS:
        for seed in range(9 if size < 100_000 else 2):
            values = FAMILIES[family](np.random.default_rng([seed, 7]), size + 1, shift)
            before, after = (compared(references[family], values[:end]).results[0] for end in (size, size + 1))
            if before.kind == after.kind and min(before.statistic, after.statistic) > 0.05:
                assert abs(before.statistic - after.statistic) <= (0.02 if size >= 1_000 else 0.1)
            if size >= 1_000:
                assert abs(before.score - after.score) <= 0.02


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_nor_does_one_row_more_of_the_reference(size: int):
    rng = np.random.default_rng(5)
    old, new = rng.normal(size=size + 1), rng.normal(0.7, 1.0, 500)
    before, after = (compared(reference_profile(pd.DataFrame({"x": old[:end]}), ["x"]), new).results[0] for end in (size, size + 1))
    assert after.score == pytest.approx(before.score, abs=0.02)


def alarms(profile: Profile, family: str, size: int, looks: int) -> int:
    """Each look draws the counts of a window of that size; drawing the rows would give the same ones, slower."""
    column = counted(pd.DataFrame({"x": FAMILIES[family](np.random.default_rng(9), 2_000_000, 0.0)}), profile).columns["x"]
    truth = np.array(column.counts[0]) / sum(column.counts[0])
    windows = np.random.default_rng(size).multinomial(size, truth, looks).tolist()
    found = (Profile((size,), {"x": type(column)(column.cells, (tuple(counts),), (0,))}) for counts in windows)
    return sum(bool(compare_profiles(profile, window, ["x"]).affected) for window in found)


@pytest.mark.parametrize(("size", "looks"), [(110, 2_000), (1_000, 200), (10_000, 200), (100_000, 200), (1_000_000, 200)])
@pytest.mark.parametrize("family", ["normal", "whole", "categories"])
def test_looks_at_the_same_distribution_are_calm(references: dict[str, Profile], family: str, size: int, looks: int):
    """What is material at so many rows is far from chance."""
    assert alarms(references[family], family, size, looks) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", ["normal", "whole", "categories"])
def test_with_fifty_rows_one_look_in_five_thousand_may_alarm(references: dict[str, Profile], family: str):
    """As the guide says."""
    assert alarms(references[family], family, 50, 20_000) <= 4
