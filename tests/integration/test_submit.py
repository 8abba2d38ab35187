"""Models trained elsewhere, logged in MLflow by somebody else's code, on real MLflow and Postgres: in at the same door, through the same gates."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from evergreen.contracts.actions import ActionStatus
from evergreen.core.errors import InvalidRequest, KeyReused
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.registry_bench import Bench, Logged, Touch, answering, registry_bench
from tests.support.tiny import BREAK, FEATURES, tiny_rows

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]
SEEN_TO = BREAK - timedelta(days=20)
ROWS = tiny_rows(39)
"""What the author had: days before SEEN_TO."""


@pytest.fixture(scope="module")
def bench(mlflow_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with registry_bench(mlflow_settings, tmp_path_factory.mktemp("submit")) as made:
        yield made


def _good() -> LinearRegression:
    return LinearRegression().fit(ROWS[list(FEATURES)], ROWS["y"])


def _failed(bench: Bench) -> list[dict[str, Any]]:
    return [event.data for event in said(bench.store, "/airflow/retrain") if event.type == "action_failed"]


def test_a_model_of_somebody_elses_is_signed_judged_and_one_per_key(bench: Bench) -> None:
    logged = Logged(bench, _good())
    row = bench.submit(logged.uri, SEEN_TO, key="once")
    assert row.status is ActionStatus.SUCCEEDED, row.error
    assert row.result is not None
    version = int(str(row.result["model_version"]).rpartition("@")[2])
    assert bench.submit(logged.uri, SEEN_TO, key="once").result == row.result
    with pytest.raises(KeyReused):
        bench.submit(logged.run_uri, SEEN_TO, key="once")
    bench.registry.verify(bench.spec.name, version)
    loaded = bench.registry.load(bench.spec, version)
    held = tiny_rows(59).tail(50)
    assert (loaded.predictor.predict(held) == _good().predict(held[list(FEATURES)])).all()
    judged = bench.evaluate(version)
    assert judged["failed_gates"] == ["improvement"]
    with bench.store.transaction() as tx:
        recorded = tx.versions.get(bench.spec.name, version)
    assert recorded is not None
    assert recorded.cause == "submitted"
    assert recorded.trained_to >= SEEN_TO
    trained = [event.data for event in said(bench.store, "/airflow/retrain") if event.type == "model_training_completed"]
    assert trained[-1]["reason"] == "submitted"


@pytest.mark.parametrize("form", ["run", "version", "alias"])
def test_it_may_be_named_by_run_version_or_alias(bench: Bench, form: str) -> None:
    import mlflow

    logged = Logged(bench, _good())
    uri = logged.run_uri
    if form != "run":
        name = f"elsewhere_{form}"
        made = mlflow.register_model(logged.uri, name)
        mlflow.MlflowClient().set_registered_model_alias(name, "best", made.version)
        uri = f"models:/{name}/{made.version}" if form == "version" else f"models:/{name}@best"
    row = bench.submit(uri, SEEN_TO)
    assert row.status is ActionStatus.SUCCEEDED, row.error


def test_a_worse_one_is_refused_by_the_gates(bench: Bench) -> None:
    worse = LinearRegression().fit(ROWS[list(FEATURES)], -ROWS["y"])
    row = bench.submit(Logged(bench, worse).uri, SEEN_TO)
    assert row.result is not None, row.error
    judged = bench.evaluate(int(str(row.result["model_version"]).rpartition("@")[2]))
    assert judged["approved"] is False
    assert "improvement" in judged["failed_gates"]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/x", "file:///etc/passwd", "s3://b/k", "models:/../1", "/etc/model"])
def test_what_is_no_model_of_our_mlflow_is_not_even_recorded(bench: Bench, uri: str) -> None:
    with pytest.raises(InvalidRequest, match="comes from this stack's MLflow"):
        bench.submit(uri, SEEN_TO)
    with pytest.raises(InvalidRequest, match="lies in the future"):
        bench.submit("models:/a/1", date(2999, 1, 1))


def test_one_that_is_not_there_fails_with_words(bench: Bench) -> None:
    for uri in ("models:/nobody/1", f"models:/m-{'0' * 32}", f"runs:/{'0' * 32}/model"):
        row = bench.submit(uri, SEEN_TO)
        assert (row.status, row.attempts) == (ActionStatus.FAILED, 1)
        assert row.error


def _rewritten(was: str, now: str) -> Callable[[Path, Path], None]:
    def harm(folder: Path, _: Path) -> None:
        text = (folder / "MLmodel").read_text()
        assert was in text
        (folder / "MLmodel").write_text(text.replace(was, now, 1))

    return harm


def _pickled(folder: Path, touched: Path) -> None:
    (folder / "model.skops").write_bytes(pickle.dumps(Touch(touched)))


def _flipped_to_cloudpickle(folder: Path, touched: Path) -> None:
    _pickled(folder, touched)
    _rewritten("serialization_format: skops", "serialization_format: cloudpickle")(folder, touched)


def _code(folder: Path, touched: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "evil.py").write_text(f"open({str(touched)!r}, 'w')")
    _rewritten("code: null", "code: code")(folder, touched)


def _flipped_byte(folder: Path, _: Path) -> None:
    body = bytearray((folder / "model.skops").read_bytes())
    body[len(body) // 2] ^= 0xFF
    (folder / "model.skops").write_bytes(bytes(body))


def _truncated(folder: Path, _: Path) -> None:
    (folder / "model.skops").write_bytes((folder / "model.skops").read_bytes()[:-40])


def _of(estimator: Callable[[], Any]) -> Callable[[Path, Path], None]:
    def harm(folder: Path, _: Path) -> None:
        (folder / "model.skops").write_bytes(skops.io.dumps(estimator()))

    return harm


def _nan() -> LinearRegression:
    model = _good()
    model.coef_ = np.full(len(FEATURES), np.nan)
    return model


def _wide() -> LinearRegression:
    return LinearRegression().fit(ROWS[[*FEATURES, "y"]], ROWS["y"])


def _huge(folder: Path, _: Path) -> None:
    with (folder / "model.skops").open("r+b") as file:
        file.truncate(2 * 2**30)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        pytest.param(_pickled, "not a whole archive", id="pickle-that-touches-a-file"),
        pytest.param(_flipped_to_cloudpickle, "only skops is taken", id="flipped-to-cloudpickle"),
        pytest.param(_rewritten("- numpy.dtype", "- builtins.eval"), "asks to trust types that are not allowed: builtins.eval", id="widened-type-list"),
        pytest.param(_code, "not taken: code/evil.py", id="extra-code-paths"),
        pytest.param(_flipped_byte, "submitted.skops cannot be", id="flipped-byte"),
        pytest.param(_truncated, "not a whole archive", id="truncated-zip"),
        pytest.param(_of(_wide), "does not answer the 2 features", id="wrong-feature-count"),
        pytest.param(_of(_nan), "answers are not finite", id="constant-nan"),
        pytest.param(_huge, "the limit is", id="two-gibibytes"),
    ],
)
def test_a_hostile_one_fails_for_good_and_runs_nothing(bench: Bench, harm: Callable[[Path, Path], None], words: str) -> None:
    children = set(psutil.Process().children(recursive=True))
    logged = Logged(bench, _good())
    harm(logged.folder, bench.touched)
    with answering(bench):
        row = bench.submit(logged.uri, SEEN_TO)
    assert (row.status, row.attempts) == (ActionStatus.FAILED, 1)
    assert words in str(row.error)
    assert _failed(bench)[-1]["error"] == row.error
    assert not bench.touched.exists()
    assert set(psutil.Process().children(recursive=True)) <= children
