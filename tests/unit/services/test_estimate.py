"""An estimate follows the inputs and says that it is one; what the inputs mean it cannot know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from evergreen.ports.performance import AskedPrediction, PerformanceEstimate
from evergreen.ports.versions import VersionRow
from evergreen.services.estimate_performance import estimate, told_estimate
from evergreen.services.row_losses import expected_losses
from tests.support.tiny import tiny_spec

SPEC = tiny_spec()
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
EASY, HARD = 0.1, 0.4
"""Standard deviations of the noise; the interval of a row knows which it is."""


def _rows(random: np.random.Generator, n: int, share_hard: float) -> Any:
    return np.where(random.random(n) < share_hard, HARD, EASY)


def _version(random: np.random.Generator, rows: int = 200) -> VersionRow:
    spread = _rows(random, rows, 0.2)
    card = {"baseline_errors": np.abs(random.normal(0, spread)).tolist(), "baseline_expected": float((1.28 * spread).mean())}
    return VersionRow("tiny", 1, None, "", "", "test", date(2025, 1, 1), date(2025, 1, 20), 1, NOW, scorecard=card)


def _asked(spread: Any, *, told: float = 0.0, start: datetime = NOW) -> list[AskedPrediction]:
    return [
        AskedPrediction(f"e{at}", start - timedelta(minutes=at), 1.0, 1.0 - 1.28 * one, 1.0 + 1.28 * one, at < told * len(spread))
        for at, one in enumerate(spread.tolist())
    ]


def _estimate(version: VersionRow, asked: list[AskedPrediction]) -> PerformanceEstimate | None:
    return estimate(SPEC, version, asked, ZoneInfo("UTC"), NOW, None)


def test_it_follows_the_inputs_within_a_tenth() -> None:
    """The hard rows become three times as many."""
    off = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        version, spread = _version(random, rows=400), _rows(random, 400, 0.6)
        found = _estimate(version, _asked(spread))
        assert found is not None
        assert found.low < found.estimated < found.high
        off.append(abs(found.estimated / float((np.sqrt(2 / np.pi) * spread).mean()) - 1.0))
    assert np.quantile(off, 0.9) <= 0.1
    assert found is not None
    assert found.estimated > 1.5 * found.baseline


def test_what_the_inputs_mean_it_cannot_see_and_says_so() -> None:
    """The same inputs with any other outcome give the same estimate, which is marked."""
    random = np.random.default_rng(1)
    version = _version(random)
    found = _estimate(version, _asked(_rows(random, 200, 0.2)))
    assert found is not None
    assert found.estimated == pytest.approx(found.baseline, rel=0.2)
    told = told_estimate(found)
    assert told["kind"] == "estimated"
    assert "cannot see" in told["caveat"]
    assert (told["n"], told["coverage"], told["window"]) == (200, 0.0, ["2025-02-01", "2025-02-01"])


@pytest.mark.parametrize(("told", "is_said"), [pytest.param(0.49, True, id="less-than-half"), pytest.param(0.5, False, id="half")])
def test_enough_outcomes_are_told_instead(told: float, is_said: bool) -> None:
    random = np.random.default_rng(2)
    assert (_estimate(_version(random), _asked(_rows(random, 200, 0.2), told=told)) is not None) is is_said


@pytest.mark.parametrize(
    ("card", "rows"),
    [
        pytest.param({}, 200, id="no-card"),
        pytest.param({"baseline_expected": 0.0}, 200, id="never-judged-with-its-intervals"),
        pytest.param({"baseline_errors": [0.1] * 49}, 200, id="few-held-out-rows"),
        pytest.param(None, 49, id="few-predictions"),
        pytest.param(None, 0, id="no-prediction"),
    ],
)
def test_from_too_little_nothing_is_estimated(card: dict[str, Any] | None, rows: int) -> None:
    random = np.random.default_rng(3)
    version = _version(random)
    if card is not None:
        version = replace(version, scorecard={} if not card else {**(version.scorecard or {}), **card})
    assert _estimate(version, _asked(_rows(random, rows, 0.2))) is None


def test_a_spec_may_know_better_what_to_expect() -> None:
    """Of a chance p the Brier score is p(1 - p)."""
    chances = replace(SPEC, expected_losses=lambda predicted, lower, upper: predicted * (1.0 - predicted))
    assert expected_losses(chances, np.array([0.5, 0.9]), np.zeros(2), np.ones(2)) == pytest.approx([0.25, 0.09])
