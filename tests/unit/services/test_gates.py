"""The gates, measured on a tiny model: what passes, what does not, and that whatever goes wrong refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.contracts.events import GateResult
from evergreen.core.errors import NotCompilable, Unavailable
from evergreen.core.release import released_at
from evergreen.ports.model import GateThresholds
from evergreen.ports.registry import CompiledVersion, GoldenRows, LoadedVersion
from evergreen.services.bootstrap_interval import paired, unpaired
from evergreen.services.gates import Reference, Trial, run_gates
from evergreen.services.gates_served import ServedForm
from evergreen.services.training import Candidate, feature_table, train_candidate
from tests.support.tiny import BREAK, FEATURES, TinyPredictor, tiny_rows, tiny_spec

SPEC = tiny_spec()
ROWS = tiny_rows(90)
AS_OF = released_at(BREAK + timedelta(days=25))
OLD = train_candidate(SPEC, ROWS, released_at(BREAK - timedelta(days=1)))
NEW = train_candidate(SPEC, ROWS, AS_OF, BREAK)


class Answers(TinyPredictor):
    """A predictor whose predictions are spoilt."""

    def __init__(self, spoil: Callable[[Any], Any]) -> None:
        super().__init__(NEW.fitted.estimators, NEW.fitted.card)
        self._spoil = spoil

    def predict(self, features: pd.DataFrame) -> Any:
        return self._spoil(super().predict(features))


def _loaded(candidate: Candidate, predictor: TinyPredictor | None = None) -> LoadedVersion:
    honest = TinyPredictor(candidate.fitted.estimators, candidate.fitted.card)
    rows = candidate.train[list(FEATURES)]
    golden = GoldenRows(list(FEATURES), rows.to_numpy().tolist(), honest.predict(rows).tolist())
    return LoadedVersion(predictor or honest, candidate.fitted.card, golden, 10_000)


def _reference(candidate: Candidate = OLD) -> Reference:
    return Reference("tiny@1", TinyPredictor(candidate.fitted.estimators, candidate.fitted.card).predict, candidate.window.train_last)


def _no_compiled_form() -> CompiledVersion:
    raise NotCompilable("only a choice of columns before the trees is known")


def _judge(
    candidate: LoadedVersion | None = None,
    reference: Callable[[], Reference] = _reference,
    *,
    trained_to: date = NEW.window.train_last,
    rows: pd.DataFrame = NEW.evaluation,
    spec: Any = SPEC,
) -> dict[str, GateResult]:
    trial = Trial(spec, candidate or _loaded(NEW), "tiny@2", trained_to, rows, reference)
    form = ServedForm(spec, candidate or _loaded(NEW), rows, _no_compiled_form, {}, lambda: (), lambda: "")
    return {result.name: result for result in run_gates([*trial.gates(), *form.gates()])}


def _failed(results: dict[str, GateResult]) -> Sequence[str]:
    return [name for name, result in results.items() if not result.passed]


def test_the_better_model_passes_every_gate_and_says_its_numbers() -> None:
    results = _judge()
    assert _failed(results) == []
    numbers = results["improvement"].numbers
    assert numbers["relative_high"] < 0 < numbers["reference"]
    assert numbers["candidate"] == pytest.approx(NEW.metrics["mae_y"])
    assert results["parity"].numbers["largest_difference"] == 0
    assert set(results["segments"].numbers) == {"segment_0", "segment_1"}


def test_the_old_model_is_not_promoted_over_itself() -> None:
    assert "improvement" in _failed(_judge(_loaded(OLD), trained_to=OLD.window.train_last))


def test_a_model_as_good_as_the_champion_is_not_an_improvement() -> None:
    results = _judge(_loaded(NEW), lambda: _reference(NEW))
    assert _failed(results) == ["improvement"]


def test_rows_the_candidate_was_trained_on_do_not_judge_it() -> None:
    results = _judge(trained_to=NEW.window.evaluation_last)
    assert _failed(results) == ["held_out"]


def test_rows_the_champion_was_trained_on_do_not_judge_either() -> None:
    results = _judge(reference=lambda: replace(_reference(), trained_to=NEW.window.evaluation_first))
    assert _failed(results) == ["held_out"]


def test_too_few_rows_prove_nothing() -> None:
    assert "rows" in _failed(_judge(rows=NEW.evaluation.head(49)))


@pytest.mark.parametrize(
    ("spoil", "gates"),
    [
        pytest.param(lambda p: np.where(np.arange(len(p)) == 3, np.nan, p), {"predictions", "improvement"}, id="one-nan"),
        pytest.param(lambda p: np.full_like(p, np.inf), {"predictions", "improvement"}, id="infinite"),
        pytest.param(lambda p: np.full_like(p, p.mean()), {"predictions", "parity"}, id="constant"),
        pytest.param(lambda p: p[:-1], {"predictions", "improvement"}, id="one-short"),
        pytest.param(lambda p: p + 1e-6, {"parity"}, id="not-what-was-trained"),
        pytest.param(lambda p: ["a"] * len(p), {"predictions", "improvement"}, id="text"),
        pytest.param(lambda p: 1 / 0, {"predictions", "improvement", "latency"}, id="raises"),
    ],
)
def test_spoilt_predictions_are_refused(spoil: Callable[[Any], Any], gates: set[str]) -> None:
    results = _judge(_loaded(NEW, Answers(spoil)))
    assert gates <= set(_failed(results))
    assert all(result.detail for result in results.values())


def test_one_bad_segment_is_enough() -> None:
    class OneGroupWrong(TinyPredictor):
        def predict(self, features: pd.DataFrame) -> Any:
            return super().predict(features) + np.where(features["group"] == 1.0, 3.0, 0.0)

    results = _judge(_loaded(NEW, OneGroupWrong(NEW.fitted.estimators, NEW.fitted.card)))
    assert "segments" in _failed(results)
    assert "1 (70 rows) worse" in results["segments"].detail


def test_small_segments_are_judged_together() -> None:
    at = np.arange(len(NEW.evaluation))
    rows = NEW.evaluation.assign(country=np.where(at < 50, at % 5, np.where(at < 120, 9.0, np.nan)))
    spec = replace(SPEC, gates=GateThresholds(segment_column="country"))
    assert set(_judge(rows=rows, spec=spec)["segments"].numbers) == {"segment_9", "segment_the rest"}

    class SmallOnesWrong(TinyPredictor):
        def predict(self, features: pd.DataFrame) -> Any:
            said = super().predict(features)
            return said + np.where(np.arange(len(said)) < 50, 5.0, 0.0) if len(said) == len(rows) else said

    spoilt = _judge(_loaded(NEW, SmallOnesWrong(NEW.fitted.estimators, NEW.fitted.card)), rows=rows, spec=spec)["segments"]
    assert not spoilt.passed
    assert "the rest (70 rows) worse" in spoilt.detail


def test_an_interval_that_is_too_narrow_is_refused() -> None:
    narrow = _loaded(NEW, TinyPredictor(NEW.fitted.estimators, {"width": 0.01}))
    assert "coverage" in _failed(_judge(narrow))


def test_size_and_latency_are_bounded() -> None:
    results = _judge(replace(_loaded(NEW), size_bytes=10**9), spec=replace(SPEC, gates=GateThresholds(max_latency_ms=0.0)))
    assert _failed(results) == ["size", "latency"]


def test_no_golden_rows_or_other_features_are_refused() -> None:
    assert {"schema", "parity"} <= set(_failed(_judge(replace(_loaded(NEW), golden=None))))


def _close_by(predicted: Any, outcomes: Any) -> Any:
    """A score: 1 where the prediction is right, less the farther it is off."""
    return np.exp(-np.abs(predicted - outcomes))


def test_a_score_is_judged_in_its_own_direction() -> None:
    score = replace(SPEC, direction="higher", losses=_close_by)
    better = _judge(spec=score)
    assert "improvement" not in _failed(better)
    assert better["improvement"].numbers["candidate"] > better["improvement"].numbers["reference"]
    assert "improvement" in _failed(_judge(_loaded(OLD), lambda: _reference(NEW), spec=score))
    assert "improvement" in _failed(_judge(spec=replace(score, direction="lower")))


def test_losses_of_another_shape_refuse() -> None:
    assert "improvement" in _failed(_judge(spec=replace(SPEC, losses=lambda predicted, _: np.array(predicted.mean()))))


def test_a_perfect_reference_leaves_no_share_to_compare() -> None:
    zero = replace(SPEC, losses=lambda predicted, _: np.zeros(len(predicted)))
    assert {"improvement", "segments"} <= set(_failed(_judge(spec=zero)))


def test_missing_data_of_the_champion_refuses() -> None:
    def broken() -> Reference:
        raise ValueError("the champion's artifact is gone")

    results = _judge(reference=broken)
    assert {"held_out", "improvement", "segments"} == set(_failed(results))
    assert "the champion's artifact is gone" in results["improvement"].detail


def test_a_part_that_does_not_answer_refuses_nothing_but_is_passed_on() -> None:
    def away() -> Reference:
        raise Unavailable("MLflow does not answer")

    with pytest.raises(Unavailable):
        _judge(reference=away)


def test_intervals_are_the_same_each_time_and_hold_the_point() -> None:
    random = np.random.default_rng(0)
    worse, base = random.gamma(2.0, 0.12, 200), random.gamma(2.0, 0.1, 200)
    for interval in (paired, unpaired):
        one = interval(worse, base)
        assert one == interval(worse, base)
        assert one.low < one.point < one.high


def test_pairing_narrows_the_interval_of_rows_that_are_hard_for_both() -> None:
    random = np.random.default_rng(0)
    hard = random.gamma(1.0, 0.3, 200)
    ours, theirs = hard * 1.1, hard
    assert paired(ours, theirs).low == pytest.approx(0.1)
    assert unpaired(ours, theirs).low < 0


def test_the_table_holds_only_what_was_known() -> None:
    assert feature_table(SPEC, ROWS, AS_OF)["day"].max() == pd.Timestamp(BREAK + timedelta(days=25))
