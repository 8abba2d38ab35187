"""How many workers: what was asked for, within the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.scaling import STEP_DOWN, STEP_UP, Bounds, Target, target

BOUNDS = Bounds(2, 6)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(2 + STEP_UP, Target(4, None), id="two-more"),
        pytest.param(4 + STEP_UP, Target(6, "maximum"), id="two-more-reach-the-maximum"),
        pytest.param(5 + STEP_UP, Target(6, "maximum"), id="one-of-two-fits"),
        pytest.param(6 + STEP_UP, Target(6, "maximum"), id="none-fits"),
        pytest.param(4 + STEP_DOWN, Target(3, None), id="one-less"),
        pytest.param(3 + STEP_DOWN, Target(2, "minimum"), id="one-less-reaches-the-minimum"),
        pytest.param(2 + STEP_DOWN, Target(2, "minimum"), id="never-below"),
    ],
)
def test_targets(asked: int, found: Target) -> None:
    assert target(asked, BOUNDS) == found


def test_a_service_of_a_fixed_size_stands_at_the_bound_it_was_pushed_to() -> None:
    assert target(2 + STEP_UP, Bounds(2, 2)) == Target(2, "maximum")
    assert target(2 + STEP_DOWN, Bounds(2, 2)) == Target(2, "minimum")


@given(asked=st.integers(-50, 50), minimum=st.integers(1, 10), more=st.integers(0, 10))
def test_a_target_is_within_the_bounds_and_as_near_as_can_be(asked: int, minimum: int, more: int) -> None:
    bounds = Bounds(minimum, minimum + more)
    found = target(asked, bounds)
    assert found.number in bounds
    assert found.number == asked or found.bound is not None
    assert target(found.number, bounds).number == found.number
