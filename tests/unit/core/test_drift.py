"""What drift is: the corrected distance, the family of tests, the weighted score."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.drift import DOUBT, MATERIAL, SIGNIFICANCE, Compared, Evidence, benjamini_hochberg, certainty, feature_score, js_distance, judge
from evergreen.core.severity import Severity

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


@given(data=st.data(), left=counts)
def test_a_distance_is_between_0_and_1_and_the_same_both_ways(data: st.DataObject, left: list[int]):
    right = data.draw(st.lists(st.integers(0, 10_000), min_size=len(left), max_size=len(left)))
    distance = js_distance(left, right)
    assert 0.0 <= distance <= 1.0
    assert distance == pytest.approx(js_distance(right, left))


@given(left=counts)
def test_a_histogram_is_at_no_distance_from_itself_at_any_size(left: list[int]):
    assert js_distance(left, left) == 0.0
    assert js_distance(left, [7 * count for count in left]) == pytest.approx(0.0, abs=1e-7)


def test_histograms_with_nothing_in_common_are_nearly_at_1_and_get_there_with_more_rows():
    assert js_distance([100, 0], [0, 100]) > 0.99
    assert js_distance([10**7, 0], [0, 10**7]) == pytest.approx(1.0, abs=1e-6)
    assert js_distance([], []) == js_distance([0, 0], [5, 5]) == 0.0


def test_more_rows_of_the_same_shares_do_not_make_a_larger_distance():
    shares = ([30, 30, 40], [55, 25, 20])
    at = [js_distance([share * scale for share in shares[0]], [share * scale for share in shares[1]]) for scale in (2, 10, 100, 10_000)]
    assert max(at) - min(at) < 0.03


@pytest.mark.parametrize(("distance", "score"), [(0.0, 0.0), (MATERIAL, 0.5), (2 * MATERIAL, 0.9375), (1.0, 1.0)])
def test_a_features_score_is_half_at_the_threshold(distance: float, score: float):
    assert feature_score(distance) == pytest.approx(score)


def test_q_values_of_a_textbook_family():
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]) == []


@given(p_values=st.lists(st.floats(0, 1), max_size=30))
def test_q_values_keep_the_order_and_never_undercut_the_p_values(p_values: list[float]):
    q_values = benjamini_hochberg(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, q_values, strict=True))
    ranked = sorted(range(len(p_values)), key=lambda at: p_values[at])
    assert [q_values[at] for at in ranked] == sorted(q_values)


def moved(name: str, distance: float, p_value: float = 1e-9) -> Compared:
    return Compared(name, 1000, 200, (Evidence(name, "distribution", distance, p_value, "kolmogorov_smirnov", "higher"),))


def test_affected_means_significant_and_material():
    summary = judge([moved("both", 0.5), moved("small", 0.1), moved("chance", 0.5, p_value=0.2), Compared("nothing", 1000, 200)])
    assert [result.feature for result in summary.affected] == ["both"]
    scores = {result.feature: result.score for result in summary.results}
    assert scores["chance"] == scores["nothing"] == 0.0
    assert 0.0 < scores["small"] < 0.5


def test_a_lone_small_p_value_among_many_tests_is_no_finding():
    calm = [moved(f"calm{number}", 0.3, p_value=0.5) for number in range(20)]
    lucky = moved("lucky", 0.3, p_value=SIGNIFICANCE / 2)
    assert judge([*calm, lucky]).affected == ()
    assert len(judge([lucky]).affected) == 1


def test_certainty_comes_without_a_jump():
    assert (certainty(1.0), certainty(DOUBT), certainty(SIGNIFICANCE), certainty(0.0)) == (0.0, 0.0, 1.0, 1.0)
    assert certainty(0.001) == pytest.approx(0.5)
    scores = [judge([moved("a", 0.4, p_value=0.02 * 0.9**step)]).score for step in range(70)]
    assert (scores[0], scores[-1]) == (0.0, feature_score(0.4))
    assert max(after - before for before, after in pairwise(scores)) < 0.03


def test_the_score_weighs_features_by_importance_and_equally_when_that_is_unknown():
    features = [moved("a", 1.0), moved("b", 0.0, p_value=1.0)]
    assert judge(features).score == pytest.approx(0.5)
    assert judge(features, {"a": 0.1, "b": 0.3, "elsewhere": 5.0}).score == pytest.approx(0.25)
    assert judge(features, {"elsewhere": 1.0}).score == pytest.approx(0.5)


def test_predictions_are_judged_but_are_no_part_of_the_score():
    from dataclasses import replace

    summary = judge([moved("a", 0.0, p_value=1.0), replace(moved("prediction", 0.9), watched=False)])
    assert summary.prediction is not None
    assert summary.prediction.drifted
    assert summary.affected == ()
    assert [result.feature for result in summary.results] == ["a"]
    assert (summary.score, summary.severity) == (0.0, None)


def test_a_change_of_what_the_model_hardly_uses_affects_nothing():
    """However many such features change: it takes half of an average weight, held together, or weights that nobody knows."""
    features = [*(moved(f"idle{number}", 0.9) for number in range(5)), moved("used", 0.0, p_value=1.0)]
    idle = judge(features, {"used": 1.0, "idle0": 0.02, "idle1": 0.02})
    assert len(idle.drifted) == 5
    assert (idle.affected, idle.severity) == ((), None)
    used = judge(features, {"used": 0.9, "idle0": 0.05, "idle1": 0.05})
    assert len(used.affected) == len(judge(features).affected) == len(judge(features, {"elsewhere": 1.0}).affected) == 5


@pytest.mark.parametrize(
    ("weights", "severity"),
    [({"a": 0.29, "b": 0.71}, Severity.LOW), ({"a": 0.31, "b": 0.69}, Severity.MEDIUM)],
    ids=["up-to-0.3-is-low", "above-is-medium"],
)
def test_the_events_own_severity(weights: dict[str, float], severity: Severity):
    assert judge([moved("a", 1.0), moved("b", 0.0, p_value=1.0)], weights).severity is severity


def test_nothing_affected_has_no_severity():
    assert judge([moved("a", 0.1)]).severity is None
    assert judge([]).severity is None
    assert judge([]).score == 0.0


def test_a_features_loudest_finding_speaks_for_it():
    quiet = Evidence("a", "distribution", 0.1, 0.5, "kolmogorov_smirnov", "other shape")
    loud = Evidence("a", "out_of_range", 0.6, 1e-12, "binomial", "outside 0 to 1: 50.0%")
    [result] = judge([Compared("a", 1000, 200, (quiet, loud))]).results
    assert (result.kind, result.direction, result.drifted) == ("out_of_range", "outside 0 to 1: 50.0%", True)
    assert math.isclose(result.statistic, 0.6)


def test_lost_values_are_no_drift_and_no_part_of_the_score():
    shape = Evidence("a", "distribution", 0.1, 0.5, "kolmogorov_smirnov", "other shape")
    lost = Evidence("a", "nulls", 0.6, 1e-12, "fisher", "not known: 0.0% -> 50.0%")
    summary = judge([Compared("a", 1000, 200, (shape, lost)), Compared("b", 1000, 200, (Evidence("b", "nulls", 0.1, 1e-12, "fisher"),))])
    assert (summary.affected, summary.score) == ((), 0.0)
    assert [(result.feature, result.kind) for result in summary.lost] == [("a", "nulls")]
    assert [result.feature for result in summary.losses] == ["a", "b"]
