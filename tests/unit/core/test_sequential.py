"""Intervals and the group check under continuous looking: simulated users, a look after every batch of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from evergreen.core.experiment_verdict import Counts, Found, judge
from evergreen.core.sequential import ALPHA, MISMATCH_ALPHA, TUNED_FOR, Mean, is_mismatched, mean_interval, mismatch_evidence, reach, relative_interval

HALVES = (0.5, 0.5)


@dataclass(frozen=True)
class World:
    ctr: float
    better: float = 0.0
    """Relative."""
    batch: int = 200
    looks: int = 75
    lists: float = 3.0
    """Shown to a user on average."""
    alike: float = 10.0
    """The smaller, the more users differ in how much they click: Beta(ctr x alike, …)."""
    second: float = 0.5
    """Share of users in the second group."""


def looks(world: World, runs: int, seed: int) -> NDArray[np.float64]:
    """Sums at each look: run x look x group x (users, lists, clicks, clickers, total, squares)."""
    draw = np.random.default_rng(seed)
    shape = (runs, world.looks, world.batch)
    group = draw.random(shape) < world.second
    rate = np.where(group, world.ctr * (1 + world.better), world.ctr)
    lists = 1 + draw.poisson(world.lists - 1, shape)
    clicks = draw.binomial(lists, draw.beta(rate * world.alike, (1 - rate) * world.alike))
    own = clicks / lists
    each = np.stack([np.ones(shape), lists, clicks, clicks > 0, own, own**2], axis=-1)
    sides = np.stack([each * ~group[..., None], each * group[..., None]], axis=2).sum(axis=3)
    found: NDArray[np.float64] = sides.cumsum(axis=1)
    return found


def counts(sums: NDArray[np.float64]) -> Counts:
    users, lists, clicks, clickers = (int(value) for value in sums[:4])
    return Counts(exposed=users, users=users, lists=lists, clicks=clicks, clickers=clickers, total=float(sums[4]), squares=float(sums[5]))


def first(world: World, runs: int, seed: int, stops: Callable[[Found], bool], together: int = 50) -> list[tuple[int, Found] | None]:
    """Of each run: how many users there were at the first look at which it stops, and that look; None when it never does."""
    ends: list[tuple[int, Found] | None] = []
    for begun in range(0, runs, together):
        for run in looks(world, min(together, runs - begun), seed + begun):
            seen = (judge(("control", "b"), HALVES, [counts(side) for side in look]) for look in run)
            ends.append(next(((sum(one.counts.users for one in found.variants), found) for found in seen if stops(found)), None))
    return ends


def is_decided(found: Found) -> bool:
    return found.decided


SAME = [
    pytest.param(World(0.1), id="one-in-ten"),
    pytest.param(World(0.1, lists=1.0, batch=50, looks=150), id="single-lists-many-looks"),
    pytest.param(World(0.02), id="one-in-fifty"),
    pytest.param(World(0.3, alike=2.0), id="users-differ-much"),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("world", SAME)
def test_of_a_thousand_equal_experiments_at_most_one_in_twenty_says_otherwise(world: World) -> None:
    ends = first(world, 1_000, 1, is_decided)
    assert sum(end is not None for end in ends) <= ALPHA * len(ends)


def test_of_two_hundred_equal_experiments_few_say_otherwise() -> None:
    assert sum(end is not None for end in first(World(0.1, looks=40), 200, 2, is_decided)) <= 10


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("world", "half", "most"),
    [
        pytest.param(World(0.1, better=0.1, batch=500, looks=90), 18_000, 40_000, id="ctr-of-a-tenth"),
        pytest.param(World(0.2, better=0.1, batch=500, looks=60), 9_000, 17_000, id="ctr-of-a-fifth"),
    ],
)
def test_ten_percent_more_clicks_are_found(world: World, half: int, most: int) -> None:
    """Half of the experiments need at most `half` users, nine in ten at most `most`; and no worse is ever said."""
    ends = first(world, 100, 3, is_decided)
    needed = [math.inf if end is None else end[0] for end in ends]
    assert np.quantile(needed, 0.5) <= half
    assert np.quantile(needed, 0.9) <= most
    assert {end[1].variants[1].word for end in ends if end is not None} == {"better"}


def test_what_is_a_fifth_worse_is_found() -> None:
    ends = first(World(0.2, better=-0.2, batch=250, looks=60), 20, 4, is_decided)
    assert {end[1].variants[1].word for end in ends if end is not None} == {"worse"}
    assert sum(end is None for end in ends) == 0


def test_the_whole_sequence_of_intervals_holds_the_truth() -> None:
    truth = 0.25
    world = World(0.1, better=truth, looks=60)
    missed = 0
    for run in looks(world, 200, 5):
        sides = [[counts(side).mean for side in look] for look in run if look[:, 0].min() >= 100]
        relative = [found for control, challenger in sides if (found := relative_interval(control, challenger)) is not None]
        missed += not all(found.low <= truth <= found.high for found in relative)
    assert missed <= ALPHA * 200
    for side, ctr in ((0, 0.1), (1, 0.1 * (1 + truth))):
        kept = [all(_holds(counts(look[side]).mean, ctr) for look in run) for run in looks(world, 200, 6)]
        assert sum(kept) >= (1 - ALPHA) * 200


def _holds(mean: Mean, truth: float) -> bool:
    found = mean_interval(mean)
    return found.low <= truth <= found.high


@pytest.mark.parametrize("shares", [HALVES, (0.9, 0.1), (0.25, 0.25, 0.5)], ids=str)
def test_groups_that_are_divided_as_planned_are_not_called_broken(shares: tuple[float, ...]) -> None:
    draw = np.random.default_rng(7)
    sizes = draw.multinomial(100, shares, (1_000, 300)).cumsum(axis=1)
    alarms = sum(any(is_mismatched([int(one) for one in look], shares) for look in run) for run in sizes)
    assert alarms <= 5, "one in a thousand, and luck"


@pytest.mark.parametrize(("split", "most"), [((0.52, 0.48), 25_000), ((0.55, 0.45), 4_000), ((1.0, 0.0), 200)], ids=str)
def test_a_broken_split_is_found(split: tuple[float, float], most: int) -> None:
    """In 95 of 100 experiments within so many users."""
    draw = np.random.default_rng(8)
    step = max(1, most // 100)
    runs = draw.multinomial(step, split, (100, 100)).cumsum(axis=1)
    assert sum(any(is_mismatched([int(one) for one in look], HALVES) for look in run) for run in runs) >= 95


def test_the_evidence_is_that_of_the_mixture() -> None:
    """Against the product of the predictive shares, one user at a time."""
    order, prior, product = [0, 1, 1, 0, 1, 1, 1, 2, 1], [250.0, 150.0, 100.0], 1.0
    seen = [0, 0, 0]
    for group in order:
        product *= (prior[group] + seen[group]) / (500 + sum(seen)) / (prior[group] / 500)
        seen[group] += 1
    assert mismatch_evidence(seen, (0.5, 0.3, 0.2)) == pytest.approx(math.log(product))
    assert not is_mismatched([0, 0], HALVES)
    assert pytest.approx(1e-3) == MISMATCH_ALPHA


def test_the_boundary_is_that_of_the_paper() -> None:
    """Theorem 2.2 with rho for t* = 10,000, written out."""
    rho = math.sqrt((-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / TUNED_FOR)
    for t in (100, 1_000, 10_000, 1_000_000):
        margin = math.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * math.log(math.sqrt(t * rho**2 + 1) / 0.05))
        assert reach(t, 0.05) / math.sqrt(t) == pytest.approx(margin)
    assert reach(TUNED_FOR, ALPHA) < 3.5


def test_a_ratio_is_the_same_question_as_a_difference() -> None:
    """0 is in the interval exactly while the difference of the means is within its own boundary."""
    control = Mean(2_000, 200.0, 60.0)
    for total in (150.0, 170.0, 199.0, 231.0, 250.0, 300.0):
        challenger = Mean(2_000, total, total * 0.3)
        found = relative_interval(control, challenger)
        assert found is not None
        margin = reach(4_000, ALPHA) * math.sqrt(control.variance + challenger.variance)
        assert (found.low <= 0 <= found.high) is (abs(challenger.point - control.point) <= margin)
