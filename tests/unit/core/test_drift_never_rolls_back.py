"""Inputs that move say nothing about the model's error: whatever a drift event says and whatever happened before, nothing is rolled back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.actions import ActionKind
from evergreen.core.state import State
from tests.support.events import features
from tests.unit.core.test_policy import DRIFT, STATES, WORDS, accepted, asked

SAID = st.fixed_dictionaries(
    {"severity": WORDS | st.none(), "drift_score": st.floats(0, 1), "affected_features": st.integers(0, 9).map(features), "n": st.integers(0, 10**6)}
)


@given(state=STATES, said=SAID)
def test_drift_of_any_severity_in_any_state_asks_for_no_rollback(state: State, said: dict[str, Any]) -> None:
    """Not even for one that a guard stops."""
    assert ActionKind.ROLLBACK not in {answer.kind for answer in asked(DRIFT, state, **said).answers}


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_each_severity_has_an_answer(severity: str) -> None:
    """So that the property is not empty."""
    assert accepted(asked(DRIFT, severity=severity)).keys() in ({ActionKind.MONITOR, ActionKind.ALERT}, {ActionKind.RETRAIN, ActionKind.ALERT})
