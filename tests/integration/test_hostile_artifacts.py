"""Eight hostile artifacts on real MLflow and Postgres: through the gates, and by an alias moved to them. Each is refused with an event or an
alert that names it, no code of it runs, nothing is left over, and the champion answers all the while."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.linear_model import LinearRegression

from evergreen.adapters import artifacts
from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.ports.model import FittedModel
from evergreen.services.examine_moved import ExamineMoved
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.registry_bench import KEY, Bench, Touch, answering, registry_bench
from tests.support.tiny import FEATURES, tiny_rows

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def bench(mlflow_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """With a first version that serves."""
    with registry_bench(mlflow_settings, tmp_path_factory.mktemp("hostile")) as made:
        yield made


def pickle_that_touches_a_file(bench: Bench, version: int) -> None:
    (bench.signed(version) / "primary.skops").write_bytes(pickle.dumps(Touch(bench.touched)))


def mlmodel_flipped_to_cloudpickle(bench: Bench, version: int) -> None:
    logged = bench.logged(version)
    (logged / "MLmodel").write_text((logged / "MLmodel").read_text().replace("skops", "cloudpickle"))
    (logged / "model.skops").write_bytes(pickle.dumps(Touch(bench.touched)))


def widened_type_list(bench: Bench, version: int) -> None:
    file = bench.logged(version) / "MLmodel"
    widened = file.read_text().replace("skops_trusted_types:", "skops_trusted_types:\n    - builtins.eval")
    assert "builtins.eval" in widened
    file.write_text(widened)


def extra_code_paths(bench: Bench, version: int) -> None:
    logged = bench.logged(version)
    (logged / "code").mkdir()
    (logged / "code" / "evil.py").write_text(f"open({str(bench.touched)!r}, 'w')")
    (logged / "MLmodel").write_text((logged / "MLmodel").read_text().replace("code: null", "code: code"))


def flipped_byte(bench: Bench, version: int) -> None:
    file = bench.signed(version) / "primary.skops"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(bytes(body))


def truncated_zip(bench: Bench, version: int) -> None:
    file = bench.signed(version) / "primary.skops"
    file.write_bytes(file.read_bytes()[:-40])


def _wider(table: pd.DataFrame) -> LinearRegression:
    return LinearRegression().fit(table[[*FEATURES, "y"]], table["y"])


def _nothing(table: pd.DataFrame) -> LinearRegression:
    model = LinearRegression().fit(table[list(FEATURES)], table["y"])
    model.coef_ = np.full(len(FEATURES), np.nan)
    return model


def _signed_all_the_same(bench: Bench, version: int, estimator: LinearRegression) -> None:
    """By somebody who has the key."""
    folder = bench.signed(version)
    golden, beside = artifacts.read_golden(folder, KEY), artifacts.signed_logged_model(folder)
    fitted = FittedModel({"primary": estimator}, {"width": 10.0, "seed": 0})
    artifacts.save(folder, fitted, identity=f"{bench.spec.name}@{version}", key=KEY, golden=golden, logged_model=beside)


Harm = Callable[[Bench, int], None]
TAMPERED: Mapping[Harm, str] = {
    pickle_that_touches_a_file: "has more than|SHA-256",
    mlmodel_flipped_to_cloudpickle: "MLmodel is not what was signed",
    widened_type_list: "MLmodel is not what was signed",
    extra_code_paths: "other files than were signed: code/evil.py",
    flipped_byte: "SHA-256",
    truncated_zip: "SHA-256",
}


@pytest.mark.parametrize("harm", TAMPERED, ids=lambda harm: harm.__name__)
def test_a_tampered_version_is_refused_by_the_gates_and_by_alias(bench: Bench, harm: Harm) -> None:
    name, children = bench.spec.name, set(psutil.Process().children(recursive=True))
    version = bench.trained()
    harm(bench, version)
    bench.projection.reconcile()
    with answering(bench):
        judged = bench.evaluate(version)
        bench.registry.set_aliases(name, {"champion": version})
        bench.projection.reconcile()
    assert (judged["approved"], judged["failed_gates"]) == (False, ["artifact"])
    event = [event.data for event in said(bench.store, "/airflow/evaluate")][-1]
    artifact = next(gate for gate in event["gates"] if gate["name"] == "artifact")
    pattern = TAMPERED[harm]
    assert _fits(pattern, artifact["detail"]), artifact
    with bench.store.transaction() as tx:
        alert = tx.alerts.newest(1)[0]
    assert f"champion of {name} was moved by hand from version 1 to version {version}, which is refused (" in alert.message
    assert _fits(pattern, alert.message), alert.message
    assert_quarantined(bench, version, pattern)
    assert bench.registry.aliases(name)["champion"] == 1
    assert not bench.touched.exists()
    assert set(psutil.Process().children(recursive=True)) <= children


def _fits(pattern: str, text: str) -> bool:
    return any(one in text for one in pattern.split("|"))


def assert_quarantined(bench: Bench, version: int, pattern: str) -> None:
    """In the table, and as MLflow's UI shows it."""
    with bench.store.transaction() as tx:
        row = tx.versions.get(bench.spec.name, version)
    assert row is not None
    assert _fits(pattern, str(row.quarantined)), row.quarantined
    tags = bench.registry._rest.get("model-versions/get", name=bench.spec.name, version=str(version))["model_version"]["tags"]
    assert {"key": "evergreen.quarantined", "value": row.quarantined} in tags


@pytest.mark.parametrize(
    ("made", "said_by_the_gate", "said_by_the_alert"),
    [
        pytest.param(_wider, "feature names should match", "does not answer the 2 features serving sends", id="wrong-feature-count"),
        pytest.param(_nothing, "finite", "its predictions are not sane: 499 of 499 not finite", id="constant-NaN"),
    ],
)
def test_a_version_signed_for_what_it_is_not_is_refused_too(
    bench: Bench, made: Callable[[pd.DataFrame], LinearRegression], said_by_the_gate: str, said_by_the_alert: str
) -> None:
    name, children = bench.spec.name, set(psutil.Process().children(recursive=True))
    version = bench.trained()
    _signed_all_the_same(bench, version, made(tiny_rows(59)))
    bench.projection.reconcile()
    with answering(bench):
        judged = bench.evaluate(version)
        bench.registry.set_aliases(name, {"champion": version})
        bench.projection.reconcile()
    assert judged["approved"] is False
    assert {"predictions", "parity"} <= set(judged["failed_gates"])
    event = [event.data for event in said(bench.store, "/airflow/evaluate")][-1]
    predictions = next(gate for gate in event["gates"] if gate["name"] == "predictions")
    assert said_by_the_gate in predictions["detail"]
    with bench.store.transaction() as tx:
        unfit, moved = tx.alerts.newest(2)
    assert f"from version 1 to version {version}" in moved.message
    assert f"{name}@{version}, to which an alias was moved by hand, is refused (" in unfit.message
    assert said_by_the_alert in unfit.message
    assert_quarantined(bench, version, said_by_the_alert)
    assert bench.registry.aliases(name)["champion"] == 1
    assert set(psutil.Process().children(recursive=True)) <= children
    bench.registry.set_aliases(name, {"champion": version})
    bench.projection.reconcile()
    with bench.store.transaction() as tx:
        again = tx.alerts.newest(1)[0]
    assert "which is quarantined (refused (" in again.message
    assert said_by_the_alert in again.message


def test_a_fit_version_an_alias_was_moved_to_stays_as_it_is(bench: Bench) -> None:
    version = bench.trained()
    bench.projection.reconcile()
    bench.registry.set_aliases(bench.spec.name, {"champion": version})
    bench.projection.reconcile()
    with bench.store.transaction() as tx:
        row, alert = tx.versions.get(bench.spec.name, version), tx.alerts.newest(1)[0]
    assert row is not None
    assert row.quarantined is None
    assert f"moved by hand from version 1 to version {version}. It is put back" in alert.message


def test_the_version_that_serves_is_told_of_and_goes_on_serving(bench: Bench) -> None:
    name = bench.spec.name
    examine = ExamineMoved(bench.store, bench.registry, lambda _: replace(bench.spec, feature_names=("x",)), bench.clock.now)
    with answering(bench):
        examine.run(name, 1, "")
    with bench.store.transaction() as tx:
        row, alert = tx.versions.get(name, 1), tx.alerts.newest(1)[0]
    assert row is not None
    assert row.quarantined is None
    assert f"{name}@1, to which an alias was moved by hand, is refused (its features are not those serving sends)" in alert.message


def test_a_version_somebody_registered_by_hand_is_named_as_not_ours(bench: Bench) -> None:
    name = bench.spec.name
    rest: MlflowRest = bench.registry._rest
    run = rest.post("runs/create", {"experiment_id": "0"})["run"]["info"]
    made = rest.post("model-versions/create", {"name": name, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]})["model_version"]
    with answering(bench):
        bench.registry.set_aliases(name, {"champion": int(made["version"])})
        bench.projection.reconcile()
    with bench.store.transaction() as tx:
        alert = tx.alerts.newest(1)[0]
    assert f"to version {made['version']}, which is not a version of ours (run {run['run_id']} has no complete signed version" in alert.message
    assert bench.registry.aliases(name)["champion"] == 1
