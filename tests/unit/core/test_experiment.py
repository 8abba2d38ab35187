"""Who is shown which variant, and which plans are refused."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from evergreen.core.errors import InvalidRequest
from evergreen.core.experiment import KNOBS, Experiment, Variant, check_plan, variants_from

USERS = [f"user-{number}" for number in range(30_000)]
HALVES = Experiment("titles", "m", (Variant("control"), Variant("b")), 1.0)
FALSE_ALARM = 1e-4


def names(experiment: Experiment, users: list[str] = USERS) -> list[str | None]:
    return [None if (variant := experiment.variant_of(user)) is None else variant.name for user in users]


@pytest.mark.parametrize(
    ("weights", "share"), [((1, 1), 1.0), ((1, 1), 0.1), ((9, 1), 0.5), ((1, 2, 3), 1.0), ((0.5, 0.25, 0.25, 1), 0.3)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("name", ["titles", "a", "diverse-2026_01"])
def test_users_are_divided_as_planned(name: str, weights: tuple[float, ...], share: float) -> None:
    experiment = Experiment(name, "m", tuple(Variant(f"v{at}", weight) for at, weight in enumerate(weights)), share)
    found = Counter(names(experiment))
    planned = {f"v{at}": share * part for at, part in enumerate(experiment.shares)} | ({None: 1 - share} if share < 1 else {})
    statistic = sum((found[one] - part * len(USERS)) ** 2 / (part * len(USERS)) for one, part in planned.items())
    assert chi2.sf(statistic, len(planned) - 1) > FALSE_ALARM


@pytest.mark.parametrize("style", ["{}", "{:08d}", "user-{}", "사용자{}", "{}@example.org"])
def test_whatever_users_are_called_they_are_divided_in_halves(style: str) -> None:
    found = Counter(names(HALVES, [style.format(number) for number in range(20_000)]))
    assert abs(found["b"] - 10_000) < 4 * 20_000**0.5 / 2


def test_a_user_stays_where_he_is_in_every_process() -> None:
    """The very values: another hash, or another way to read it, would move everybody in the middle of an experiment."""
    assert names(replace(HALVES, share=0.5), ["anna", "ben", "clara", "dora", "42", ""]) == ["control", None, None, "b", None, None]


@pytest.mark.parametrize("other", ["titles-2", "covers", "b"])
def test_experiments_are_independent_of_each_other(other: str) -> None:
    pairs = Counter(zip(names(HALVES), names(replace(HALVES, name=other, share=0.6)), strict=True))
    table = [[pairs[first, second] for second in ("control", "b", None)] for first in ("control", "b")]
    assert chi2_contingency(table).pvalue > FALSE_ALARM


@given(st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_share_only_adds_users(one: float, other: float) -> None:
    smaller, larger = (names(replace(HALVES, share=share), USERS[:300]) for share in sorted((one, other)))
    assert all(after == before for before, after in zip(smaller, larger, strict=True) if before is not None)


def test_weights_move_no_more_users_than_the_plan_asks_for() -> None:
    before, after = names(HALVES), names(replace(HALVES, variants=(Variant("control", 0.6), Variant("b", 0.4))))
    moved = Counter((one, other) for one, other in zip(before, after, strict=True) if one != other)
    assert set(moved) == {("b", "control")}
    assert abs(moved["b", "control"] / len(USERS) - 0.1) < 0.01


def test_variants_are_written_and_read_as_they_were() -> None:
    variants = (Variant("control", version=3), Variant("b", 0.5, 7, {"diversity": 0.4}))
    assert variants_from([variant.to_json() for variant in variants]) == variants
    assert Experiment("x", "m", variants, 0.5).versions == {3, 7}


B = Variant("b", params={"diversity": 0.5})


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        pytest.param(replace(HALVES, name="Titles"), "is no name", id="name"),
        pytest.param(replace(HALVES, name="titles\n"), "is no name", id="newline"),
        pytest.param(replace(HALVES, variants=(Variant("control"),)), "2 to 5 variants", id="one-variant"),
        pytest.param(replace(HALVES, variants=tuple(Variant(f"v{at}") for at in range(6))), "2 to 5 variants", id="six"),
        pytest.param(replace(HALVES, variants=(Variant("b"), B)), "two variants are called 'b'", id="same-name"),
        pytest.param(replace(HALVES, share=0.0), "above 0 and at most 1", id="no-share"),
        pytest.param(replace(HALVES, share=math.nan), "above 0 and at most 1", id="share-nan"),
        pytest.param(replace(HALVES, variants=(B, Variant("c"))), "sets nothing", id="control-sets"),
        pytest.param(replace(HALVES, variants=(Variant("control"), replace(B, weight=0))), "weight of b", id="weight"),
        pytest.param(replace(HALVES, variants=(Variant("control"), replace(B, weight=math.nan))), "weight of b", id="weight-nan"),
        pytest.param(replace(HALVES, variants=(Variant("control"), replace(B, params={"diversty": 0.5}))), "nothing heeds", id="mistyped"),
        pytest.param(replace(HALVES, variants=(Variant("control"), replace(B, params={"diversity": 1.5}))), "between 0 and 1", id="bound"),
        pytest.param(replace(HALVES, variants=(Variant("control"), replace(B, params={"diversity": math.nan}))), "between 0 and 1", id="nan"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_in_words(plan: Experiment, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_plan(plan, window_hours=24, days=28)


@pytest.mark.parametrize(
    ("hours", "days", "says"), [(0, 28, "336 hours"), (400, 28, "336 hours"), (24, 0, "90 days"), (24, 91, "90 days"), (24, math.nan, "90")]
)
def test_a_plan_has_its_time(hours: float, days: float, says: str) -> None:
    check_plan(replace(HALVES, variants=(Variant("control"), B)), window_hours=336, days=90)
    with pytest.raises(InvalidRequest, match=says):
        check_plan(HALVES, window_hours=hours, days=days)


def test_a_knob_has_its_bounds_in_order() -> None:
    assert all(low < high for low, high in KNOBS.values())
