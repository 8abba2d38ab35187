"""The one definition of how much worse something is, and that nobody has another."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.core.relative_drop import relative_drop
from evergreen.services.bootstrap_interval import paired, unpaired

PACKAGE = Path(__file__).parents[3] / "include" / "evergreen"
POSITIVE = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("current", "baseline", "lower", "higher"),
    [
        pytest.param(1.2, 1.0, 0.2, -0.2, id="an-error-of-a-fifth-more"),
        pytest.param(0.8, 1.0, -0.2, 0.2, id="a-score-of-a-fifth-less"),
        pytest.param(0.3, 0.3, 0.0, 0.0, id="the-same"),
        pytest.param(0.0, 0.5, -1.0, 1.0, id="nothing-left"),
    ],
)
def test_worse_is_above_zero_in_either_direction(current: float, baseline: float, lower: float, higher: float) -> None:
    assert relative_drop(current, baseline, "lower") == pytest.approx(lower)
    assert relative_drop(current, baseline, "higher") == pytest.approx(higher)


@pytest.mark.parametrize(("current", "baseline"), [(1.0, 0.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, math.inf)])
def test_where_there_is_no_share_there_is_no_number(current: float, baseline: float) -> None:
    assert math.isnan(relative_drop(current, baseline, "lower"))
    assert math.isnan(relative_drop(current, baseline, "higher"))


@settings(max_examples=10_000, deadline=None)
@given(current=POSITIVE, baseline=POSITIVE, scale=st.floats(1e-3, 1e3))
def test_sign_scale_and_direction(current: float, baseline: float, scale: float) -> None:
    drop = relative_drop(current, baseline, "lower")
    assert (drop > 0) == (current / baseline > 1)
    assert relative_drop(current * scale, baseline * scale, "lower") == pytest.approx(drop, rel=1e-6, abs=1e-9)
    assert relative_drop(current, baseline, "higher") == -drop


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_an_interval_is_around_the_same_number(direction: str) -> None:
    random = np.random.default_rng(7)
    ours, theirs = random.exponential(1.3, 400), random.exponential(1.0, 400)
    for interval in (paired(ours, theirs, direction), unpaired(ours, theirs, direction)):  # type: ignore[arg-type]
        assert interval.point == relative_drop(float(ours.mean()), float(theirs.mean()), direction)  # type: ignore[arg-type]
        assert interval.low < interval.point < interval.high


def test_nobody_works_the_ratio_out_another_way() -> None:
    """Division and minus one, anywhere where losses are compared."""
    ratio = re.compile(r"/ *[a-z_.()\[\]]+ *- *1(\.0)?\b")
    compared = [PACKAGE / "core" / "evaluation.py", PACKAGE / "core" / "performance.py", *(PACKAGE / "services").glob("*.py")]
    found = {path.name for path in compared if ratio.search(path.read_text()) and "drift" not in path.name}
    assert found == set()
