"""The worker's copy of the seen index says what pybloom-live's filters say, for every window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.adapters.bloom_builder import build_layers
from evergreen.adapters.bloom_copy import BloomCopy, Day, holdable
from evergreen.core import seen_window
from evergreen.core.seen_window import KEPT_DAYS, WINDOW_DAYS, layer, positions

TODAY = date(2025, 7, 25)


@pytest.fixture(autouse=True, scope="module")
def small_layers() -> Iterator[None]:
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(seen_window, "FIRST_CAPACITY", 20)
    layer.cache_clear()
    yield
    monkeypatch.undo()
    layer.cache_clear()


def bitmaps(items: list[str]) -> tuple[bytes, ...]:
    """As adding them one by one online makes them."""
    made: list[bytearray] = [bytearray(layer(0).size_bytes)]
    count = 0
    for item in items:
        if count >= layer(len(made) - 1).capacity:
            made.append(bytearray(layer(len(made)).size_bytes))
            count = 0
        for bit in positions(item, layer(len(made) - 1)):
            made[-1][bit // 8] |= 128 >> bit % 8
        count += 1
    return tuple(bytes(one) for one in made)


def copied(days: dict[date, list[str]], before: BloomCopy | None = None) -> BloomCopy:
    read = {day: Day(f"v{len(items)}", bitmaps(items)) for day, items in days.items()}
    return (before or BloomCopy()).renewed("v", date.min, {day: one.version for day, one in read.items()}, read)


def says(copy: BloomCopy, item: str, window: int = WINDOW_DAYS, today: date = TODAY) -> bool:
    mask = copy.mask(today, window)
    assert mask is not None
    return copy.maybe(item, mask)


items = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), max_size=70, unique=True)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(0, KEPT_DAYS - 1), items, max_size=4), st.integers(1, WINDOW_DAYS), st.lists(st.text(min_size=1, max_size=6), max_size=20))
def test_no_member_is_ever_missed_and_both_ways_agree(by_age: dict[int, list[str]], window: int, strangers: list[str]) -> None:
    strangers = [one.encode("utf-8", "ignore").decode() for one in strangers]
    copy = copied({TODAY - timedelta(days=age): found for age, found in by_age.items()})
    members = [item for age, found in by_age.items() if age < window for item in found]
    assert all(says(copy, item, window) for item in members)
    mask = copy.mask(TODAY, window)
    assert mask is not None
    asked = [*members, *strangers, "a", "b"]
    assert copy.maybe_many(asked, mask) == [copy.maybe(item, mask) for item in asked]


def test_a_day_that_leaves_the_window_is_no_longer_heard_and_its_place_is_taken_anew() -> None:
    days = {TODAY - timedelta(days=age): [f"day{age}"] for age in range(KEPT_DAYS)}
    copy = copied(days)
    assert [says(copy, f"day{age}") for age in range(KEPT_DAYS)] == [True] * 7 + [False]
    tomorrow = TODAY + timedelta(days=1)
    kept = {day: found for day, found in days.items() if day > TODAY - timedelta(days=7)} | {tomorrow: ["new"]}
    read = {tomorrow: Day("v", bitmaps(["new"]))}
    later = copy.renewed("w", date.min, dict.fromkeys(kept, "v"), read)
    assert says(later, "new", today=tomorrow)
    assert not says(later, "day7", today=tomorrow)
    assert [says(later, f"day{age}", today=tomorrow) for age in range(7)] == [True] * 6 + [False]
    assert not says(copy, "new", today=tomorrow)  # the former copy is as it was: who reads it at this moment is not disturbed


def test_a_day_with_more_layers_is_whole() -> None:
    many = [f"item{number}" for number in range(150)]
    copy = copied({TODAY: many, TODAY - timedelta(days=1): ["one"]})
    assert len(copy.layers) == 4
    assert all(says(copy, item) for item in [*many, "one"])
    assert sum(says(copy, f"stranger{number}") for number in range(1_000)) <= 25


def test_a_day_that_was_read_anew_forgets_what_it_no_longer_holds() -> None:
    first = copied({TODAY: ["gone"]})
    assert not says(copied({TODAY: ["kept"]}, first), "gone")


def test_it_can_tell_nothing_without_a_version_or_of_days_before_the_floor() -> None:
    assert BloomCopy().mask(TODAY, 7) is None
    copy = BloomCopy().renewed("v", TODAY - timedelta(days=3), {}, {})
    assert copy.mask(TODAY, 7) is None
    assert copy.mask(TODAY, 4) == 0
    assert not copy.maybe("x", 0)


@pytest.mark.parametrize(
    ("ages", "layers", "fit"),
    [
        pytest.param([0, 7], 1, True, id="eight-days"),
        pytest.param([0, 8], 1, False, id="nine-days-share-a-place"),
        pytest.param([-1], 1, False, id="younger-than-the-newest"),
        pytest.param([0], 40, False, id="more-layers-than-memory"),
    ],
)
def test_only_what_fits_is_copied(ages: list[int], layers: int, fit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evergreen.adapters.bloom_copy.MAX_BYTES", 10_000_000)
    assert holdable({TODAY - timedelta(days=age): layers for age in ages}, TODAY) is fit


def test_what_pybloom_live_built_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_window, "FIRST_CAPACITY", 30_000)  # its hash is another for tiny filters
    layer.cache_clear()
    members = [f"video{number}" for number in range(2_000)]
    read = {TODAY: Day("v", tuple(body for body, _ in build_layers(members)))}
    copy = BloomCopy().renewed("v", date.min, {TODAY: "v"}, read)
    found = [says(copy, item) for item in members], copy.maybe_many([f"stranger{number}" for number in range(5_000)], copy.mask(TODAY, 7) or 0)
    monkeypatch.undo()
    layer.cache_clear()
    assert all(found[0])
    assert sum(found[1]) <= 5


def test_layers_double_so_the_bytes_of_a_copy_are_bounded_by_their_number() -> None:
    assert all(1.9 < other.bits / one.bits < 3.1 for one, other in pairwise(layer(index) for index in range(3)))
