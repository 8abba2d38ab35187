"""Lists: what lifts an item, what lowers it, what is left between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.ranking import Candidate, Knobs, Reason, reason, top, words
from evergreen.core.recommending import Taste

PLAIN = Knobs(diversity=0.0)


def candidates(*scores: float, genres: Sequence[str] = ("Drama", "Comedy")) -> list[Candidate]:
    return [Candidate(f"m{at}", score, (genres[at % len(genres)],), 1 << at % len(genres)) for at, score in enumerate(scores)]


def names(found: Sequence[tuple[str, float]]) -> list[str]:
    return [item for item, _ in found]


def test_without_anything_else_the_model_decides() -> None:
    assert names(top(candidates(0.1, 0.9, 0.5), 2, Taste(), PLAIN)) == ["m1", "m2"]
    assert top([], 5, Taste()) == []
    assert len(top(candidates(1.0, 1.0, 1.0), 5, Taste())) == 3


@pytest.mark.parametrize(
    "taste",
    [
        pytest.param(Taste(boosts={"m1": 1.2}), id="boosted"),
        pytest.param(Taste(preferences={"Comedy": 1.0}), id="preferred"),
        pytest.param(Taste(preferences={"Drama": -1.0}), id="the-other-disliked"),
        pytest.param(Taste(shown={"m0": 2}), id="the-other-ignored"),
    ],
)
def test_what_lifts_and_lowers(taste: Taste) -> None:
    close = candidates(1.0, 0.95, 0.0)
    assert names(top(close, 2, Taste(), PLAIN)) == ["m0", "m1"]
    assert names(top(close, 2, taste, PLAIN)) == ["m1", "m0"]


def test_diversity_brings_other_genres_in() -> None:
    alike = candidates(1.0, 0.99, 0.98, 0.97, 0.6, 0.0, genres=("Drama",))
    mixed = [*alike[:4], alike[4]._replace(genres=("Horror",), genre_bits=2), *alike[5:]]
    assert "m4" not in names(top(mixed, 3, Taste(), PLAIN))
    assert "m4" in names(top(mixed, 3, Taste(), Knobs(diversity=0.5)))


ANYTHING = st.lists(st.floats(-5, 5), min_size=1, max_size=40)
ITEMS = st.sampled_from([f"m{at}" for at in range(40)])


@given(
    ANYTHING,
    st.dictionaries(ITEMS, st.floats(1, 100)),
    st.dictionaries(ITEMS, st.integers(0, 63)),
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(["Drama", "Comedy"]), st.floats(-1, 1)),
)
def test_every_item_at_most_once_and_no_boost_beyond_its_bound(
    scores: list[float], boosts: Mapping[str, float], shown: Mapping[str, int], diversity: float, preferences: Mapping[str, float]
) -> None:
    taste, knobs = Taste(boosts=boosts, shown=shown, preferences=preferences), Knobs(diversity=diversity)
    found = top(candidates(*scores), 20, taste, knobs)
    assert len(set(names(found))) == len(found) == min(20, len(scores))
    assert all(0 <= value <= 1.25 * 1.8 for _, value in found)
    assert found == top(candidates(*scores), 20, taste, knobs)


@given(ANYTHING, st.floats(0, 1), st.lists(st.integers(0, 255), min_size=40, max_size=40))
def test_what_is_not_looked_at_would_not_have_been_chosen(scores: list[float], diversity: float, bits: list[int]) -> None:
    """The same list as by comparing everything with everything."""
    every = [Candidate(f"m{at}", score, (), bits[at]) for at, score in enumerate(scores)]
    values = dict(top(every, len(every), Taste(), PLAIN))
    left, expected = sorted(every, key=lambda one: (-values[one.item], one.item)), list[Candidate]()
    while left:
        gains = [(1 - diversity) * values[one.item] - diversity * max((_alike(one, other) for other in expected), default=0.0) for one in left]
        expected.append(left.pop(gains.index(max(gains))))
    assert names(top(every, len(every), Taste(), Knobs(diversity=diversity))) == [one.item for one in expected]


def _alike(one: Candidate, other: Candidate) -> float:
    either = (one.genre_bits | other.genre_bits).bit_count()
    return (one.genre_bits & other.genre_bits).bit_count() / either if either else 0.0


def test_reasons_in_words() -> None:
    taste = Taste(preferences={"Drama": 0.4})

    def why(item: str, taste: Taste, watched: str = "") -> str:
        return words(reason(item, ("Drama",), taste, watched), lambda item: f"Movie {item}")

    assert why("m5", taste, "m1") == "because you watched Movie m1"
    assert why("m6", taste) == "because you like Drama"
    assert why("m6", replace(taste, boosts={"m6": 1.2})) == "because people with your taste chose it"
    assert why("m6", Taste()) == "popular now"
    assert reason("m6", (), Taste(), "") == Reason("popular")
