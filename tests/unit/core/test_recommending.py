"""What an interaction does to a profile: the same in any order, decaying, capped."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.recommending import (
    ACTIVITY,
    CLICKED,
    EPOCH,
    HALF_LIFE,
    HISTORY,
    KIND_WEIGHTS,
    LOW,
    POSITIVE,
    RATED,
    WEIGHTS,
    Did,
    effect_of,
    kind_of_rating,
    preference,
    together,
    touched,
)
from tests.support.events import NOON

ITEMS = [f"m{number}" for number in range(80)]
GENRES = {item: ("Drama",) if number % 2 else ("Drama", "Comedy") for number, item in enumerate(ITEMS)}


def did(number: int, kind: str, *items: str, minutes: int = 0, rating: float | None = None) -> Did:
    return Did(f"e{number}", NOON + timedelta(minutes=minutes), kind, items or ("m1",), rating, GENRES)


def test_the_weights_are_the_specified_ones() -> None:
    assert WEIGHTS == {"view": 0.1, "click": 0.3, "add_to_cart": 0.5, "like": 0.7, "purchase": 1.0, "high_rating": 1.2}
    assert {"click", "add_to_cart", "like", "purchase", "high_rating", CLICKED} == POSITIVE


@pytest.mark.parametrize("kind", list(WEIGHTS))
def test_a_genre_rises_by_a_tenth_of_the_weight(kind: str) -> None:
    effect = effect_of(did(1, kind, "m1"))
    assert preference(effect.genres["Drama"], NOON) == pytest.approx(0.1 * WEIGHTS[kind])


def test_a_preference_is_capped_and_halves_in_its_half_life() -> None:
    many = together(effect_of(did(number, "purchase", "m1", minutes=number)) for number in range(40))
    assert preference(many.genres["Drama"], NOON) == 1.0
    one = effect_of(did(1, "like", "m1")).genres["Drama"]
    assert preference(one, NOON + HALF_LIFE) == pytest.approx(0.035)
    assert preference(many.genres["Drama"], NOON + 5 * HALF_LIFE) == pytest.approx(4.0 / 32, rel=0.01)


def test_a_low_rating_lowers_the_genres_and_leaves_the_item_out() -> None:
    effect = effect_of(did(1, LOW, "m1", rating=1.0))
    assert preference(effect.genres["Drama"], NOON) == pytest.approx(-0.12)
    assert set(effect.owned) == {"m1"}
    assert touched("m1", effect.history["m1"]).kind == LOW


@pytest.mark.parametrize(("rating", "kind"), [(5.0, "high_rating"), (4.0, "high_rating"), (3.5, RATED), (2.0, LOW), (0.5, LOW), (None, "note")])
def test_feedback_acts_by_its_rating(rating: float | None, kind: str) -> None:
    assert kind_of_rating(rating) == kind


@pytest.mark.parametrize(("kind", "rating", "left_out"), [("purchase", None, True), ("view", 2.0, True), ("click", None, False), ("like", None, False)])
def test_what_was_rated_or_bought_is_left_out(kind: str, rating: float | None, left_out: bool) -> None:
    assert bool(effect_of(did(1, kind, rating=rating)).owned) is left_out


def test_the_newest_say_of_an_item_counts() -> None:
    liked, hated = effect_of(did(1, "like", "m1")), effect_of(did(2, LOW, "m1", minutes=5, rating=1.0))
    assert touched("m1", together([hated, liked]).history["m1"]).kind == LOW
    assert touched("m1", liked.history["m1"]).at == NOON


def test_activities_are_the_newest_hundred_of_the_last_hour() -> None:
    found = together(effect_of(did(number, "view", minutes=number)) for number in range(200)).activity
    assert len(found) == 61
    found = together(effect_of(did(number, "view")) for number in range(200)).activity
    assert len(found) == ACTIVITY


INTERACTIONS = st.lists(
    st.builds(
        did,
        st.integers(0, 10_000),
        st.sampled_from(sorted(KIND_WEIGHTS)),
        st.sampled_from(ITEMS),
        minutes=st.integers(-200_000, 200_000),
        rating=st.none() | st.floats(0.5, 5),
    ),
    max_size=150,
)


@given(INTERACTIONS, st.randoms(use_true_random=False), st.integers(1, 10))
def test_in_any_order_and_in_any_portions_a_profile_is_the_same(every: list[Did], chance: random.Random, portions: int) -> None:
    """Trimming what is kept and adding more comes to the same as adding first."""
    whole = together(map(effect_of, every))
    shuffled = every[:]
    chance.shuffle(shuffled)
    parts = [together(map(effect_of, shuffled[at::portions])) for at in range(portions)]
    found = together(parts)
    assert (found.history, found.owned, found.activity) == (whole.history, whole.owned, whole.activity)
    assert set(found.genres) == set(whole.genres)
    for genre, kept in whole.genres.items():
        assert preference(found.genres[genre], NOON) == pytest.approx(preference(kept, NOON), abs=1e-9)
    assert len(found.history) <= HISTORY


@given(st.floats(-1e300, 1e300), st.integers(-20_000, 20_000))
def test_what_is_said_is_bounded(kept: float, days: int) -> None:
    said = preference(kept, EPOCH + timedelta(days=days / 3))
    assert -1.0 <= said <= 1.0
    assert math.isfinite(said)
