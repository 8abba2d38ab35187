"""Whether lists are clicked on as in the version's first days."""

from __future__ import annotations

import random

import pytest

from evergreen.core.click_through import click_through
from evergreen.core.experiment_verdict import Counts


def people(rates: list[float]) -> Counts:
    return Counts(
        exposed=len(rates),
        users=len(rates),
        lists=10 * len(rates),
        clicks=round(10 * sum(rates)),
        clickers=sum(rate > 0 for rate in rates),
        total=sum(rates),
        squares=sum(rate**2 for rate in rates),
    )


def drawn(users: int, rate: float, seed: int) -> Counts:
    """Each shown ten lists."""
    draw = random.Random(seed)
    return people([sum(draw.random() < rate for _ in range(10)) / 10 for _ in range(users)])


def test_half_the_clicks_are_a_drop_with_its_interval() -> None:
    found = click_through(drawn(2_000, 0.2, 1), drawn(2_000, 0.1, 2))
    assert found is not None
    assert found.drop is not None
    assert found.drop.low < found.drop.point < found.drop.high
    assert found.drop.point == pytest.approx(0.5, abs=0.05)
    assert found.degraded
    said = found.to_json()
    assert (said["degraded"], said["first"]["users"], said["now"]["lists"]) == (True, 2_000, 20_000)
    assert said["now"]["ctr"]["low"] < said["now"]["ctr"]["point"] < said["now"]["ctr"]["high"]


def test_more_clicks_are_none() -> None:
    found = click_through(drawn(2_000, 0.1, 1), drawn(2_000, 0.2, 2))
    assert found is not None
    assert (found.drop is not None and found.drop.high < 0, found.degraded) == (True, False)


def test_the_same_is_called_worse_by_chance_hardly_ever() -> None:
    worse = 0
    for seed in range(300):
        found = click_through(drawn(400, 0.2, seed), drawn(400, 0.2, 10_000 + seed))
        worse += found is not None and found.degraded
    assert worse <= 1


@pytest.mark.parametrize(("first", "now"), [(99, 2_000), (2_000, 99), (2_000, 0)])
def test_of_too_few_users_nothing_is_said_but_their_rate(first: int, now: int) -> None:
    found = click_through(drawn(first, 0.2, 1), drawn(now, 0.1, 2))
    assert found is not None
    assert (found.drop, found.degraded) == (None, False)
    assert found.to_json()["first"]["ctr"]["point"] == pytest.approx(0.2, abs=0.1)


def test_without_a_list_there_is_nothing() -> None:
    assert click_through(Counts(), Counts()) is None
