"""How often the gates approve what truly is worse, equal or better, on Korea's lists where they are there, else on the simulator's; and that
models which only look good are refused by the gate meant for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.contracts.events import GateResult
from evergreen.core import evaluation as verdict
from evergreen.core.errors import NotCompilable
from evergreen.core.relative_drop import relative_drop
from evergreen.core.release import released_at
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.model import VideoPredictor
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import Chances
from evergreen.ports.registry import CompiledVersion, GoldenRows, LoadedVersion
from evergreen.services.bootstrap_interval import paired
from evergreen.services.gates import Reference, Trial, run_gates
from evergreen.services.gates_served import ServedForm
from evergreen.services.row_losses import losses_on
from evergreen.services.training import Candidate, feature_table, fit_candidate, rows_between, training_window
from evergreen.settings import load_settings

pytestmark = pytest.mark.slow
SPEC = video_spec()
BREAK, AUTUMN = date(2025, 7, 24), date(2025, 9, 30)
WINDOWS, ROWS = 500, 110


@dataclass(frozen=True)
class Korea:
    silver: pd.DataFrame

    def table(self, day: date) -> pd.DataFrame:
        return feature_table(SPEC, self.silver, released_at(day))

    def version(self, day: date, change: date | None = None) -> Candidate:
        table = self.table(day)
        return fit_candidate(SPEC, table, training_window(SPEC, table, change))


@pytest.fixture(scope="module")
def korea() -> Korea:
    folder = load_settings(with_stack=False).test_data / "youtube"
    if not folder.is_dir():
        return Korea(simulate(date(2025, 2, 23), AUTUMN, break_on=BREAK))
    rows = load_lists(folder, "KR")
    return Korea(rows[rows["list_date"].between("2025-02-23", str(AUTUMN))])


@dataclass(frozen=True)
class Calm:
    champion: Any
    candidate: Any
    category: Any


@pytest.fixture(scope="module")
def calm(korea: Korea) -> Calm:
    pool = rows_between(SPEC, korea.table(date(2025, 7, 20)), date(2025, 6, 16), date(2025, 7, 20))
    errors = [
        losses_on(SPEC, VideoPredictor(made.fitted.estimators, made.fitted.card, "KR").predict(pool[list(SPEC.feature_names)]), pool)
        for made in (korea.version(date(2025, 6, 8)), korea.version(date(2025, 6, 22)))
    ]
    return Calm(errors[0], errors[1], pool["category_id"].to_numpy())


def _approved(calm: Calm, truly: float) -> float:
    gates, random, approved = SPEC.gates, np.random.default_rng(0), 0
    candidate = calm.candidate * calm.champion.mean() * (1 + truly) / calm.candidate.mean()
    for _ in range(WINDOWS):
        at = random.integers(0, len(candidate), ROWS)
        ours, theirs, category = candidate[at], calm.champion[at], calm.category[at]
        better = verdict.better(
            paired(ours, theirs, "lower"), ours.mean(), theirs.mean(), margin=gates.non_inferiority_margin, min_improvement=gates.min_improvement
        )
        large = [name for name in np.unique(category[category == category]) if (category == name).sum() >= gates.segment_min_rows]
        groups = [*(category == name for name in large), ~np.isin(category, large)]
        measured = [verdict.Segment(str(k), int(one.sum()), relative_drop(ours[one].mean(), theirs[one].mean(), "lower")) for k, one in enumerate(groups)]
        approved += better.passed and verdict.segments(measured, margin=gates.segment_margin, min_rows=gates.segment_min_rows).passed
    return approved / WINDOWS


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("truly", "at_least", "at_most"),
    [
        pytest.param(0.02, 0.0, 0.09, id="2-percent-worse"),
        pytest.param(0.0, 0.0, 0.16, id="equal"),
        pytest.param(-0.10, 0.88, 1.0, id="10-percent-better"),
        pytest.param(-0.15, 0.94, 1.0, id="15-percent-better"),
    ],
)
def test_operating_points(calm: Calm, truly: float, at_least: float, at_most: float) -> None:
    """The guide's table, within five points."""
    assert at_least <= _approved(calm, truly) <= at_most


class Spoilt(VideoPredictor):
    def __init__(self, made: Candidate, predicts: Callable[[Any], Any], says: Callable[[Chances], Chances]) -> None:
        super().__init__(made.fitted.estimators, made.fitted.card, "KR")
        self._predicts, self._says = predicts, says

    def predict(self, features: pd.DataFrame) -> Any:
        return self._predicts(super().predict(features))

    def chances(self, rows: pd.DataFrame) -> dict[str, Chances]:
        return {head: self._says(said) for head, said in super().chances(rows).items()}


@dataclass(frozen=True)
class Judged:
    champion: Candidate
    candidate: Candidate

    def __call__(self, predictor: VideoPredictor, made: Candidate) -> Mapping[str, GateResult]:
        old = _honest(self.champion)
        rows = made.train[list(SPEC.feature_names)].head(400)
        loaded = LoadedVersion(predictor, made.fitted.card, GoldenRows(list(rows.columns), rows.to_numpy().tolist(), predictor.predict(rows).tolist()), 10**6)
        reference = Reference("m@1", old.predict, self.champion.window.train_last, old.chances)
        trial = Trial(SPEC, loaded, "m@2", made.window.train_last, self.candidate.evaluation, lambda: reference)
        form = ServedForm(SPEC, loaded, self.candidate.evaluation, _none, {}, lambda: (), lambda: "")
        return {result.name: result for result in run_gates([*trial.gates(), *form.gates()])}


def _none() -> CompiledVersion:
    raise NotCompilable("tested elsewhere")


def _honest(made: Candidate) -> VideoPredictor:
    return VideoPredictor(made.fitted.estimators, made.fitted.card, "KR")


@pytest.fixture(scope="module")
def judged(korea: Korea) -> Judged:
    return Judged(korea.version(date(2025, 6, 15)), korea.version(AUTUMN, BREAK))


def _failed(results: Mapping[str, GateResult]) -> set[str]:
    return {name for name, result in results.items() if not result.passed}


def test_the_retrained_model_passes_every_gate_after_the_break(judged: Judged) -> None:
    assert _failed(judged(_honest(judged.candidate), judged.candidate)) == set()


def test_a_copy_of_the_champion_is_refused(judged: Judged) -> None:
    assert _failed(judged(_honest(judged.champion), judged.champion)) >= {"improvement"}


def _same(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("predicts", "says", "gate"),
    [
        pytest.param(lambda said: 2 * said.mean() - said, _same, "improvement", id="flipped"),
        pytest.param(lambda said: np.random.default_rng(0).permutation(said) - 1.0, _same, "improvement", id="shuffled"),
        pytest.param(lambda said: np.full_like(said, 4.0), _same, "predictions", id="constant"),
        pytest.param(_same, lambda said: _with(said, lambda chance: np.round(chance)), "calibration", id="pushed-to-0-and-1"),
        pytest.param(_same, lambda said: _with(said, lambda chance: 1 - chance), "calibration", id="turned-round"),
    ],
)
def test_what_only_looks_good_is_refused_by_the_gate_meant_for_it(
    judged: Judged, predicts: Callable[[Any], Any], says: Callable[[Chances], Chances], gate: str
) -> None:
    assert gate in _failed(judged(Spoilt(judged.candidate, predicts, says), judged.candidate))


def _with(said: Chances, change: Callable[[Any], Any]) -> Chances:
    return said._replace(probability=change(said.probability))


def test_a_base_rate_for_everybody_is_calibrated_and_a_constant_prediction_still_refuses_it(judged: Judged) -> None:
    useless = Spoilt(judged.candidate, lambda said: np.full_like(said, said.mean()), _base_rate)
    failed = _failed(judged(useless, judged.candidate))
    assert "calibration" not in failed
    assert failed >= {"predictions"}


def _base_rate(said: Chances) -> Chances:
    known = said.outcome[np.isfinite(said.outcome)]
    return _with(said, lambda chance: np.full_like(chance, known.mean()))
