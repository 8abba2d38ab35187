"""Bounded memory, and generations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.generations import FEATURES, Generations, predictions
from evergreen.core.lru import Lru


def test_the_least_recently_used_goes_first() -> None:
    kept: Lru[str, int] = Lru(2, 100)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [name for name in "abc" if name in kept] == ["a", "c"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=60))
def test_neither_number_nor_size_is_ever_more_than_allowed(puts: list[tuple[int, int]]) -> None:
    kept: Lru[int, int] = Lru(5, 40)
    sizes: dict[int, int] = {}
    for key, size in puts:
        kept.put(key, size, size)
        sizes[key] = size
        held = [one for one in sizes if one in kept]
        assert len(held) == len(kept) <= 5
        assert sum(sizes[one] for one in held) == kept.size <= 40
        assert all(kept.get(one) == sizes[one] for one in held)


def test_what_is_larger_than_everything_is_not_kept_and_its_former_value_goes_too() -> None:
    kept: Lru[str, str] = Lru(5, 10)
    kept.put("a", "old", 3)
    kept.put("a", "new", 11)
    assert kept.get("a") is None
    assert kept.size == 0


def test_generations_change_only_with_their_numbers() -> None:
    found = Generations()
    found.follow({FEATURES: 1})
    found.follow({FEATURES: 1})
    assert (found.of(FEATURES), found.of(predictions("m")), found.changes) == (1, 0, 1)
    found.follow({FEATURES: 1, predictions("m"): 1})
    assert (found.of(predictions("m")), found.changes) == (1, 2)
