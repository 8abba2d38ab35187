"""Moving the policy's numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import InvalidRequest
from evergreen.core.rules import Policy
from evergreen.core.thresholds import Threshold, moved, thresholds_of
from tests.support.deciding import DRIFT, POLICY, answer, asked

EAGER = Threshold(DRIFT, "high", "drift_score", 0.4)


def test_every_bound_is_one_to_move() -> None:
    found = thresholds_of(POLICY)
    assert Threshold(DRIFT, "high", "drift_score", 0.6) in found
    assert len(found) == sum(len(evidence) for levels in POLICY.evidence.values() for evidence in levels.values())


def test_a_moved_bound_decides_otherwise_and_nothing_else_is_touched() -> None:
    candidate = moved(POLICY, [EAGER], {ActionKind.RETRAIN: timedelta(minutes=5)})
    assert asked(DRIFT, drift_score=0.5).severity != "high"
    decided = asked(DRIFT, drift_score=0.5, policy=candidate)
    assert decided.severity == "high"
    assert answer(decided, ActionKind.RETRAIN).reason == "data_drift_high"
    assert candidate.cooldown(ActionKind.RETRAIN) == timedelta(minutes=5)
    assert [one for one in thresholds_of(candidate) if one not in thresholds_of(POLICY)] == [EAGER]
    assert Policy.model_validate(candidate.body()).hash == candidate.hash


def test_moved_to_where_they_are_it_is_the_same_policy() -> None:
    assert moved(POLICY, thresholds_of(POLICY), dict(POLICY.cooldowns)).hash == POLICY.hash


@pytest.mark.parametrize(
    ("thresholds", "cooldowns", "said"),
    [
        pytest.param([Threshold(DRIFT, "low", "drift_score", 0.1)], {}, "no threshold of drift_score that makes", id="no-such-threshold"),
        pytest.param([], {ActionKind.RETRAIN: timedelta(days=2)}, "longer than a day", id="longer-than-guards-look-back"),
    ],
)  # fmt: skip
def test_what_no_policy_may_say_is_refused(thresholds, cooldowns, said) -> None:
    with pytest.raises(InvalidRequest, match=said):
        moved(POLICY, thresholds, cooldowns)
