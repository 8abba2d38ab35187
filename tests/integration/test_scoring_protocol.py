"""The same requests to `mlflow models serve` and to a worker, both with the version our registry adapter put into a real MLflow: the same
answers, the same statuses, the same shapes of refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from evergreen.adapters import artifacts
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.mlflow_registry import MlflowRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import WallClock
from evergreen.domains.videos.spec import video_spec
from evergreen.environment import child_environment
from evergreen.ports.registry import NewVersion, RegisteredVersion
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied
from tests.support.mlflow_bodies import Bodies, Request
from tests.support.worker_processes import simulated_table, trained_version, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(400)]
SPEC = video_spec("KR")
NAMES = list(SPEC.feature_names)


@dataclass
class Both:
    mlflow: httpx.Client
    ours: httpx.Client
    bodies: Bodies
    version: RegisteredVersion

    def ask(self, asked: Request) -> tuple[httpx.Response, httpx.Response]:
        headers = {"connection": "close"} | ({} if asked.kind is None else {"content-type": asked.kind})  # MLflow drops a connection after its 500
        theirs, mine = (client.post("/invocations", content=asked.body, headers=headers) for client in (self.mlflow, self.ours))
        return theirs, mine


@pytest.fixture(scope="module")
def both(mlflow_settings: Settings) -> Iterator[Both]:
    table, version = registered(mlflow_settings)
    rows = [[None if value != value else value for value in row] for row in table[NAMES].astype("float64").tail(3).to_numpy().tolist()]
    with (
        closing(emptied(PostgresStore(mlflow_settings.postgres.dsn.get_secret_value()))) as store,
        mlflow_models_serve(mlflow_settings, version) as theirs,
        workers(mlflow_settings, ("serving-00",)) as started,
        httpx.Client(base_url=theirs, timeout=60) as mlflow,
        httpx.Client(base_url=started.url, timeout=60, headers=started.headers) as ours,
    ):
        until(lambda: _answers(ours), 60)
        promoted(mlflow_settings, store, version)
        until(lambda: _answers(mlflow), 120)
        yield Both(mlflow, ours, Bodies(NAMES, rows), version)


def registered(settings: Settings) -> tuple[Any, RegisteredVersion]:
    table = simulated_table()
    key = artifacts.signing_key(settings.signing_key.get_secret_value())
    registry = MlflowRegistry(settings.mlflow.tracking_uri, cache=settings.home / "data" / "models", key=key)
    return table, registry.register(NewVersion(str(uuid4()), SPEC, SPEC.fit(table, 0), table, {}, {}, {}, {}))


@contextmanager
def mlflow_models_serve(settings: Settings, version: RegisteredVersion) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", f"models:/{version.model}/{version.version}"]
    environment = child_environment(settings.home) | {"MLFLOW_TRACKING_URI": settings.mlflow.tracking_uri}
    (settings.home / "logs").mkdir(exist_ok=True)
    with (settings.home / "logs" / "mlflow-models-serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=settings.home,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/ping").status_code == 200
    except httpx.TransportError:
        return False


def promoted(settings: Settings, store: PostgresStore, version: RegisteredVersion) -> None:
    clock = WallClock()
    with store.transaction() as tx:
        tx.versions.insert(trained_version(SPEC.name, version.version, run_id=version.run_id, uri=version.uri))
    projection = ChampionProjection(store, MemoryRegistry(Path(settings.home)), [SPEC.name])
    deploy = Deploy(store, clock, CarryOut(store, clock), projection, min_confirmations=1, confirm_seconds=120)
    claim = claimed(store, clock, ActionKind.PROMOTE, {"forced": True, "reason": "test"}, model=SPEC.name, target=version.name)
    Promote(deploy).run(claim)


def test_the_same_requests_are_answered_and_refused_alike(both: Both) -> None:
    wrong, answered = [], 0
    for name, request in both.bodies.same().items():
        theirs, mine = both.ask(request)
        answered += theirs.status_code == 200
        if (told := difference(theirs, mine)) is not None:
            wrong.append(f"{name}: {told}")
    assert wrong == []
    assert len(both.bodies.same()) >= 100
    assert answered >= 40


def difference(theirs: httpx.Response, mine: httpx.Response) -> str | None:
    if theirs.status_code != mine.status_code or theirs.headers["content-type"] != mine.headers["content-type"]:
        return f"{theirs.status_code} {theirs.headers['content-type']} and {mine.status_code} {mine.headers['content-type']} {mine.text[:200]}"
    if theirs.status_code == 415:
        return None
    said, ours = theirs.json(), mine.json()
    if theirs.status_code == 200:
        same = set(said) == set(ours) and np.shape(said["predictions"]) == np.shape(ours["predictions"])
        return None if same and np.allclose(said["predictions"], ours["predictions"], rtol=0, atol=1e-9) else f"{said} and {ours}"
    codes = [(found["error_code"], found["sqlstate"], found["error_class"]) for found in (said, ours)]
    return None if codes[0] == codes[1] and set(said) - {"stack_trace"} == set(ours) else f"{said} and {ours}"


def test_where_we_differ_on_purpose_it_is_as_the_guide_says(both: Both) -> None:
    found = {name: tuple(answer.status_code for answer in both.ask(request)) for name, (request, _, _) in both.bodies.different().items()}
    assert found == {name: (theirs, ours) for name, (_, theirs, ours) in both.bodies.different().items()}


def test_a_thousand_rows_get_the_same_answers(both: Both) -> None:
    random = np.random.default_rng(7)
    rows = random.uniform(0, 60, (1000, len(NAMES)))
    data = [[None if random.random() < 0.05 else value for value in row] for row in rows.tolist()]
    theirs, mine = both.ask(Request(json.dumps({"dataframe_split": {"columns": NAMES, "data": data}}).encode()))
    assert mine.headers["x-model-version"] == both.version.name
    assert np.abs(np.array(theirs.json()["predictions"]) - np.array(mine.json()["predictions"])).max() <= 1e-9


def test_ping_health_and_version_are_the_same(both: Both) -> None:
    for path in ("/ping", "/health", "/version"):
        theirs, mine = both.mlflow.get(path), both.ours.get(path)
        assert (theirs.status_code, theirs.headers["content-type"], theirs.content) == (mine.status_code, mine.headers["content-type"], mine.content)


def test_open_inference_says_the_same_of_the_same_rows(both: Both) -> None:
    rows = both.bodies.rows
    theirs, _ = both.ask(both.bodies.same()["split: all rows"])
    one_each = [{"name": name, "shape": [len(rows), 1], "datatype": "FP64", "data": [row[at] for row in rows]} for at, name in enumerate(NAMES)]
    whole = {"name": "rows", "shape": [len(rows), len(NAMES)], "datatype": "FP64", "data": rows}
    for inputs in (one_each, [whole]):
        answer = both.ours.post(f"/v2/models/{SPEC.name}/versions/{both.version.version}/infer", json={"inputs": inputs})
        assert answer.json()["outputs"][0]["data"] == pytest.approx(theirs.json()["predictions"], abs=1e-9)
