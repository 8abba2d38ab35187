"""The gates' verdicts at their boundaries, and that a number that is none fails."""

from __future__ import annotations

import math
from datetime import date

import pytest

from evergreen.core import evaluation as verdict
from evergreen.core.evaluation import Interval, Scorecard, Segment


@pytest.mark.parametrize(
    ("relative", "passed"),
    [
        pytest.param(Interval(-0.10, -0.20, -0.01), True, id="better"),
        pytest.param(Interval(-0.02, -0.05, 0.0199), True, id="just-better-enough"),
        pytest.param(Interval(-0.0199, -0.05, 0.0), False, id="not-better-enough"),
        pytest.param(Interval(-0.10, -0.20, 0.02), False, id="may-be-worse"),
        pytest.param(Interval(0.5, 0.4, 0.6), False, id="worse"),
        pytest.param(Interval(math.nan, math.nan, math.nan), False, id="no-number"),
        pytest.param(Interval(-0.5, -math.inf, -0.4), False, id="not-finite"),
    ],
)
def test_promotion_needs_non_inferiority_and_improvement(relative: Interval, passed: bool) -> None:
    result = verdict.better(relative, 0.2, 0.3, margin=0.02, min_improvement=0.02)
    assert result.detail.startswith("error 0.2000 against 0.3000")
    assert verdict.better(relative, 0.2, 0.3, margin=0.02, min_improvement=0.02, measure="ndcg_at_10").detail.startswith("ndcg_at_10 0.2000 against")
    assert result.passed is passed
    assert all(math.isfinite(value) for value in result.numbers.values())


@pytest.mark.parametrize(("n", "passed"), [(49, False), (50, True)])
def test_enough_rows(n: int, passed: bool) -> None:
    assert verdict.enough_rows(n, 50).passed is passed


@pytest.mark.parametrize(
    ("trained_to", "passed"), [pytest.param(date(2025, 6, 8), True, id="the-day-before"), pytest.param(date(2025, 6, 9), False, id="the-first-day")]
)
def test_held_out_rows_were_seen_by_neither(trained_to: date, passed: bool) -> None:
    result = verdict.held_out(date(2025, 6, 9), {"m@1": date(2025, 1, 1), "m@2": trained_to})
    assert result.passed is passed
    assert passed or "m@2 was trained to 2025-06-09" in result.detail


@pytest.mark.parametrize(
    ("n", "finite", "spread", "passed"), [(10, 10, 0.1, True), (10, 9, 0.1, False), (10, 10, 0.0, False), (0, 0, 0.0, False), (10, 10, math.nan, False)]
)
def test_predictions_are_finite_and_vary(n: int, finite: int, spread: float, passed: bool) -> None:
    assert verdict.sane_predictions(n, finite, spread).passed is passed


def test_segments_count_from_a_size_on() -> None:
    small, big = Segment("a", 29, 8.0), Segment("b", 30, 0.15)
    assert verdict.segments([small, big], margin=0.15 + 1e-9, min_rows=30).passed
    assert not verdict.segments([small, big], margin=0.14, min_rows=30).passed
    assert not verdict.segments([Segment("c", 30, math.nan)], margin=0.15, min_rows=30).passed
    assert verdict.segments([], margin=0.15, min_rows=30).passed


@pytest.mark.parametrize(("measured", "passed"), [(0.70, True), (0.69, False), (1.0, True), (math.nan, False)])
def test_coverage(measured: float, passed: bool) -> None:
    assert verdict.coverage(measured, 0.7, 1.0).passed is passed


@pytest.mark.parametrize(("measured", "passed"), [(100.0, True), (100.1, False), (math.nan, False), (math.inf, False)])
def test_bounds(measured: float, passed: bool) -> None:
    assert verdict.bounded("latency", measured, 100.0, "ms").passed is passed


def test_a_card_approves_only_when_every_gate_passed_and_there_was_one() -> None:
    good, bad = verdict.gate("a", True, "x"), verdict.gate("b", False, "y")
    assert Scorecard("m@1", "median", (good,)).approved
    assert not Scorecard("m@1", "median", ()).approved
    card = Scorecard("m@1", "median", (good, bad), date(2025, 1, 1), date(2025, 1, 7), 70, (0.123456789,))
    assert (card.approved, card.failed) == (False, ("b",))
    told = card.to_json()
    assert told["window"] == {"first_day": "2025-01-01", "last_day": "2025-01-07"}
    assert told["baseline_errors"] == [0.123457]
    assert [gate["name"] for gate in told["gates"]] == ["a", "b"]
