"""Boosts are bounded whatever is said how often, and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.boosts import FACTORS, HIGHEST, LASTS, factors, name_of

NAMES = st.lists(st.builds(name_of, st.sampled_from([*FACTORS, "other"]), st.sampled_from("abc:d")), max_size=60)


@given(NAMES)
def test_no_item_is_lifted_beyond_the_product_of_the_causes(names: list[str]) -> None:
    found = factors(names)
    assert all(1.0 < factor <= HIGHEST for factor in found.values())
    assert found == factors(names + names)
    assert found == factors(reversed(names))


def test_each_cause_lifts_by_its_factor() -> None:
    assert FACTORS == {"users": 1.2, "items": 1.5}
    assert factors(["users:m1", "items:m2", "users:m2", "items:a:b"]) == {"m1": 1.2, "m2": 1.5 * 1.2, "a:b": 1.5}
    assert all(last.total_seconds() > 0 for last in LASTS.values())
