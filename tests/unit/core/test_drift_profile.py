"""Profiles: parts add up to the whole, a round trip through JSON loses nothing, strata are weighed by the other table's mix."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.drift_profile import ColumnProfile, LabelCells, NumberCells, Profile, mixed

NUMBERS, LABELS = NumberCells(0.0, (1.0, 2.0), (0, 0, 1, 1)), LabelCells(("a", "b"))


def profiles(strata: int) -> st.SearchStrategy[Profile]:
    def column(cells: NumberCells | LabelCells) -> st.SearchStrategy[ColumnProfile]:
        row = st.tuples(*(st.integers(0, 50) for _ in range(cells.size)))
        return st.builds(ColumnProfile, st.just(cells), st.tuples(*(row for _ in range(strata))), st.tuples(*(st.integers(0, 9) for _ in range(strata))))

    columns = st.fixed_dictionaries({"x": column(NUMBERS), "c": column(LABELS)})
    return st.builds(
        Profile, st.tuples(*(st.integers(0, 500) for _ in range(strata))), columns, st.none() | column(NUMBERS), st.just("weekday of day"), st.booleans()
    )


@given(profile=profiles(7))
def test_json_and_back_is_the_same(profile: Profile):
    assert Profile.from_json(json.loads(json.dumps(profile.to_json(), allow_nan=False))) == profile


@given(profile=profiles(3), other=profiles(3))
def test_merging_adds_whichever_comes_first(profile: Profile, other: Profile):
    other = replace(other, prediction=profile.prediction, forward=profile.forward)
    both = profile.merge(other)
    assert both == other.merge(profile)
    assert both.n == profile.n + other.n
    assert both.columns["x"].nulls[1] == profile.columns["x"].nulls[1] + other.columns["x"].nulls[1]


def test_what_was_counted_differently_does_not_add_up():
    one = Profile((1,), {"x": ColumnProfile(NUMBERS, ((1, 0, 0, 0),), (0,))})
    for other in (
        replace(one, columns={"y": one.columns["x"]}),
        replace(one, season="weekday of day"),
        replace(one, prediction=one.columns["x"]),
        replace(one, columns={"x": replace(one.columns["x"], cells=NumberCells(0.5, (1.0, 2.0), (0, 0, 1, 1)))}),
    ):
        with pytest.raises(ValueError, match="do not add up"):
            one.merge(other)


def test_a_profile_made_by_another_method_is_refused():
    with pytest.raises(ValueError, match="profile/0"):
        Profile.from_json({"method": "profile/0"})


def test_one_stratum_is_taken_as_it_is():
    found = mixed(ColumnProfile(LABELS, ((3, 4, 1),), (2,)), [500])
    assert found.counts == pytest.approx((3, 4, 1))
    assert found.nulls == pytest.approx(2)
    assert found.n == pytest.approx(10)


def test_strata_are_weighed_by_the_mix_that_is_asked_for():
    """Sundays are all b: of nine Sundays in ten, 90 %. The fewer rows the weight rests on, the less certain."""
    column = ColumnProfile(LABELS, ((60, 0, 0), (0, 10, 0)), (0, 0))
    found = mixed(column, [1, 9])
    assert found.counts[1] / found.known == pytest.approx(0.9)
    assert found.n == pytest.approx(1 / (0.1**2 / 60 + 0.9**2 / 10))
    assert mixed(column, [0, 9]).counts == pytest.approx((0, 10, 0))
    assert mixed(column, [6, 1]).n == pytest.approx(70)


def test_a_season_nobody_has_rows_of_says_nothing():
    column = ColumnProfile(LABELS, ((60, 0, 0), (0, 0, 0)), (0, 0))
    assert mixed(column, [0, 5]).n == 0
    assert mixed(column, [5, 5]).counts == pytest.approx((60, 0, 0))
