"""A promise is judged by what was measured; what was not measured is not called kept."""

from __future__ import annotations

import pytest

from evergreen.core.promises import Answered, Handling, Outcomes, availability, handling, success


def test_events_are_handled_in_time_or_not() -> None:
    assert handling(Handling(200, 0.4, 200)).state == "kept"
    assert handling(Handling(200, 1.0, 198)).state == "kept"
    assert handling(Handling(200, 1.2, 150)).state == "broken"
    assert handling(Handling(0, None, 0)).state == "unmeasured"


def test_success_is_a_share_of_what_finished() -> None:
    promise = success(Outcomes(99, 1))
    assert (promise.state, promise.value, promise.n) == ("kept", 0.99, 100)
    assert promise.budget_left == pytest.approx(0.8)
    assert success(Outcomes(18, 2)).state == "broken"
    assert success(Outcomes(0, 0)).state == "unmeasured"


@pytest.mark.parametrize(
    ("found", "value", "state", "left"),
    [
        pytest.param(Answered(100, 100, 2000.0, 1.0), 0.9995, "kept", 0.5, id="one-request-of-two-thousand"),
        pytest.param(Answered(1000, 990, 2000.0, 0.0), 0.99, "broken", -9.0, id="nobody-could-ask"),
        pytest.param(Answered(100, 100, 0.0, 0.0), 1.0, "kept", 1.0, id="nobody-asked"),
        pytest.param(Answered(100, 100, 10.0, 10.0), 0.0, "broken", -999.0, id="up-and-failing"),
    ],
)
def test_the_worse_of_probes_and_requests_counts(found: Answered, value: float, state: str, left: float) -> None:
    promise = availability(found)
    assert promise.value == pytest.approx(value)
    assert promise.state == state
    assert promise.budget_left == pytest.approx(left)


def test_without_any_probe_nothing_is_said() -> None:
    assert availability(Answered(0, 0, 0.0, 0.0)).state == "unmeasured"
