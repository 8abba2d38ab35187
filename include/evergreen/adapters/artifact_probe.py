"""Load and compile a version in a child process with bounded memory, time and files before this process uses it: what would hang, eat the
memory or crash the interpreter costs a child, and scikit-learn with all it brings along stays there."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from evergreen.adapters import artifacts, limited_child
from evergreen.ports.model import BuildsArrays, ModelSpec
from evergreen.ports.registry import GoldenRows


@dataclass(frozen=True)
class Probed:
    figures: Mapping[str, float]
    """`seconds` to load, `peak_mb`; where a compiled form was made its `parity`: the largest difference to the pipeline, also of one too wrong to keep."""
    compiled: bytes
    """Packed; empty when it has no compiled form."""
    not_compilable: str


def probe_in_child(folder: Path, spec: ModelSpec, key: bytes, *, identity: str) -> Probed:
    """Raises ArtifactRefused with the child's reason."""
    asked = {"folder": str(folder), "types": sorted(spec.trusted_types), "key": key.hex(), "identity": identity}
    form = {"columns": list(spec.columns or spec.feature_names), "build": "" if spec.form is None else spec.form.build}
    answer, compiled = limited_child.ask(__spec__.name, asked | form, home=folder, what=identity)
    return Probed({name: float(value) for name, value in answer["figures"].items()}, compiled, str(answer["not_compilable"]))


def _probe(asked: Mapping[str, Any], _: bytes) -> tuple[dict[str, Any], bytes]:
    begun = time.monotonic()
    folder, key = Path(asked["folder"]), bytes.fromhex(asked["key"])
    version = artifacts.load_verified(folder, asked["types"], key, identity=asked["identity"])
    figures = {"seconds": time.monotonic() - begun}
    body, reason = _compile(version, asked, artifacts.read_golden(folder, key), figures)
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"figures": figures, "not_compilable": reason}, body


def _compile(version: artifacts.VerifiedArtifact, asked: Mapping[str, Any], golden: GoldenRows | None, figures: dict[str, float]) -> tuple[bytes, str]:
    from evergreen.core.errors import NotCompilable, NotExact

    try:
        body, figures["parity"] = _arrays(version, asked["build"], golden) if asked["build"] else _forest(version, asked["columns"], golden)
    except NotExact as error:
        figures["parity"] = error.difference
        return b"", str(error)
    except NotCompilable as error:
        return b"", str(error)
    return body, ""


def _forest(version: artifacts.VerifiedArtifact, columns: Sequence[str], golden: GoldenRows | None) -> tuple[bytes, float]:
    from evergreen.adapters.compiled import pack
    from evergreen.adapters.forest_build import checked_forest

    forest, difference = checked_forest(version.estimators, columns, golden)
    return pack(forest), difference


def _arrays(version: artifacts.VerifiedArtifact, build: str, golden: GoldenRows | None) -> tuple[bytes, float]:
    from evergreen.adapters.compiled import pack_arrays

    arrays, difference = builder(build)(version.estimators, version.card, golden)
    return pack_arrays(arrays), difference


def builder(name: str) -> BuildsArrays:
    """`module:name`, as a spec of ours has it."""
    module, _, function = name.partition(":")
    found: BuildsArrays = getattr(import_module(module), function)
    return found


if __name__ == "__main__":
    limited_child.answer(_probe)
