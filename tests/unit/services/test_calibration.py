"""Chances that mean what they say, ones that do not, and that luck is not mistaken for either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.events import GateResult
from evergreen.core.calibration import Calibration, CalibrationBounds, calibrated
from evergreen.core.errors import EvergreenError
from evergreen.ports.model import Chances
from evergreen.ports.registry import LoadedVersion
from evergreen.services.gates import Reference, Trial, run_gates
from evergreen.services.measure_calibration import measure_calibration
from tests.support.tiny import TinyPredictor, tiny_spec

BOUNDS = CalibrationBounds(gap=0.15, surprise=0.5, min_rows=50)


def _honest(n: int, seed: int) -> Chances:
    random = np.random.default_rng(seed)
    chance = random.beta(1.0, 3.0, n)
    return Chances(chance, (random.random(n) < chance).astype(float))


def _pushed(chances: Chances) -> Chances:
    return Chances((chances.probability > 0.5).astype(float), chances.outcome)


def _verdict(chances: Chances, reference: Mapping[str, Calibration] | None = None) -> GateResult:
    return calibrated({"viral": measure_calibration(chances)}, reference or {}, BOUNDS)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(60, 5000), seed=st.integers(0, 10_000))
def test_honest_chances_pass_at_any_number_of_rows(n: int, seed: int) -> None:
    found = measure_calibration(_honest(n, seed))
    assert abs(found.gap) < 0.12
    assert abs(found.surprise) < 0.45
    assert _verdict(_honest(n, seed)).passed


@pytest.mark.parametrize("n", [60, 110, 1000])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_pushed, id="pushed-to-0-and-1"),
        pytest.param(lambda c: Chances(np.clip(c.probability + 0.35, 0, 1), c.outcome), id="too-high"),
        pytest.param(lambda c: Chances(1 - c.probability, c.outcome), id="turned-round"),
        pytest.param(lambda c: Chances(np.full_like(c.probability, 0.7), c.outcome), id="a-constant-that-is-wrong"),
    ],
)
def test_chances_that_do_not_mean_what_they_say_are_refused(spoil: Callable[[Chances], Chances], n: int) -> None:
    refused = [not _verdict(spoil(_honest(n, seed))).passed for seed in range(20)]
    assert sum(refused) >= 19


def test_the_base_rate_alone_is_calibrated_and_no_more_is_asked_here() -> None:
    honest = _honest(500, 0)
    assert _verdict(Chances(np.full(500, honest.outcome.mean()), honest.outcome)).passed


def test_keeping_a_champion_that_is_worse_helps_nobody() -> None:
    off = _verdict(Chances(np.clip(_honest(500, 0).probability + 0.3, 0, 1), _honest(500, 0).outcome), {"viral": Calibration(500, 0.4, 0.6)})
    assert off.passed
    assert off.numbers["viral_gap"] > BOUNDS.gap


def test_outcomes_that_are_not_known_yet_are_left_out_and_too_few_are_said() -> None:
    honest = _honest(100, 1)
    late = Chances(honest.probability, np.where(np.arange(100) < 51, np.nan, honest.outcome))
    judged = calibrated({"viral": measure_calibration(honest), "still_listed": measure_calibration(late)}, {}, BOUNDS)
    assert judged.passed
    assert "still_listed: 49 outcomes known, 50 needed" in judged.detail
    alone = calibrated({"still_listed": measure_calibration(late)}, {}, BOUNDS)
    assert not alone.passed


@pytest.mark.parametrize("chance", [np.nan, -0.1, 1.1])
def test_what_is_no_chance_is_an_error(chance: float) -> None:
    with pytest.raises(EvergreenError):
        measure_calibration(Chances(np.array([0.5, chance]), np.array([1.0, 0.0])))


def test_no_head_shows_nothing_so_the_gate_fails() -> None:
    assert not calibrated({}, {}, BOUNDS).passed
    assert measure_calibration(Chances(np.array([]), np.array([]))).n == 0


def _gate(chances: Any, reference: Any = None) -> GateResult:
    predictor = TinyPredictor({"primary": None}, {"width": 1.0})
    rows = pd.DataFrame({"day": pd.to_datetime(["2025-01-01"] * 60)})
    trial = Trial(
        replace(tiny_spec(), chances=chances),
        LoadedVersion(predictor, {}, None, 1),
        "tiny@2",
        pd.Timestamp("2024-12-31").date(),
        rows,
        lambda: Reference("tiny@1", lambda _: np.zeros(60), None, reference),
    )
    return next(result for result in run_gates(trial.gates()) if result.name == "calibration")


def test_the_gate_measures_what_the_spec_offers() -> None:
    assert _gate(None).passed
    assert _gate(lambda predictor, rows: {"viral": _honest(len(rows), 2)}).passed
    assert not _gate(lambda predictor, rows: {"viral": _pushed(_honest(len(rows), 2))}).passed
    assert _gate(lambda predictor, rows: {"viral": _pushed(_honest(60, 2))}, lambda rows: {"viral": _pushed(_honest(60, 2))}).passed


@pytest.mark.parametrize(
    "chances",
    [
        pytest.param(lambda predictor, rows: 1 / 0, id="raises"),
        pytest.param(lambda predictor, rows: {"viral": Chances(np.full(60, np.nan), np.zeros(60))}, id="nan"),
        pytest.param(lambda predictor, rows: {"viral": Chances(np.zeros(0), np.zeros(0))}, id="no-data"),
        pytest.param(lambda predictor, rows: {}, id="no-head"),
    ],
)
def test_without_a_number_it_fails(chances: Any) -> None:
    result = _gate(chances)
    assert not result.passed
    assert result.detail
