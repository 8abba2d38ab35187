"""What is said of an experiment at one look, of too little and of the impossible too."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.experiment_verdict import Counts, Found, judge

NAMES, HALVES = ("control", "b"), (0.5, 0.5)


def people(users: int, clickers: int, *, exposed: int | None = None) -> Counts:
    """One list each."""
    return Counts(users if exposed is None else exposed, 0, users, users, clickers, clickers, float(clickers), float(clickers))


def said(control: Counts, b: Counts) -> str:
    return judge(NAMES, HALVES, [control, b]).says


def test_a_clear_difference_is_said_with_its_interval() -> None:
    found = judge(NAMES, HALVES, [people(5_000, 500), people(5_000, 700)])
    assert found.decided
    assert (found.variants[0].word, found.variants[1].word) == ("too_few", "better")
    relative = found.variants[1].relative
    assert relative is not None
    assert 0 < relative.low < 0.4 < relative.high
    assert found.says.startswith("b is better than control: +40.0% [+1")
    assert "b is worse than control: -" in said(people(5_000, 700), people(5_000, 500))
    assert "no different yet from control" in said(people(5_000, 500), people(5_000, 510))


@pytest.mark.parametrize(
    ("control", "b", "says"),
    [
        pytest.param(Counts(), Counts(), "nobody was shown a list yet", id="nobody-exposed"),
        pytest.param(Counts(exposed=12), Counts(exposed=9), "21 users were shown a list; nobody's time is over yet", id="all-in-their-time"),
        pytest.param(people(5, 1), people(7, 1), "5 users of control are too few, 100 are needed", id="few"),
        pytest.param(people(200, 9), people(60, 1, exposed=200), "60 users of b are too few", id="few-of-one"),
        pytest.param(people(500, 0), people(500, 0), "0 users of control and b clicked; 20 are needed", id="zero-clicks"),
        pytest.param(people(3_000, 3), people(3_000, 40), "may be any multiple", id="control-hardly-clicks"),
        pytest.param(replace(people(500, 50), total=math.nan), people(500, 50), "counted of control is not a number", id="nan"),
        pytest.param(people(500, 50), replace(people(500, 50), squares=math.inf), "counted of b is not a number", id="infinite"),
    ],
)
def test_of_too_little_it_says_so(control: Counts, b: Counts, says: str) -> None:
    found = judge(NAMES, HALVES, [control, b])
    assert says in found.says
    assert not found.decided
    assert found.variants[1].relative is None
    assert not found.broken


def test_no_click_at_all_of_many_is_worse() -> None:
    assert "b is worse than control: -100.0% [-100.0%, -9" in said(people(4_000, 400), people(4_000, 0))


def test_one_variant_only_is_broken() -> None:
    found = judge(NAMES, HALVES, [people(400, 40), Counts()])
    assert found.broken == "the groups are not divided as planned: control 100.0% (50.0% planned), b 0.0% (50.0% planned) of 400 users"
    assert found.says == found.broken


def test_users_who_see_both_are_broken_beyond_chance_only() -> None:
    assert judge(NAMES, HALVES, [replace(people(500, 50), crossed=3), people(500, 50)]).broken == ""
    found = judge(NAMES, HALVES, [replace(people(500, 50), crossed=30), replace(people(500, 50), crossed=30)])
    assert found.broken.startswith("60 of 1000 users saw more than one variant")


def test_more_challengers_need_more_each() -> None:
    control, b = people(3_000, 300), people(3_000, 382)
    alone = judge(NAMES, HALVES, [control, b])
    among = judge((*NAMES, "c", "d"), (0.25,) * 4, [control, b, people(3_000, 300), people(3_000, 300)])
    assert (alone.variants[1].word, among.variants[1].word) == ("better", "open")
    assert not among.decided


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 50_000), st.integers(0, 50)), min_size=2, max_size=5))
def test_any_counts_are_judged_and_kept(groups: list[tuple[int, int, int]]) -> None:
    counts = [replace(people(max(users, clickers), min(users, clickers)), crossed=min(crossed, users)) for users, clickers, crossed in groups]
    found = judge([f"v{at}" for at in range(len(counts))], [1 / len(counts)] * len(counts), counts)
    assert found.says
    assert Found.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
