"""MLflow behind the `ModelRegistry` port.

Guarantee: one action, one version, however often the step is repeated. The run is found by its tag `evergreen.action_id`, the logged
model by the run's tag, the version by its run; the signature of the artifact folder is uploaded last and marks the version complete.
Failure: the process dies between any two calls, or MLflow does. Remedy: `register` again goes on where the first one stopped."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evergreen.adapters import artifacts, compiled, logged_model
from evergreen.adapters.artifact_probe import Probed, probe_in_child
from evergreen.adapters.artifact_store import ArtifactStore
from evergreen.adapters.artifact_vet import vet_in_child
from evergreen.adapters.golden import golden_rows
from evergreen.adapters.mlflow_log import log_primary
from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.adapters.mlflow_trees import MlflowTrees
from evergreen.adapters.mlflow_trials import log_trials
from evergreen.core.errors import ArtifactRefused, NotFound
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import CompiledVersion, LoadedVersion, NewVersion, RegisteredVersion

FOLDER = "evergreen"
"""Of the run's artifacts: the signed version, the only files our loader reads."""
ACTION_TAG = "evergreen.action_id"
_MODEL_TAG = "evergreen.logged_model"
_COMPLETE_TAG = "evergreen.complete"
_SUMMARY_TAG = "evergreen.summary"
_MAX_PARAM = 500


class MlflowRegistry:
    def __init__(self, tracking_uri: str, *, cache: Path, key: bytes, public_url: str = "") -> None:
        self._rest = MlflowRest(tracking_uri)
        self._tracking_uri = tracking_uri
        self._public_url = (public_url or tracking_uri).rstrip("/")
        self._key = key
        self._store = ArtifactStore(self._rest, cache, key)

    def find(self, model: str, action_id: str) -> RegisteredVersion | None:
        run = self._run_of(model, action_id)
        found = None if run is None else self._version_of(model, run["info"]["run_id"])
        return found if found is not None and _COMPLETE_TAG in _tags(run["data"].get("tags", []) if run else []) else None

    def register(self, new: NewVersion) -> RegisteredVersion:
        model = new.spec.name
        run = self._run_of(model, new.action_id) or self._start_run(new)
        run_id, tags = run["info"]["run_id"], _tags(run["data"].get("tags", []))
        if _MODEL_TAG not in tags:
            tags[_MODEL_TAG] = " ".join(log_primary(self._tracking_uri, run_id, new))
            self._tag_run(run_id, _MODEL_TAG, tags[_MODEL_TAG])
        version = self._version_of(model, run_id) or self._create_version(new, run_id, *tags[_MODEL_TAG].split(" "))
        if _COMPLETE_TAG not in tags:
            log_trials(self._rest, run["info"]["experiment_id"], run_id, new.spec.metric, new.trials)
            self._upload(new, run, version, tags[_MODEL_TAG].split(" ")[1])
            self._tag_run(run_id, _COMPLETE_TAG, "true")
            self._rest.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
        return version

    def load(self, spec: ModelSpec, version: int) -> LoadedVersion:
        folder = self._store.fetch(spec.name, version)
        estimators, card = artifacts.load_verified(folder, spec.trusted_types, self._key, identity=f"{spec.name}@{version}")
        size = sum(file.stat().st_size for file in folder.iterdir())
        return LoadedVersion(spec.predictor(estimators, card), card, artifacts.read_golden(folder, self._key), size)

    def compiled(self, spec: ModelSpec, version: int) -> CompiledVersion:
        folder = self._store.fetch(spec.name, version)
        with compiled.one_at_a_time(folder):
            found = compiled.read_version(folder, self._key, spec.form)
            if found is None:
                self._probe(spec, version, folder)
                found = compiled.read_version(folder, self._key, spec.form)
        if found is None:
            raise ArtifactRefused(f"the compiled form of {spec.name}@{version} does not stay on this disk")
        return found

    def probe(self, spec: ModelSpec, version: int) -> Mapping[str, float]:
        return self._probe(spec, version, self._store.check(spec.name, version)).figures

    def verify(self, model: str, version: int) -> None:
        self._store.check(model, version)

    def vet(self, spec: ModelSpec, version: int) -> None:
        vet_in_child(self._store.check(spec.name, version), spec, self._key, identity=f"{spec.name}@{version}")

    def _probe(self, spec: ModelSpec, version: int, folder: Path) -> Probed:
        probed = probe_in_child(folder, spec, self._key, identity=f"{spec.name}@{version}")
        compiled.write(folder, self._key, body=probed.compiled, not_compilable=probed.not_compilable)
        return probed

    def annotate(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._rest.post("model-versions/set-tag", {"name": model, "version": str(version), "key": key, "value": value[:5000]})

    def attach(self, run_id: str, name: str, body: bytes, content_type: str) -> None:
        uri = self._rest.get("runs/get", run_id=run_id)["run"]["info"]["artifact_uri"]
        if not self._rest.upload(uri, name, body, content_type):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / name).write_bytes(body)
                self._client().log_artifact(run_id, str(Path(folder) / name))

    def aliases(self, model: str) -> dict[str, int]:
        try:
            registered = self._rest.get("registered-models/get", name=model)["registered_model"]
        except NotFound:
            return {}
        return {entry["alias"]: int(entry["version"]) for entry in registered.get("aliases", [])}

    def set_aliases(self, model: str, change: Mapping[str, int | None]) -> None:
        for alias, version in change.items():
            if version is None:
                self._rest.delete("registered-models/alias", {"name": model, "alias": alias})
            else:
                self._rest.post("registered-models/alias", {"name": model, "alias": alias, "version": str(version)})

    def run_url(self, model: str, run_id: str) -> str:
        try:
            experiment = self._experiment(model)
        except NotFound:
            return self._public_url
        return f"{self._public_url}/#/experiments/{experiment}/runs/{run_id}"

    def version_url(self, model: str, version: int) -> str:
        return f"{self._public_url}/#/models/{quote(model)}/versions/{version}"

    def _experiment(self, model: str) -> str:
        return str(self._rest.get("experiments/get-by-name", experiment_name=model)["experiment"]["experiment_id"])

    def _ensure_experiment(self, model: str) -> str:
        try:
            return self._experiment(model)
        except NotFound:
            return str(self._rest.post("experiments/create", {"name": model})["experiment_id"])

    def _run_of(self, model: str, action_id: str) -> dict[str, Any] | None:
        try:
            experiment = self._experiment(model)
        except NotFound:
            return None
        query = {"experiment_ids": [experiment], "filter": f"tags.`{ACTION_TAG}` = '{action_id}'", "max_results": 1}
        runs: list[dict[str, Any]] = self._rest.post("runs/search", query).get("runs", [])
        return runs[0] if runs else None

    def _start_run(self, new: NewVersion) -> dict[str, Any]:
        experiment = self._ensure_experiment(new.spec.name)
        tags = {**new.tags, ACTION_TAG: new.action_id}
        body = {"experiment_id": experiment, "run_name": new.tags.get("evergreen.cause", "train"), "tags": _pairs(tags)}
        run: dict[str, Any] = self._rest.post("runs/create", body)["run"]
        run_id = run["info"]["run_id"]
        metrics = [{"key": key, "value": value, "timestamp": int(run["info"]["start_time"]), "step": 0} for key, value in new.metrics.items()]
        params = [{"key": key, "value": value[:_MAX_PARAM]} for key, value in new.params.items()]
        self._rest.post("runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params})
        return run

    def _tag_run(self, run_id: str, key: str, value: str) -> None:
        self._rest.post("runs/set-tag", {"run_id": run_id, "key": key, "value": value})

    def _version_of(self, model: str, run_id: str) -> RegisteredVersion | None:
        found = self._rest.get("model-versions/search", filter=f"name='{model}' and run_id='{run_id}'", max_results="1").get("model_versions", [])
        return _registered(found[0]) if found else None

    def _create_version(self, new: NewVersion, run_id: str, uri: str, model_id: str) -> RegisteredVersion:
        model = new.spec.name
        try:
            self._rest.get("registered-models/get", name=model)
        except NotFound:
            self._rest.post("registered-models/create", {"name": model})
        tags = {**new.tags, ACTION_TAG: new.action_id, _SUMMARY_TAG: json.dumps(dict(new.summary))}
        body = {"name": model, "source": uri, "run_id": run_id, "model_id": model_id, "tags": _pairs(tags)}
        return _registered(self._rest.post("model-versions/create", body)["model_version"])

    def _upload(self, new: NewVersion, run: dict[str, Any], version: RegisteredVersion, model_id: str) -> None:
        beside = logged_model.describe(MlflowTrees(self._rest), model_id, version.uri)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / FOLDER
            artifacts.save(folder, new.fitted, identity=version.name, key=self._key, golden=golden_rows(new), logged_model=beside)
            last_first = sorted(folder.iterdir(), key=lambda file: file.name == artifacts.SIGNATURE)
            proxied = all(
                self._rest.upload(run["info"]["artifact_uri"], f"{FOLDER}/{file.name}", file.read_bytes(), "application/octet-stream") for file in last_first
            )
            if not proxied:
                self._client().log_artifacts(run["info"]["run_id"], str(folder), FOLDER)

    def _client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self._tracking_uri)


def _registered(found: Mapping[str, Any]) -> RegisteredVersion:
    summary = _tags(found.get("tags", [])).get(_SUMMARY_TAG, "{}")
    return RegisteredVersion(found["name"], int(found["version"]), found["run_id"], found["source"], json.loads(summary))


def _tags(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in pairs}


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value[:5000]} for key, value in tags.items()]
