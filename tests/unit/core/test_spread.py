"""Curves drawn from counts: what holds for any counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.spread import GRID, Curve, Histogram, curve, median

histograms = st.builds(
    Histogram,
    width=st.sampled_from([0.0005, 0.1, 1.0]),
    steps=st.just(400),
    counts=st.dictionaries(st.integers(0, 399), st.integers(0, 10**6), max_size=60),
).filter(lambda found: found.n > 0)


def area(found: Curve) -> float:
    return sum((found.pdf[at] + found.pdf[at - 1]) / 2 * (found.x[at] - found.x[at - 1]) for at in range(1, len(found.x)))


@given(histograms, st.booleans())
def test_the_cdf_rises_from_nought_to_one_and_the_density_has_area_one(found: Histogram, cut: bool) -> None:
    drawn = curve(found, cut=cut)
    assert len(drawn.x) == len(drawn.cdf) == len(drawn.pdf) <= GRID + 1
    assert list(drawn.x) == sorted(set(drawn.x))
    assert (drawn.x[0], drawn.cdf[0], drawn.cdf[-1]) == (0.0, 0.0, 1.0)
    assert list(drawn.cdf) == sorted(drawn.cdf)
    assert min(drawn.pdf) >= 0.0
    assert area(drawn) == pytest.approx(1.0)


@given(histograms)
def test_uncut_the_cdf_counts_exactly_what_lies_below_each_x(found: Histogram) -> None:
    drawn = curve(found, cut=False)
    for x, share in zip(drawn.x, drawn.cdf, strict=True):
        below = sum(count for step, count in found.counts.items() if (step + 1) * found.width <= x + 1e-9)
        assert share == pytest.approx(below / found.n)


@given(histograms)
def test_the_median_lies_where_half_of_the_values_are(found: Histogram) -> None:
    middle = median(found)
    assert middle is not None
    below = sum(count for step, count in found.counts.items() if (step + 1) * found.width < middle - 1e-9)
    above = sum(count for step, count in found.counts.items() if step * found.width > middle + 1e-9)
    assert below <= found.n / 2
    assert above <= found.n / 2


def test_few_large_values_do_not_press_the_others_together() -> None:
    found = Histogram(0.0005, 2000, dict.fromkeys(range(100), 100) | {1999: 5})
    assert curve(found, cut=True).x[-1] == pytest.approx(0.05)
    assert curve(found, cut=False).x[-1] == pytest.approx(1.0)


def test_of_nothing_nothing_is_drawn() -> None:
    assert curve(Histogram(0.1, 10, {}), cut=True) == Curve()
    assert median(Histogram(0.1, 10, {})) is None
