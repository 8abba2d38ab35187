"""Models trained elsewhere, out of this stack's MLflow.

Guarantee: of what is named, the list of files, `MLmodel` and one skops file are read, each within its limit; the estimator is built in this
process only after a child within limits has built the same bytes, looked through it and had it predict. Only types our own code allows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.adapters import artifacts, limited_child, mlmodel_file, submitted_probe
from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.adapters.mlflow_trees import MlflowTrees, Tree
from evergreen.core.errors import ArtifactRefused, NotFound
from evergreen.core.submission import CandidateUri, parse_candidate_uri
from evergreen.ports.model import ModelSpec
from evergreen.ports.submissions import SubmittedModel

if TYPE_CHECKING:
    import pandas as pd


class MlflowSubmittedModels:
    def __init__(self, tracking_uri: str, home: Path) -> None:
        self._rest = MlflowRest(tracking_uri)
        self._trees = MlflowTrees(self._rest)
        self._home = home

    def fetch(self, spec: ModelSpec, uri: str) -> SubmittedModel:
        tree = self._tree(parse_candidate_uri(uri))
        files = self._trees.files(tree)
        if not files:
            raise NotFound(f"{uri}: there is nothing")
        mlmodel_file.check_files(files)
        name = mlmodel_file.skops_file(self._trees.read(tree, mlmodel_file.FILE, mlmodel_file.MAX_BYTES), spec.trusted_types)
        if name not in files:
            raise ArtifactRefused(f"{uri}: {name} is not there")
        if files[name] > artifacts.MAX_FILE_BYTES:
            raise ArtifactRefused(f"{uri}: {name} has {files[name]} bytes, the limit is {artifacts.MAX_FILE_BYTES}")
        body = self._trees.read(tree, name, artifacts.MAX_FILE_BYTES)
        return SubmittedModel(body, hashlib.sha256(body).hexdigest())

    def build(self, spec: ModelSpec, submitted: SubmittedModel, rows: pd.DataFrame) -> Any:
        return build_tried(spec, submitted, rows, self._home)

    def _tree(self, uri: CandidateUri) -> Tree:
        if uri.kind == "model":
            return Tree("model", uri.name)
        if uri.kind == "run":
            return self._of_run(uri)
        if uri.kind == "alias":
            found = self._rest.get("registered-models/alias", name=uri.name, alias=uri.ref)
        else:
            found = self._rest.get("model-versions/get", name=uri.name, version=uri.ref)
        source = parse_candidate_uri(str(found["model_version"]["source"]))
        if source.kind not in ("model", "run"):
            raise ArtifactRefused(f"{uri.name}: its source is no model of this MLflow")
        return self._tree(source)

    def _of_run(self, uri: CandidateUri) -> Tree:
        """A folder of the run itself, or the logged model of that name which is its output."""
        run = self._rest.get("runs/get", run_id=uri.name)["run"]
        for output in run.get("outputs", {}).get("model_outputs", [])[:20]:
            model = self._rest.get(f"logged-models/{output['model_id']}")["model"]
            if model["info"].get("name") == uri.ref:
                return Tree("model", str(output["model_id"]))
        return Tree("run", uri.name, uri.ref)


def build_tried(spec: ModelSpec, submitted: SubmittedModel, rows: pd.DataFrame, home: Path) -> Any:
    """Raises ArtifactRefused."""
    values = [[None if value != value else float(value) for value in row] for row in rows.to_numpy(dtype="float64")]
    asked = {"types": sorted(spec.trusted_types), "columns": list(rows.columns), "rows": values}
    limited_child.ask(submitted_probe.__name__, asked, submitted.body, home=home, what="the submitted model")
    return artifacts.build("submitted", submitted.body, spec.trusted_types)
