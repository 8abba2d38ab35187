"""The middle of the loop on real parts: train, judge, promote, wait for the break, retrain, judge, promote. Korea's lists where they are
there, else the simulator's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.errors import DeploymentRefused, NotEnoughData
from evergreen.core.release import released_at
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.services.retrain_report import RetrainReports
from evergreen.settings import Settings, load_settings
from tests.support.claims import said
from tests.support.tiny import FrameLake, tiny_rows, tiny_spec
from tests.support.training_bench import Bench, training_bench

pytestmark = [pytest.mark.connected, pytest.mark.slow]
BREAK = date(2025, 7, 24)
BOOTSTRAPPED = released_at(date(2025, 6, 15))
AUTUMN = released_at(date(2025, 9, 30))


@pytest.fixture(scope="module")
def silver() -> pd.DataFrame:
    folder = load_settings().test_data / "youtube"
    if not folder.is_dir():
        return simulate(date(2025, 2, 23), date(2025, 9, 30), break_on=BREAK)
    rows = load_lists(folder, "KR")
    return rows[rows["list_date"].between("2025-02-23", "2025-12-31")]


@pytest.fixture
def videos(mlflow_settings: Settings, tmp_path: Path, silver: pd.DataFrame) -> Iterator[Bench]:
    with training_bench(mlflow_settings, tmp_path, FrameLake(silver, "list_date"), video_spec(), BOOTSTRAPPED) as bench:
        yield bench


@pytest.fixture
def bench(mlflow_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    """The same parts around a model that trains in a millisecond."""
    with training_bench(mlflow_settings, tmp_path, FrameLake(tiny_rows(40)), tiny_spec(f"tiny_{uuid4().hex[:8]}"), BOOTSTRAPPED) as bench:
        yield bench


def _number(version: str) -> int:
    return int(version.rpartition("@")[2])


@pytest.mark.timeout(300)
def test_bootstrap_break_retrain_and_promotion(videos: Bench) -> None:
    bench = videos
    first = bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, BOOTSTRAPPED, reason="bootstrap"))["model_version"]
    judged = bench.evaluate(first, BOOTSTRAPPED)
    assert judged["approved"], judged
    assert bench.promote(first, BOOTSTRAPPED)["epoch"] == 1

    cause = bench.drift(first, BREAK, released_at(date(2025, 7, 30)))
    later = bench.drift(first, date(2025, 7, 31), released_at(date(2025, 8, 6)))
    other = bench.drift(f"{bench.spec.name}@999", date(2025, 1, 1), released_at(date(2025, 8, 6)))
    retrained = bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, AUTUMN, reason="data_drift_high", causes=(later, cause, other)))
    second = retrained["model_version"]
    with bench.store.transaction() as tx:
        row = tx.versions.get(bench.spec.name, _number(second))
        assert tx.change_points.days(bench.spec.name) == [BREAK]
    assert row is not None
    assert (row.trained_from, row.cause) == (BREAK, "data_drift_high")
    judged = bench.evaluate(second, AUTUMN)
    assert judged["approved"], judged
    assert bench.promote(second, AUTUMN)["previous_version"] == first

    aliases = bench.registry.aliases(bench.spec.name)
    assert aliases == {"champion": _number(second), "previous_champion": _number(first)}
    _assert_card(bench, second, against=first)
    _assert_said(bench, first, second)
    _assert_page(bench, second, against=first)


def _assert_card(bench: Bench, version: str, *, against: str) -> None:
    with bench.store.transaction() as tx:
        row = tx.versions.get(bench.spec.name, _number(version))
    assert row is not None
    assert row.scorecard is not None
    assert (row.status, row.scorecard["reference"], row.scorecard["judged_against"]) == ("approved", against, _number(against))
    assert row.scorecard["rows_after_as_of"] == 0
    assert len(row.scorecard["baseline_errors"]) == row.scorecard["n"] > 100
    improvement = next(gate for gate in row.scorecard["gates"] if gate["name"] == "improvement")
    assert improvement["numbers"]["relative_high"] < 0


def _assert_page(bench: Bench, version: str, *, against: str) -> None:
    """As MLflow keeps it beside the run."""
    reports = RetrainReports(bench.store, bench.registry, lambda _: bench.spec)
    reports.attach(version)
    with bench.store.transaction() as tx:
        row = tx.versions.get(bench.spec.name, _number(version))
    assert row is not None
    kept = Path(bench.registry._client().download_artifacts(row.run_id, "report.html")).read_bytes()
    assert kept == reports.html(version)
    for words in ("approved", "data_drift_high", f"from the day the world is known to have changed, {BREAK}", "drift score 0.90", against, "Serves, in bake."):
        assert words in kept.decode(), words


def _assert_said(bench: Bench, first: str, second: str) -> None:
    training = [event.type for event in said(bench.store, "/airflow/retrain")]
    assert training == ["model_training_started", "model_training_completed"] * 2
    evaluated = [event.data for event in said(bench.store, "/airflow/evaluate")]
    assert [(data["model_version"], data["champion_version"], data["approved"]) for data in evaluated] == [(first, None, True), (second, first, True)]
    names = [gate["name"] for gate in evaluated[1]["gates"]]
    assert names == [
        *("quarantine", "artifact", "rows", "held_out", "schema", "predictions", "improvement", "segments", "coverage"),
        *("calibration", "size", "parity", "latency", "traffic", "experiment", "baseline"),
    ]
    assert all(gate["numbers"] for gate in evaluated[1]["gates"] if gate["name"] not in {"quarantine", "held_out", "schema", "traffic", "experiment"})
    assert [event.data["model_version"] for event in said(bench.store, "/airflow/promote")] == [first, second]


def test_a_challenger_with_nothing_new_is_refused_with_its_numbers(bench: Bench) -> None:
    first = bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, BOOTSTRAPPED, reason="bootstrap"))["model_version"]
    bench.evaluate(first, BOOTSTRAPPED)
    bench.promote(first, BOOTSTRAPPED)
    again = bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, BOOTSTRAPPED, reason="manual"))["model_version"]
    judged = bench.evaluate(again, BOOTSTRAPPED)
    assert (judged["approved"], judged["failed_gates"]) == (False, ["improvement"])
    with pytest.raises(DeploymentRefused, match="is refused, not approved"):
        bench.promote(again, BOOTSTRAPPED)
    (refused,) = [event.data for event in said(bench.store, "/airflow/evaluate") if not event.data["approved"]]
    improvement = next(gate for gate in refused["gates"] if gate["name"] == "improvement")
    assert improvement["numbers"]["relative"] == pytest.approx(0.0, abs=1e-9)


def test_a_retrain_that_died_after_registering_is_written_down_not_repeated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = bench.claim(ActionKind.RETRAIN, bench.spec.name, BOOTSTRAPPED, reason="bootstrap")
    dying = bench.retrainer()

    class Died(BaseException):
        pass

    def dies(*_: Any, **__: Any) -> None:
        raise Died

    monkeypatch.setattr(dying._work.carry_out, "complete", dies)
    with pytest.raises(Died):
        dying.run(claim)
    monkeypatch.undo()
    repeat = bench.retrainer()
    monkeypatch.setattr(repeat, "_train", dies)
    result = repeat.run(claim)
    with bench.store.transaction() as tx:
        (row,) = tx.versions.of_model(bench.spec.name)
        assert tx.actions.require(claim.action.id).status is ActionStatus.SUCCEEDED
    assert (row.name, row.action_id) == (result["model_version"], UUID(str(claim.action.id)))
    assert [event.type for event in said(bench.store, "/airflow/retrain")] == ["model_training_started", "model_training_completed"]


def test_without_data_a_retrain_says_so(bench: Bench) -> None:
    claim = bench.claim(ActionKind.RETRAIN, bench.spec.name, datetime(2024, 1, 1, tzinfo=BOOTSTRAPPED.tzinfo), reason="bootstrap")
    with pytest.raises(NotEnoughData, match="holds nothing"):
        bench.retrain(claim)


def test_an_artifact_that_was_tampered_with_is_refused_by_evaluation_and_nothing_else_is_asked(bench: Bench, mlflow_settings: Settings) -> None:
    first = bench.retrain(bench.claim(ActionKind.RETRAIN, bench.spec.name, BOOTSTRAPPED, reason="bootstrap"))
    folder = next((Path(mlflow_settings.home) / "data" / "mlflow-artifacts").rglob(f"{first['run_id']}/artifacts/evergreen"))
    (folder / "card.json").write_bytes((folder / "card.json").read_bytes().replace(b"0", b"1", 1))
    judged = bench.evaluate(first["model_version"], BOOTSTRAPPED)
    assert (judged["approved"], judged["failed_gates"]) == (False, ["artifact"])
