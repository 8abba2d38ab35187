"""Who is asked, and when answers count against a candidate."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.binomial import at_least
from evergreen.core.canary import ENOUGH, CanaryTally, fault, is_asked

ENTITIES = [f"video-{number}" for number in range(20_000)]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.5])
def test_the_share_of_entities_is_the_share_asked_for(share: float) -> None:
    asked = sum(is_asked("m@2", entity, share) for entity in ENTITIES) / len(ENTITIES)
    assert abs(asked - share) < 4 * (share * (1 - share) / len(ENTITIES)) ** 0.5


def test_an_entity_sticks_to_its_side_and_a_larger_share_only_adds() -> None:
    assert all(is_asked("m@2", entity, 0.5) for entity in ENTITIES[:2000] if is_asked("m@2", entity, 0.2))


def test_another_version_asks_other_entities() -> None:
    both = sum(is_asked("m@2", entity, 0.2) and is_asked("m@3", entity, 0.2) for entity in ENTITIES) / len(ENTITIES)
    assert 0.03 < both < 0.05


def test_nobody_is_asked_without_a_share_and_all_with_the_whole() -> None:
    assert not any(is_asked("m@2", entity, 0.0) for entity in ENTITIES[:100])
    assert all(is_asked("m@2", entity, 1.0) for entity in ENTITIES[:100])


@given(st.integers(1, 200), st.integers(0, 200), st.floats(0.001, 0.5))
def test_the_chance_of_at_least_so_many_is_one_and_falls(of: int, count: int, share: float) -> None:
    chance = at_least(min(count, of), of, share)
    assert 0.0 <= chance <= 1.0
    assert chance >= at_least(min(count, of) + 1, of, share) - 1e-9


def test_the_chance_is_the_binomial_tail() -> None:
    assert at_least(6, 100, 0.01) == pytest.approx(0.000535, rel=1e-2)
    assert at_least(1, 100, 0.01) == 1.0
    assert at_least(2, 100, 0.01) == pytest.approx(0.2642, rel=1e-3)


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        pytest.param(CanaryTally(ENOUGH - 1, ENOUGH - 1, ENOUGH - 1), "", id="too-few-answers"),
        pytest.param(CanaryTally(1000, 10, 10), "", id="as-many-as-are-allowed"),
        pytest.param(CanaryTally(100, 5), "", id="five-of-a-hundred-may-be-chance"),
        pytest.param(CanaryTally(100, 6), "6 of 100 answers failed, 1% is allowed", id="six-are-not"),
        pytest.param(CanaryTally(100, 0, 100), "100 of 100 answers were too slow, 1% is allowed", id="slow"),
        pytest.param(CanaryTally(100_000, 5000), "5000 of 100000 answers failed, 1% is allowed", id="many"),
    ],
)
def test_what_counts_against_it(tally: CanaryTally, said: str) -> None:
    assert fault(tally) == said


def test_a_sound_version_is_hardly_ever_stopped_and_one_that_fails_in_twenty_always() -> None:
    stopped = {0.002: 0, 0.05: 0}
    for share in stopped:
        for seed in range(200):
            chance, failed = random.Random(seed), 0
            for asked in range(1, 1001):
                failed += chance.random() < share
                if asked % 20 == 0 and fault(CanaryTally(asked, failed)):
                    stopped[share] += 1
                    break
    assert stopped[0.002] <= 1
    assert stopped[0.05] == 200
