"""The recommender through the same loop as any model, on real parts: trained, gated against what is popular, promoted, loaded as a worker loads
it, found drifting on the day users turn to other movies, retrained and promoted again; what is no better is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import DeploymentRefused
from evergreen.core.release import released_at
from evergreen.domains.movies.answers import MovieAnswers
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.names import MOVIE, USER
from evergreen.domains.movies.simulator import simulate
from evergreen.domains.movies.spec import movie_spec
from evergreen.services.drift_statistics import compare_tables
from evergreen.services.drift_windows import rows_between
from evergreen.settings import Settings
from serving.loader import VersionLoader
from tests.support.claims import said
from tests.support.tiny import FrameLake
from tests.support.training_bench import Bench, training_bench

pytestmark = [pytest.mark.connected, pytest.mark.slow]
FIRST, BREAK, LAST = date(2025, 1, 1), date(2025, 3, 10), date(2025, 4, 30)
BEFORE, AFTER = released_at(date(2025, 3, 9)), released_at(LAST)


@pytest.fixture(scope="module")
def silver() -> pd.DataFrame:
    return movie_dataset().validate(simulate(FIRST, LAST, break_on=BREAK), LAST).clean


@pytest.fixture
def bench(mlflow_settings: Settings, tmp_path: Path, silver: pd.DataFrame) -> Iterator[Bench]:
    with training_bench(mlflow_settings, tmp_path, FrameLake(silver), movie_spec(), BEFORE) as bench:
        yield bench


def train(bench: Bench, at: Any, reason: str, **more: Any) -> str:
    return str(bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, at, reason=reason, **more))["model_version"])


def gates(bench: Bench, version: str) -> dict[str, dict[str, Any]]:
    """Of its last evaluation, by name."""
    told = [event.data for event in said(bench.store, "/airflow/evaluate") if event.data["model_version"] == version]
    return {gate["name"]: gate for gate in told[-1]["gates"]}


@pytest.mark.timeout(400)
def test_popularity_is_beaten_the_break_is_found_and_the_retrained_version_takes_over(bench: Bench, silver: pd.DataFrame) -> None:
    first = train(bench, BEFORE, "bootstrap")
    judged = bench.evaluate(first, BEFORE)
    assert judged["approved"], judged
    found = gates(bench, first)
    assert found["improvement"]["numbers"]["candidate"] > 1.5 * found["improvement"]["numbers"]["reference"], "better than what is popular"
    assert found["parity"]["numbers"]["compiled_rows"] > 1_000
    with bench.store.transaction() as tx:
        row = tx.versions.get(bench.spec.name, int(first.rpartition("@")[2]))
    assert row is not None
    assert row.scorecard is not None
    assert row.scorecard["reference"] == "popular"
    assert bench.promote(first, BEFORE)["epoch"] == 1
    _assert_ranks(bench, row.version)

    again = train(bench, BEFORE, "manual")
    assert bench.evaluate(again, BEFORE)["failed_gates"] == ["improvement"], "nothing new is no reason to change"
    with pytest.raises(DeploymentRefused, match="is refused, not approved"):
        bench.promote(again, BEFORE)

    assert _drifted(bench, silver, BREAK - timedelta(days=7)) == set()
    assert "in_taste" in _drifted(bench, silver, BREAK)
    cause = bench.drift(first, BREAK, released_at(BREAK + timedelta(days=6)))
    second = train(bench, AFTER, "data_drift_high", causes=(cause,))
    with bench.store.transaction() as tx:
        retrained = tx.versions.get(bench.spec.name, int(second.rpartition("@")[2]))
    assert retrained is not None
    assert retrained.trained_from == BREAK, "of the world as it is"
    judged = bench.evaluate(second, AFTER)
    assert judged["approved"], judged
    assert gates(bench, second)["improvement"]["numbers"]["relative_high"] < -0.5
    assert bench.promote(second, AFTER)["previous_version"] == first


@pytest.mark.timeout(300)
def test_a_version_that_learnt_nonsense_is_refused(bench: Bench) -> None:
    first = train(bench, BEFORE, "bootstrap")
    bench.evaluate(first, BEFORE)
    bench.promote(first, BEFORE)
    honest = bench.spec
    bench.spec = replace(honest, fit=lambda table, seed: honest.fit(_shuffled(table), seed))
    worse = train(bench, BEFORE, "manual")
    assert "improvement" in bench.evaluate(worse, BEFORE)["failed_gates"]
    assert gates(bench, worse)["improvement"]["numbers"]["relative"] > 0.2


def _shuffled(table: pd.DataFrame) -> pd.DataFrame:
    """Who chose what is lost; how often each movie was chosen is not."""
    order = np.random.default_rng(0).permutation(len(table))
    return table.assign(**{MOVIE: table[MOVIE].to_numpy()[order]}).drop_duplicates([USER, MOVIE])


def _assert_ranks(bench: Bench, version: int) -> None:
    """As a serving worker has it: the compiled form from this disk."""
    loaded = VersionLoader(bench.registry, {bench.spec.name: bench.spec}).load(bench.spec.name, version)
    assert loaded.inline, "fast enough for the event loop"
    assert isinstance(loaded.answering, MovieAnswers)
    ranker = loaded.answering.ranker(loaded.name)
    assert ranker.version == f"{bench.spec.name}@{version}"
    liked = [item for item in ranker.popular if ranker.genres(item)[0] == "Crime"][:4]
    scores = ranker.scores([(item, 1.0) for item in liked])
    best = [item for item in (ranker.items[at] for at in np.argsort(-scores)) if item not in liked][:5]
    assert sum(ranker.genres(item)[0] == "Crime" for item in best) >= 3
    assert loaded.answering.answer([{}])[0]["prediction"] == 0.0


def _drifted(bench: Bench, silver: pd.DataFrame, first: date) -> set[str]:
    """What the drift check would call affected in the week from `first`, against what the first version was trained on."""
    table = bench.spec.build_features(silver)
    reference = rows_between(table, "day", FIRST, BREAK - timedelta(days=29))
    summary = compare_tables(
        reference, rows_between(table, "day", first, first + timedelta(days=6)), bench.spec.drift_features, bench.spec.categorical_features
    )
    return {result.feature for result in summary.affected}
