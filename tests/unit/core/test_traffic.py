"""Counters between two looks, quantiles of histograms, and the three named rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.alert_rules import HIGH_ERROR_RATE, HIGH_RESPONSE_TIME, LOW_CACHE_HIT_RATIO, RULES, AlertRule, measured
from evergreen.core.traffic import REQUESTS, SECONDS, Series, Traffic, increase, quantile, traffic_of

INFINITE = float("inf")


def series(name: str, **labels: str) -> Series:
    return (name, tuple(sorted(labels.items())))


def test_a_counter_that_fell_was_started_anew_and_counts_from_zero() -> None:
    one, other, new = series("a_total"), series("b_total"), series("c_total")
    assert increase({one: 10.0, other: 10.0}, {one: 12.0, other: 3.0, new: 4.0}) == {one: 2.0, other: 3.0, new: 4.0}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(0, 19))
def test_what_is_added_up_over_a_restart_is_what_happened(steps: list[int], restart_at: int) -> None:
    """A restart loses at most what was counted between the last look and it."""
    shown, before, total = 0, {series("a_total"): 0.0}, 0.0
    for at, step in enumerate(steps):
        shown = step if at == restart_at else shown + step
        after = {series("a_total"): float(shown)}
        total += increase(before, after)[series("a_total")]
        before = after
    lost = 0 if restart_at >= len(steps) else sum(steps[:restart_at])
    assert sum(steps) - lost <= total <= sum(steps)


def test_probes_are_no_traffic() -> None:
    found = traffic_of(
        {
            series(REQUESTS, endpoint="/readyz", method="GET", status="503"): 9.0,
            series(REQUESTS, endpoint="/predict/video", method="POST", status="200"): 95.0,
            series(REQUESTS, endpoint="/predict/video", method="POST", status="500"): 5.0,
            series(REQUESTS, endpoint="/predict/video", method="POST", status="422"): 1.0,
            series(f"{SECONDS}_bucket", endpoint="/readyz", le="0.1"): 9.0,
        }
    )
    assert (found.requests, found.errors, found.buckets) == (101.0, 5.0, ())


def test_a_miss_of_the_first_layer_is_no_miss_of_the_cache() -> None:
    found = traffic_of(
        {
            series("cache_hits_total", layer="l1"): 60.0,
            series("cache_hits_total", layer="l2"): 10.0,
            series("cache_misses_total", layer="l1"): 40.0,
            series("cache_misses_total", layer="l2"): 30.0,
        }
    )
    assert (found.hits, found.misses) == (70.0, 30.0)


@pytest.mark.parametrize(
    ("buckets", "p99"),
    [
        pytest.param([(0.1, 100.0), (0.25, 100.0), (INFINITE, 100.0)], 0.099, id="inside-the-first"),
        pytest.param([(0.1, 98.0), (0.25, 100.0), (INFINITE, 100.0)], 0.175, id="halfway-into-the-second"),
        pytest.param([(0.1, 0.0), (0.25, 0.0), (INFINITE, 100.0)], 0.25, id="beyond-the-last-bound"),
        pytest.param([(0.1, 0.0), (INFINITE, 0.0)], None, id="nothing-observed"),
        pytest.param([], None, id="no-histogram"),
    ],
)
def test_a_quantile_is_prometheus_own(buckets: list[tuple[float, float]], p99: float | None) -> None:
    assert quantile(buckets, 0.99) == (None if p99 is None else pytest.approx(p99))


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(observed: list[float], share: float) -> None:
    bounds = [0.1, 0.25, 0.5, 1.0, 2.5, INFINITE]
    buckets = [(bound, float(sum(value <= bound for value in observed))) for bound in bounds]
    found = quantile(buckets, share)
    true = sorted(observed)[max(0, math.ceil(round(share * len(observed), 9)) - 1)]
    upper = next(bound for bound in bounds if true <= bound)
    assert found is not None
    assert found <= upper + 1e-9


@pytest.mark.parametrize(
    ("rule", "window", "value", "broken"),
    [
        pytest.param(HIGH_RESPONSE_TIME, Traffic(timed=100, seconds=100), 1.0, False, id="one-second-is-allowed"),
        pytest.param(HIGH_RESPONSE_TIME, Traffic(timed=100, seconds=100.1), 1.001, True, id="above-one-second"),
        pytest.param(HIGH_RESPONSE_TIME, Traffic(timed=99, seconds=990), None, False, id="too-few-to-say"),
        pytest.param(LOW_CACHE_HIT_RATIO, Traffic(hits=70, misses=30), 0.7, False, id="seventy-percent-is-allowed"),
        pytest.param(LOW_CACHE_HIT_RATIO, Traffic(hits=69, misses=31), 0.69, True, id="below-seventy-percent"),
        pytest.param(LOW_CACHE_HIT_RATIO, Traffic(hits=0, misses=99), None, False, id="too-few-look-ups"),
        pytest.param(HIGH_ERROR_RATE, Traffic(requests=100, errors=5), 0.05, False, id="five-percent-is-allowed"),
        pytest.param(HIGH_ERROR_RATE, Traffic(requests=100, errors=6), 0.06, True, id="above-five-percent"),
        pytest.param(HIGH_ERROR_RATE, Traffic(requests=99, errors=99), None, False, id="too-few-requests"),
    ],
)
def test_a_rule_is_broken_beyond_its_bound_with_enough_traffic(rule: AlertRule, window: Traffic, value: float | None, broken: bool) -> None:
    found = measured(rule, window)
    assert found == (None if value is None else pytest.approx(value))
    assert (found is not None and rule.broken_by(found)) is broken


def test_windows_add_up() -> None:
    whole = Traffic(requests=3, errors=1).plus(Traffic(requests=4, buckets=((0.1, 2.0),))).plus(Traffic(buckets=((0.1, 1.0), (INFINITE, 5.0))))
    assert (whole.requests, whole.errors, whole.buckets) == (7, 1, ((0.1, 3.0), (INFINITE, 5.0)))


def test_the_rules_are_three_with_their_severities() -> None:
    assert {rule.name: (rule.severity, rule.side, rule.bound) for rule in RULES} == {
        "high_response_time": ("medium", "above", 1.0),
        "low_cache_hit_ratio": ("critical", "below", 0.7),
        "high_error_rate": ("critical", "above", 0.05),
    }
