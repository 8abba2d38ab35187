"""Groups in order of what their mean surely reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.rankings import Group, ranked


def of(*values: float, threshold: float = 90.0) -> Group:
    return Group(len(values), sum(values), sum(value**2 for value in values), sum(value >= threshold for value in values))


def test_few_lucky_ones_do_not_beat_many_good_ones() -> None:
    found = ranked({1: of(99.0, 99.0), 2: of(*[60.0, 100.0] * 50), 3: of(*[0.0, 40.0] * 50)}, highest=100.0)
    assert [one.key for one in found] == [2, 1, 3]
    assert (found[0].n, found[0].mean, found[0].share_above) == (100, 80.0, 0.5)


def test_one_video_alone_says_nothing_surely() -> None:
    [one] = ranked({7: of(50.0)}, highest=100.0)
    assert (one.mean, one.low, one.high) == (50.0, 0.0, 100.0)
    assert ranked({}, highest=100.0) == ranked({1: of()}, highest=100.0) == []


@given(st.dictionaries(st.integers(0, 23), st.lists(st.floats(0, 100), min_size=1, max_size=30), max_size=8))
def test_means_lie_within_their_intervals_and_the_order_is_theirs(values: dict[int, list[float]]) -> None:
    found = ranked({key: of(*group) for key, group in values.items()}, highest=100.0)
    assert {one.key for one in found} == values.keys()
    assert [one.low for one in found] == sorted((one.low for one in found), reverse=True)
    for one in found:
        assert 0 <= one.low <= one.mean + 1e-9
        assert one.mean - 1e-9 <= one.high <= 100
        assert one.mean == pytest.approx(sum(values[one.key]) / one.n)
