"""What a chart shows of two profiles adds up, keeps what lies outside of the reference apart, and refuses what is not comparable."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evergreen.core.drift_profile import Profile
from evergreen.core.drift_shown import MOST_BARS, profile_of, shown
from evergreen.services.drift_profiles import counted, reference_profile

RNG = np.random.default_rng(3)


def table(rows: int, *, moved: float = 0.0, labels: int = 3) -> pd.DataFrame:
    numbers = RNG.normal(moved, 1, rows)
    numbers[: rows // 10] = np.nan
    return pd.DataFrame({"x": numbers, "few": RNG.integers(0, 3, rows), "label": [f"l{at % labels}" for at in range(rows)]})


def sides(before: pd.DataFrame, after: pd.DataFrame) -> tuple[Profile, Profile]:
    reference = reference_profile(before, ["x", "few", "label"], ["label"])
    return reference, counted(after, reference)


def test_shares_add_up_and_values_outside_have_bars_of_their_own() -> None:
    found = shown(*sides(table(2000), table(500, moved=9.0)), "x")
    assert found is not None
    assert found.numeric
    assert sum(bar.reference for bar in found.bars) == pytest.approx(1)
    assert sum(bar.current for bar in found.bars) == pytest.approx(1)
    assert len(found.bars) <= MOST_BARS
    above = found.bars[-1]
    assert (above.high, above.reference) == (None, 0.0)
    assert above.current > 0.9
    assert found.unknown_reference == pytest.approx(0.1)
    values = [step.value for step in found.curve]
    assert values == sorted(values)
    assert [step.reference for step in found.curve] == sorted(step.reference for step in found.curve)
    assert found.curve[-1].reference == pytest.approx(1)


def test_a_few_values_are_a_bar_each() -> None:
    found = shown(*sides(table(900), table(300)), "few")
    assert found is not None
    assert [(bar.low, bar.high) for bar in found.bars] == [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]


def test_rare_labels_and_unknown_ones_are_counted_together() -> None:
    found = shown(*sides(table(3000, labels=40), table(3000, labels=60)), "label")
    assert found is not None
    assert len(found.bars) == MOST_BARS
    assert found.bars[-1].label is None
    assert sum(bar.current for bar in found.bars) == pytest.approx(1)
    assert found.curve == ()


def test_an_empty_window_and_an_empty_reference_are_no_error() -> None:
    nothing = table(100).head(0)
    found = shown(*sides(table(100), nothing), "x")
    assert found is not None
    assert all(bar.current == 0 for bar in found.bars)
    assert shown(*sides(nothing, table(100)), "x") is not None


def test_profiles_with_other_cells_are_not_shown_side_by_side() -> None:
    reference, current = sides(table(100), table(100))
    other, _ = sides(table(200, moved=5.0), table(100))
    assert shown(other, current, "x") is None
    assert shown(reference, current, "nobody") is None
    assert shown(reference, current, "prediction") is None


def test_a_profile_of_another_method_is_none() -> None:
    reference, _ = sides(table(100), table(100))
    assert profile_of(reference.to_json()) == reference
    assert profile_of(reference.to_json() | {"method": "profile/0"}) is None
    assert profile_of(None) is None
