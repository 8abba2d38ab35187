"""A candidate as serving would answer with it: a compiled form that is wrong, requests people made, an experiment's outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from evergreen.adapters import forest_build
from evergreen.contracts.events import GateResult
from evergreen.core import served_form
from evergreen.core.errors import NotCompilable, NotExact, Unavailable
from evergreen.core.served_form import Compiled, ExperimentOutcome, Replayed
from evergreen.ports.model import GateThresholds, Rows
from evergreen.ports.registry import CompiledVersion, GoldenRows, LoadedVersion
from evergreen.ports.traffic import RecordedRequest
from evergreen.services.gates import run_gates
from evergreen.services.gates_served import ServedForm, replay
from evergreen.services.training import train_candidate
from tests.support.tiny import BREAK, FEATURES, TinyPredictor, tiny_rows, tiny_spec

NEW = train_candidate(tiny_spec(), tiny_rows(90), pd.Timestamp("2025-03-27T00:30Z").to_pydatetime(), BREAK)
HONEST = TinyPredictor(NEW.fitted.estimators, NEW.fitted.card)


class OneHead:
    """The compiled form of a model with one head."""

    def __init__(self, off: float = 0.0) -> None:
        self._off = off

    def one(self, row: Sequence[float]) -> Mapping[str, float]:
        return {"primary": float(self.many([row])["primary"][0])}

    def many(self, rows: Any) -> Mapping[str, Any]:
        return {"primary": HONEST.predict(pd.DataFrame(rows, columns=list(FEATURES))) + self._off}


class HeadAnswers:
    def __init__(self, heads: Any, card: Mapping[str, Any]) -> None:
        self._heads = heads

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        return [{"prediction": self._heads.one([request.get(name, np.nan) for name in FEATURES])["primary"]} for request in requests]


SPEC = replace(tiny_spec(), answers=HeadAnswers)


def _loaded() -> LoadedVersion:
    rows = NEW.train[list(FEATURES)]
    return LoadedVersion(HONEST, NEW.fitted.card, GoldenRows(list(FEATURES), rows.to_numpy().tolist(), HONEST.predict(rows).tolist()), 1)


def _compiled(off: float = 0.0) -> CompiledVersion:
    heads = OneHead(off)
    return CompiledVersion(heads, lambda matrix: heads.many(matrix)["primary"], {}, None)


def _judge(
    compiled: Callable[[], CompiledVersion] = _compiled,
    *,
    probed: Mapping[str, float] | None = None,
    asked: Callable[[], Sequence[RecordedRequest]] = lambda: (),
    explained: str = "",
    spec: Any = SPEC,
) -> dict[str, GateResult]:
    form = ServedForm(spec, _loaded(), NEW.evaluation, compiled, probed or {}, asked, lambda: explained)
    return {result.name: result for result in run_gates(form.gates())}


def _request(number: int, *, off: float = 0.0, width: float = 0.2, **features: Any) -> RecordedRequest:
    asked = {"x": 0.01 * number, "group": float(number % 2), **features}
    said = HONEST.answer([{name: asked[name] for name in FEATURES}])[0]["prediction"] if isinstance(asked["x"], float) else 0.0
    return RecordedRequest(f"request-{number}", asked, said + off, said + off - width, said + off + width)


def test_a_compiled_form_that_agrees_passes_with_its_numbers() -> None:
    parity = _judge(probed={"parity": 3e-14})["parity"]
    assert parity.passed
    assert parity.numbers["compiled_difference"] == 3e-14
    assert parity.numbers["compiled_rows"] == len(NEW.train) + len(NEW.evaluation)


@pytest.mark.parametrize("off", [1e-6, -1e-6, float("nan")])
def test_a_compiled_form_that_is_a_little_wrong_is_refused_with_the_number(off: float) -> None:
    parity = _judge(lambda: _compiled(off))["parity"]
    assert not parity.passed
    if off == off:
        assert "differs by up to" in parity.detail
        assert 1e-7 < parity.numbers["compiled_difference"] < 1e-6


def test_a_compiled_form_the_child_found_wrong_is_refused_though_nobody_would_use_it() -> None:
    def wrong() -> CompiledVersion:
        raise NotExact("viral", 2e-6)

    parity = _judge(wrong, probed={"parity": 2e-6})["parity"]
    assert not parity.passed
    assert parity.numbers["compiled_difference"] == 2e-6


@pytest.mark.parametrize("spec", [pytest.param(SPEC, id="compiled-where-possible"), pytest.param(tiny_spec(), id="by-its-predictor-alone")])
def test_a_model_without_a_compiled_form_passes_and_says_why(spec: Any) -> None:
    def impossible() -> CompiledVersion:
        raise NotCompilable("only trees are known")

    parity = _judge(impossible, spec=spec)["parity"]
    assert parity.passed
    assert ("only trees are known" if spec is SPEC else "by its predictor alone") in parity.detail


def test_the_check_of_a_compiled_form_tells_a_leaf_that_is_wrong_by_a_millionth(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(300, 2)), columns=["a", "b"])
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(rows, rows["a"])
    build = forest_build.build_forest

    def wrong(*arguments: Any) -> Any:
        forest = build(*arguments)
        forest.leaves[0, 0] += 1e-6
        return forest

    monkeypatch.setattr(forest_build, "build_forest", wrong)
    with pytest.raises(NotExact) as refused:
        forest_build.checked_forest({"primary": model}, ("a", "b"), None)
    assert 1e-7 < refused.value.difference <= 1e-6


def test_requests_people_made_are_asked_again_and_disagreement_is_counted() -> None:
    asked = [_request(number, off=0.0 if number < 30 else 1.0) for number in range(40)]
    traffic = _judge(asked=lambda: asked)["traffic"]
    assert traffic.passed
    assert traffic.numbers == {"requests": 40, "failed": 0, "comparable": 40, "disagreement": 0.25}


def test_a_candidate_that_says_something_else_is_refused_unless_the_world_is_known_to_have_changed() -> None:
    asked = [_request(number, off=1.0) for number in range(40)]
    assert not _judge(asked=lambda: asked)["traffic"].passed
    explained = _judge(asked=lambda: asked, explained="the world changed on 2025-03-01")["traffic"]
    assert explained.passed
    assert "the world changed on 2025-03-01" in explained.detail
    few = _judge(asked=lambda: asked[:29])["traffic"]
    assert few.passed
    assert "too few" in few.detail


@pytest.mark.parametrize(
    "features",
    [
        pytest.param({"x": "한국어 \ud83d\ude00"}, id="text-for-a-number"),
        pytest.param({"x": float("inf")}, id="infinite"),
        pytest.param({"x": {}}, id="an-object"),
    ],
)
def test_one_request_that_fails_refuses_and_is_named(features: dict[str, Any]) -> None:
    asked = [_request(1), RecordedRequest("odd-one", {"group": 1.0, **features}, 0.0, None, None), _request(2)]
    traffic = _judge(asked=lambda: asked, explained="whatever")["traffic"]
    assert not traffic.passed
    assert "1 of 3 recorded requests fail; request odd-one" in traffic.detail


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([{"prediction": float("nan")}], id="nan"),
        pytest.param([{"prediction": "1"}], id="text"),
        pytest.param([{"prediction": True}], id="a-bool"),
        pytest.param([{}], id="nothing"),
        pytest.param([], id="no-answer"),
    ],
)
def test_an_answer_that_is_none_fails(answer: list[dict[str, Any]]) -> None:
    class Says:
        def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
            return answer

    assert replay(Says(), [_request(1)]).failed == 1


def test_before_anybody_asked_there_is_nothing_to_replay() -> None:
    traffic = _judge()["traffic"]
    assert traffic.passed
    assert "no champion was asked anything yet" in traffic.detail


def test_when_the_records_cannot_be_read_nothing_is_refused_but_passed_on() -> None:
    def away() -> Sequence[RecordedRequest]:
        raise Unavailable("Postgres does not answer")

    with pytest.raises(Unavailable):
        _judge(asked=away)


def test_records_that_are_broken_refuse() -> None:
    def broken() -> Sequence[RecordedRequest]:
        raise KeyError("features")

    assert not _judge(asked=broken)["traffic"].passed


def test_latency_is_that_of_the_form_that_serves() -> None:
    assert _judge()["latency"].passed
    assert not _judge(spec=replace(SPEC, gates=GateThresholds(max_latency_ms=0.0)))["latency"].passed


@pytest.mark.parametrize(
    ("outcome", "passed"),
    [
        pytest.param(None, True, id="none"),
        pytest.param(ExperimentOutcome("titles", 900, 0.1, 0.02, 0.2, True), True, id="better"),
        pytest.param(ExperimentOutcome("titles", 900, -0.01, -0.1, 0.1, True), True, id="no-difference"),
        pytest.param(ExperimentOutcome("titles", 900, -0.1, -0.2, -0.01, True), False, id="worse"),
        pytest.param(ExperimentOutcome("titles", 900, 0.1, 0.02, 0.2, False), False, id="groups-not-as-planned"),
        pytest.param(ExperimentOutcome("titles", 900, float("nan"), 0.0, 0.1, True), False, id="no-number"),
    ],
)
def test_an_experiment_counts_where_there_was_one(outcome: ExperimentOutcome | None, passed: bool) -> None:
    result = served_form.experiment(outcome)
    assert (result.name, result.passed) == ("experiment", passed)
    assert result.detail


@pytest.mark.parametrize(
    ("rows", "difference", "passed"), [(500, 1e-14, True), (500, 1e-6, False), (1, 0.0, False), (0, 0.0, False), (500, float("nan"), False)]
)
def test_parity_over_many_rows(rows: int, difference: float, passed: bool) -> None:
    assert served_form.parity(rows, difference, Compiled(missing="none")).passed is passed


@pytest.mark.parametrize(("disagreeing", "passed"), [(20, True), (23, True), (26, True), (27, False), (41, False)])
def test_disagreement_refuses_when_luck_does_not_explain_it(disagreeing: int, passed: bool) -> None:
    """Of 41 that differ with a chance of one half, 27 or more do in 3 % of cases, 26 or more in 6 %."""
    result = served_form.traffic(Replayed(41, comparable=41, disagreeing=disagreeing), max_disagreement=0.5, min_requests=30)
    assert result.passed is passed
    assert ("but for luck" in result.detail) == (passed and disagreeing > 20.5)


def test_where_no_disagreement_is_allowed_one_refuses() -> None:
    assert not served_form.traffic(Replayed(41, comparable=41, disagreeing=1), max_disagreement=0.0, min_requests=30).passed
    assert served_form.traffic(Replayed(41, comparable=41), max_disagreement=0.0, min_requests=30).passed


def test_traffic_without_intervals_is_replayed_and_not_compared() -> None:
    result = served_form.traffic(Replayed(100), max_disagreement=0.5, min_requests=30)
    assert result.passed
    assert result.numbers["disagreement"] == 0
