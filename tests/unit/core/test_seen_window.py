"""The arithmetic of the seen window, and that its bits are pybloom-live's."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybloom_live import BloomFilter

from evergreen.core.seen_window import (
    FIRST_CAPACITY,
    KEPT_DAYS,
    UNION_ERROR,
    WINDOW_DAYS,
    estimated_items,
    layer,
    layer_error,
    oldest_kept,
    positions,
    union_error,
    window_of,
)


@pytest.mark.parametrize("index", range(4))
def test_a_layer_has_the_size_pybloom_live_gives_it(index: int):
    of = layer(index)
    built = BloomFilter(of.capacity, of.error)
    assert (built.num_slices, built.bits_per_slice) == (of.slices, of.bits_per_slice)


@settings(max_examples=50)
@given(items=st.lists(st.text(min_size=1, max_size=40), max_size=20), index=st.integers(0, 3))
def test_the_bits_of_items_are_byte_for_byte_those_pybloom_live_sets(items: list[str], index: int):
    items = [item for item in items if item.isprintable()]
    of = layer(index)
    built = BloomFilter(of.capacity, of.error)
    ours = bytearray(of.size_bytes)
    for item in items:
        built.add(item)
        for bit in positions(item, of):
            ours[bit >> 3] |= 0x80 >> (bit & 7)  # as Redis numbers bits
    assert bytes(ours) == built.bitarray.tobytes()


def test_the_error_of_seven_days_of_any_number_of_layers_stays_within_one_percent():
    per_day = union_error(layer(index).error for index in range(20))
    assert union_error([per_day] * WINDOW_DAYS) <= UNION_ERROR
    assert union_error([layer(0).error] * WINDOW_DAYS) > 0.75 * UNION_ERROR


def test_a_full_layer_errs_as_planned_and_counts_its_items():
    of = layer(0)
    bits_set = int(of.bits * (1 - (1 - 1 / of.bits_per_slice) ** FIRST_CAPACITY))
    assert layer_error(bits_set, of) == pytest.approx(of.error, rel=0.05)
    assert estimated_items(bits_set, of) == pytest.approx(FIRST_CAPACITY, rel=0.01)


def test_an_empty_and_a_saturated_layer():
    of = layer(0)
    assert (layer_error(0, of), estimated_items(0, of)) == (0.0, 0.0)
    assert (layer_error(of.bits, of), estimated_items(of.bits, of)) == (1.0, float("inf"))


def test_the_window_is_today_and_the_six_days_before_and_one_more_day_is_kept():
    today = date(2025, 3, 2)
    assert window_of(today) == [date(2025, 3, 2), date(2025, 3, 1), *(date(2025, 2, day) for day in (28, 27, 26, 25, 24))]
    assert oldest_kept(today) == date(2025, 2, 23)
    assert KEPT_DAYS == WINDOW_DAYS + 1


@given(errors=st.lists(st.floats(0, 1), max_size=10))
def test_a_union_errs_at_least_as_often_as_its_worst_part_and_at_most_as_often_as_all_together(errors: list[float]):
    together = union_error(errors)
    assert max(errors, default=0.0) - 1e-9 <= together <= min(sum(errors), 1.0) + 1e-9
