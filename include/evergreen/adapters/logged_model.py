"""The MLflow model of a version, which only people and other tools load: what it was when we logged it, and whether it still is.

Guarantee: an edited `MLmodel` (another format, a widened list of types, `code_paths`), a swapped or added file or another source is told from
what was signed, byte by byte; nothing of it is parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evergreen.adapters.mlflow_trees import MlflowTrees, Tree
from evergreen.core.errors import ArtifactRefused, NotFound

MAX_BYTES = 64 * 2**20


def describe(trees: MlflowTrees, model_id: str, source: str) -> dict[str, Any]:
    """For the manifest."""
    tree = Tree("model", model_id)
    return {"model_id": model_id, "source": source, "files": {path: _hashed(trees.read(tree, path, MAX_BYTES)) for path in sorted(trees.files(tree))}}


def check(trees: MlflowTrees, signed: Mapping[str, Any], source: str) -> None:
    """Raises ArtifactRefused when it is not what was signed. `source`: where the registry says that the version's model is."""
    if source != signed["source"]:
        raise ArtifactRefused(f"the registry says that its MLflow model is at {source}, not at {signed['source']}")
    tree, files = Tree("model", str(signed["model_id"])), signed["files"]
    try:
        present = trees.files(tree)
    except NotFound as error:
        raise ArtifactRefused(f"its MLflow model is gone: {error}") from error
    if set(present) != set(files):
        raise ArtifactRefused(f"its MLflow model has other files than were signed: {', '.join(sorted(set(present) ^ set(files)))}")
    for path, entry in files.items():
        if present[path] != entry["bytes"] or _hashed(trees.read(tree, path, MAX_BYTES)) != entry:
            raise ArtifactRefused(f"its MLflow model was changed: {path} is not what was signed")


def _hashed(body: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
