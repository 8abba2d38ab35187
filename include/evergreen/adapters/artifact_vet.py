"""What is wrong with a version that can be loaded: asked in a child process within limits for the features serving sends, as the gates `schema`
and `predictions` ask a candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evergreen.adapters import artifacts, limited_child
from evergreen.core.errors import ArtifactRefused
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import GoldenRows


def vet_in_child(folder: Path, spec: ModelSpec, key: bytes, *, identity: str) -> None:
    """Raises ArtifactRefused with what is wrong."""
    asked = {"folder": str(folder), "types": sorted(spec.trusted_types), "key": key.hex(), "identity": identity}
    names = {"features": list(spec.feature_names), "columns": list(spec.columns or spec.feature_names)}
    limited_child.ask(__spec__.name, asked | names, home=folder, what=identity)


def vet(estimators: Mapping[str, Any], card: Mapping[str, Any], golden: GoldenRows | None, features: Sequence[str], columns: Sequence[str]) -> None:
    """Raises ArtifactRefused."""
    from evergreen.core.evaluation import sane_predictions  # a worker starts without pydantic

    if golden is None or list(golden.columns) != list(features):
        raise ArtifactRefused("its features are not those serving sends")
    foreign = {name for own in card.get("features", {}).values() for name in own} - set(columns)
    if foreign:
        raise ArtifactRefused(f"its heads look at columns serving does not send: {', '.join(sorted(foreign))}")
    try:
        predicted = _predicted(estimators["primary"], golden, columns)
    except Exception as error:  # whatever it raises, it is refused
        raise ArtifactRefused(f"it does not answer the {len(features)} features serving sends: {type(error).__name__}: {error}"[:400]) from error
    finite = [value for value in predicted if math.isfinite(value)]
    found = sane_predictions(len(predicted), len(finite), max(finite) - min(finite) if finite else 0.0)
    if not found.passed:
        raise ArtifactRefused(f"its predictions are not sane: {found.detail}")


def _predicted(estimator: Any, golden: GoldenRows, columns: Sequence[str]) -> list[float]:
    """Of the rows without gaps where there are any: some models' predictors fill the gaps of the others."""
    import numpy as np

    from evergreen.adapters.forest_build import answers_of, golden_matrix

    matrix = np.array(list(golden_matrix(golden, columns)), dtype=np.float64)
    whole = matrix[np.isfinite(matrix).all(axis=1)]
    return [float(value) for value in answers_of(estimator, whole if len(whole) else matrix, columns)]


def _vet(asked: Mapping[str, Any], _: bytes) -> tuple[dict[str, Any], bytes]:
    folder, key = Path(asked["folder"]), bytes.fromhex(asked["key"])
    estimators, card = artifacts.load_verified(folder, asked["types"], key, identity=asked["identity"])
    vet(estimators, card, artifacts.read_golden(folder, key), asked["features"], asked["columns"])
    return {}, b""


if __name__ == "__main__":
    limited_child.answer(_vet)
