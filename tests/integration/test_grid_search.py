"""A retrain that searches, on real MLflow and Postgres: its trials are child runs, and a run that died is finished, not repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from evergreen.adapters.mlflow_trials import children
from evergreen.contracts.actions import ActionKind
from evergreen.ports.grid_search import Search
from evergreen.ports.model import FittedModel
from evergreen.settings import Settings
from tests.support.claims import claimed, said
from tests.support.registry_bench import Bench, registry_bench
from tests.support.tiny import tiny_spec

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]
STRENGTHS = (0.0, 0.4, 0.8)
FATAL_CALLS = {"second child run": "runs/create", "its figures": "runs/log-batch"}


class Died(BaseException):
    pass


class Fits:
    """The tiny model with a slope drawn towards none, unless it is told how strongly. Dies once, where it is told to."""

    def __init__(self, dies_at: int = -1) -> None:
        self.count, self._dies_at = 0, dies_at

    def __call__(self, table: pd.DataFrame, seed: int, params: Mapping[str, float]) -> FittedModel:
        self.count += 1
        if self.count == self._dies_at:
            raise Died
        fitted = tiny_spec().fit(table, seed)
        fitted.estimators["primary"].coef_ *= 1.0 - params.get("strength", 0.6)
        return fitted


@pytest.fixture(scope="module")
def bench(mlflow_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with registry_bench(mlflow_settings, tmp_path_factory.mktemp("search")) as made:
        yield made


def trials_of(bench: Bench, version: int) -> list[dict[str, Any]]:
    """Child runs of the version's run by number: status, parameters, metrics, tags."""
    rest, name = bench.registry._rest, bench.spec.name
    run_id = rest.get("model-versions/get", name=name, version=str(version))["model_version"]["run_id"]
    experiment = rest.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"]
    found = []
    for run in children(rest, experiment, run_id):
        data = {part: {pair["key"]: pair["value"] for pair in run["data"].get(part, [])} for part in ("params", "metrics", "tags")}
        found.append({"status": run["info"]["status"], **data})
    return sorted(found, key=lambda run: int(run["tags"]["evergreen.trial"]))


def params_of(bench: Bench, version: int) -> dict[str, str]:
    run_id = bench.registry._rest.get("model-versions/get", name=bench.spec.name, version=str(version))["model_version"]["run_id"]
    run = bench.registry._rest.get("runs/get", run_id=run_id)["run"]
    return {pair["key"]: pair["value"] for pair in run["data"]["params"]}


@pytest.mark.parametrize("dies", ["never", "third trial", "second child run", "its figures"])
def test_a_search_is_told_whole_and_once_wherever_it_died(bench: Bench, dies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, fits = bench.spec.name, Fits(3 if dies == "third trial" else -1)
    bench.spec = replace(bench.spec, search=Search({"strength": STRENGTHS}, 4, 600.0, fits))
    claim = claimed(bench.store, bench.clock, ActionKind.RETRAIN, {}, model=name, target=name)
    if dies != "never":
        with monkeypatch.context() as patched:
            if dies in FATAL_CALLS:
                patched.setattr(bench.registry._rest, "post", _dying(bench.registry._rest.post, FATAL_CALLS[dies]))
            with pytest.raises(Died):
                bench.retrainer.run(claim)
    version = int(bench.retrainer.run(claim)["model_version"].rpartition("@")[2])

    trials = trials_of(bench, version)
    assert [(trial["status"], trial["tags"]["evergreen.trial"]) for trial in trials] == [("FINISHED", str(number)) for number in range(4)]
    assert trials[0]["params"] == {}
    assert {trial["params"].get("strength") for trial in trials} == {None, *map(str, STRENGTHS)}
    best = min(trials, key=lambda trial: float(trial["metrics"]["mae_y_validation"]))
    assert [trial["tags"]["evergreen.chosen"] for trial in trials].count("true") == 1
    assert (best["tags"]["evergreen.chosen"], best["params"]) == ("true", {"strength": "0.0"})
    told = params_of(bench, version)
    assert (told["trials"], told["search.strength"]) == ("4", "0.0")
    completed = [event.data for event in said(bench.store, "/airflow/retrain") if event.type == "model_training_completed"]
    assert [data["model_version"] for data in completed].count(f"{name}@{version}") == 1
    assert len(bench.registry._rest.get("model-versions/search", filter=f"name='{name}'", max_results="50")["model_versions"]) == version


def _dying(post: Any, path: str) -> Any:
    """At the third call: of the version's own run the first, of child runs the second and third."""
    seen = 0

    def call(asked: str, body: Mapping[str, Any]) -> Any:
        nonlocal seen
        seen += asked == path
        if asked == path and seen == 3:
            raise Died
        return post(asked, body)

    return call
