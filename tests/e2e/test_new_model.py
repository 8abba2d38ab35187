"""A stranger's data goes the whole way with nothing but a spec written: two models of one home, one of numbers and one of two classes, from a
folder of files through a break of their world to a retrained champion. The commands are those of docs/guides/bring-your-own-model.md."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from evergreen.bootstrap import Parts
from evergreen.environment import CHECKOUT
from evergreen.local_stack.testing import short_home, stack
from evergreen.services.row_losses import losses_on
from evergreen.services.training import feature_table, read_silver, rows_between
from tests.support.intake_stack import until
from tests.support.strangers import FIRST_DAY, sales, write_folder
from tests.support.tokens import bearer

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(900)]
STACK = {"postgres", "kafka", "redis", "mlflow", "airflow", "serving", "intake", "indexer"}
PER_DAY = 50
TRAINED, CALM, BROKEN = 42, 14, 14


@dataclass(frozen=True)
class Model:
    name: str
    target: str
    other: str
    """The other target, which the folder does not hold: it would tell the answer."""
    first: date

    @property
    def broke(self) -> date:
        return self.first + timedelta(days=TRAINED + CALM)

    @property
    def last(self) -> date:
        return self.broke + timedelta(days=BROKEN - 1)


FLATS = Model("flats", "Price", "quick", FIRST_DAY)
QUICK = Model("quick_sales", "quick", "Price", FLATS.last + timedelta(days=7))
"""Later: a replay's clock goes forward only."""
ROW = {"area_m2": 100.0, "age": 10.0, "balcony": True, "noise": 0.1, "district": "north"}
MODELS = pytest.mark.parametrize("model", [FLATS, QUICK], ids=lambda model: model.name)


@dataclass
class Played:
    parts: Parts
    url: str

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        import psycopg2

        with psycopg2.connect(self.parts.settings.postgres.dsn.get_secret_value()) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def champion(self, model: Model) -> str:
        [(version,)] = self.ask("SELECT model || '@' || version FROM champions WHERE model = %s", model.name)
        return str(version)

    def refused(self, model: Model) -> list[tuple[str, list[str]]]:
        """Submitted versions that were, and by which gates."""
        found = self.ask(
            "SELECT model || '@' || version, scorecard FROM model_versions WHERE model = %s AND cause = 'submitted' AND status = 'refused'", model.name
        )
        return [(version, [gate["name"] for gate in card["gates"] if not gate["passed"]]) for version, card in found]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.parts.access.own_token('test')()}"}, timeout=20)


def evergreen(home: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "evergreen.cli.main", "--home", str(home), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"evergreen {' '.join(arguments)}: {done.stdout[-1500:]}{done.stderr[-2500:]}"
    return done.stdout


def play(home: Path, model: Model, source: Path) -> None:
    """Its whole story: trained on six weeks, then in use."""
    known = model.first + timedelta(days=TRAINED - 1)
    replay = ["replay-data", str(source), "--model", model.name]
    evergreen(home, *replay, "--to", str(known), "--batch-days", str(TRAINED), "--no-app")
    evergreen(home, "models", "train", model.name)
    evergreen(home, *replay, "--from", str(known + timedelta(days=1)), "--batch-days", "7")


def theirs(features: tuple[str, ...]) -> Any:
    """What a person who knows flats would write."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    district, others = [features.index("district")], [at for at, name in enumerate(features) if name != "district"]
    told_apart = ColumnTransformer([("district", OneHotEncoder(handle_unknown="ignore"), district), ("others", "passthrough", others)], sparse_threshold=0)
    return make_pipeline(SimpleImputer(), told_apart, LinearRegression())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    data = tmp_path_factory.mktemp("data")
    with short_home() as home:
        for model in (FLATS, QUICK):
            rows = sales(TRAINED + CALM + BROKEN, first=model.first, break_on=model.broke, per_day=PER_DAY)
            source = write_folder(data / model.name, rows, drop=model.other)
            evergreen(home, "new-model", model.name, "--from", str(source), "--time", "Sold at", "--target", model.target)
            evergreen(home, "new-model", model.name, "--check", "--from", str(source))
        with stack(STACK, home) as settings:
            begun = time.monotonic()
            for model in (FLATS, QUICK):
                play(home, model, data / model.name)
            print(f"both stories: {time.monotonic() - begun:.0f} s")  # noqa: T201 - the figure belongs into the test's report
            yield Played(Parts(settings), settings.serving.url)


@MODELS
def test_while_it_is_calm_nothing_is_said_above_low(played: Played, model: Model) -> None:
    said = played.ask(
        """SELECT type, data->>'severity' FROM events WHERE time < %s AND (subject = %s OR subject = %s) AND type IN
           ('data_drift_detected', 'data_quality_issue', 'model_performance_degraded')""",
        model.broke,
        model.name,
        f"{model.name}.rows",
    )
    assert [kind for kind, severity in said if severity != "low"] == []


@MODELS
def test_the_break_is_found_in_the_right_column_and_a_better_version_serves(played: Played, model: Model) -> None:
    [first, *_] = played.ask(
        "SELECT data->'window'->>'first_day', data->'affected_features' FROM events WHERE type = 'data_drift_detected' AND subject = %s ORDER BY time",
        f"{model.name}.rows",
    )
    assert first[0] == str(model.broke)
    assert "area_m2" in {feature["name"] for feature in first[1]}
    versions = played.ask("SELECT version FROM deployments WHERE model = %s AND status = 'confirmed' ORDER BY epoch", model.name)
    assert len(versions) >= 2
    parts, spec = played.parts, played.parts.spec(model.name)
    table = feature_table(spec, read_silver(parts.lake, spec, parts.clock.now()), parts.clock.now())
    rows = rows_between(spec, table, model.last - timedelta(days=6), model.last)
    losses = [
        float(np.mean(losses_on(spec, parts.registry.load(spec, version).predictor.predict(rows[list(spec.feature_names)]), rows)))
        for (version,) in (versions[0], versions[-1])
    ]
    assert losses[1] <= 0.7 * losses[0], losses


@MODELS
def test_predictions_are_joined_with_what_came_true(played: Played, model: Model) -> None:
    told = played.ask("SELECT n, coverage FROM performance_reports WHERE model = %s", model.name)
    assert told
    assert min(coverage for _, coverage in told) > 0.9
    assert played.ask("SELECT count(*) FROM predictions WHERE model = %s AND entity IS NULL", model.name) == [(0,)]


@MODELS
def test_both_protocols_answer_alike(played: Played, model: Model) -> None:
    tensors: list[dict[str, Any]] = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]} for name, value in ROW.items()
    ]
    tensors[2] |= {"data": [1.0]}
    with played.client() as client:
        by_mlflow = client.post(f"/models/{model.name}/invocations", json={"dataframe_records": [{"listing_id": "new-1", **ROW}]})
        by_tensors = client.post(f"/v2/models/{model.name}/infer", json={"inputs": tensors})
        told = client.post("/feedback", json={"model": model.name, "entity": "new-1", "outcome": {"price": 1.0} if model is FLATS else {"quick": "yes"}})
    assert (by_mlflow.status_code, by_tensors.status_code, told.status_code) == (200, 200, 202), (by_mlflow.text, by_tensors.text, told.text)
    assert by_mlflow.json()["predictions"] == by_tensors.json()["outputs"][0]["data"]
    assert by_mlflow.headers["x-model-version"].startswith(f"{model.name}@")


def test_a_job_says_of_its_rows_what_a_request_says(played: Played) -> None:
    rows = [{"listing_id": f"job-{at}", **ROW, "area_m2": 60.0 + at, "district": "south" if at % 2 else "moon"} for at in range(40)]
    with played.client() as client:
        body = "\n".join(json.dumps(row) for row in rows)
        job = client.post(f"/jobs/predictions?model={FLATS.name}", content=body, headers={"content-type": "application/x-ndjson"})
        assert job.status_code == 202, job.text
        place = job.headers["location"]
        until(lambda: client.get(place).json()["state"] == "succeeded", 60, lambda: client.get(place).json())
        said = [json.loads(line) for line in client.get(f"{place}/result").text.splitlines()]
        asked = client.post(f"/models/{FLATS.name}/invocations", json={"dataframe_records": rows})
    assert [row["listing_id"] for row in said] == [row["listing_id"] for row in rows]
    assert np.allclose([row["prediction"] for row in said], asked.json()["predictions"], rtol=0, atol=1e-9)


@MODELS
def test_the_report_is_whole(played: Played, model: Model) -> None:
    report = evergreen(played.parts.settings.home, "models", "report", model.name)
    assert all(word in report for word in (model.name, "improvement", "coverage", "calibration"))


def test_a_better_model_trained_elsewhere_is_promoted_and_a_worse_one_refused(played: Played) -> None:
    """The better one by the command line, the worse one by HTTP."""
    import mlflow

    parts, spec, seen_to = played.parts, played.parts.spec(FLATS.name), FLATS.last - timedelta(days=7)
    table = feature_table(spec, read_silver(parts.lake, spec, parts.clock.now()), parts.clock.now())
    rows = rows_between(spec, table, FLATS.broke, seen_to)
    mlflow.set_tracking_uri(parts.settings.mlflow.tracking_uri)

    def logged(sense: float) -> str:
        model = theirs(spec.feature_names).fit(rows[list(spec.feature_names)], sense * rows[spec.target])
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(
                model, name="theirs", serialization_format="skops", skops_trusted_types=["numpy.dtype"], pip_requirements=["scikit-learn"]
            )
        return str(info.model_uri)

    asked = ["--model", FLATS.name, "--trained-to", str(seen_to), "--reason", "prices are smooth", "--json"]
    better = json.loads(evergreen(parts.settings.home, "models", "submit", logged(1.0), *asked))["result"]["model_version"]
    until(lambda: played.champion(FLATS) == better, 120, lambda: evergreen(parts.settings.home, "models", "report", better))
    with played.client() as client:
        answer = client.post(f"/models/{FLATS.name}/invocations", json={"dataframe_records": [ROW]})
        body = {"uri": logged(-1.0), "trained_to": str(seen_to), "reason": "the other way round"}
        told = client.post(f"/models/{FLATS.name}/candidates", json=body, headers=bearer(parts.settings))
    assert answer.headers["x-model-version"] == better
    assert told.status_code == 202, told.text
    until(lambda: played.refused(FLATS), 120)
    [(worse, failed)] = played.refused(FLATS)
    assert "improvement" in failed
    assert played.champion(FLATS) == better != worse


def test_they_do_not_mix_and_the_videos_are_as_before(played: Played) -> None:
    for model in (FLATS, QUICK):
        others = played.ask(
            "SELECT count(*) FROM actions WHERE model = %s AND params::text LIKE %s", model.name, f"%{(QUICK if model is FLATS else FLATS).name}%"
        )
        assert others == [(0,)]
    assert played.ask("SELECT count(*) FROM model_versions WHERE model = 'video_performance'") == [(0,)]
    assert played.ask("SELECT count(*) FROM videos") == [(0,)]


def test_nothing_but_the_spec_was_written(played: Played) -> None:
    folder = played.parts.settings.home / "models"
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()) == [
        "flats/README.md",
        "flats/spec.toml",
        "quick_sales/README.md",
        "quick_sales/spec.toml",
    ]
    assert not [
        line
        for line in subprocess.run(["git", "status", "--short", "include"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split()
        if line == "??"
    ]
