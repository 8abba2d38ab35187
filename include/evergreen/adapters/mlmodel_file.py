"""The `MLmodel` of a model somebody else logged: read to be refused, never obeyed. What it says of types and code decides nothing here; a model
that says more than an honest one is not taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from evergreen.core.errors import ArtifactRefused

FILE = "MLmodel"
MAX_BYTES = 64 * 2**10
_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill", ".pt", ".pth", ".npy", ".npz", ".py", ".pyc", ".so", ".zip", ".tar", ".gz"})
"""Endings of what runs or unpacks when somebody loads it."""
_SKOPS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}\.skops", re.ASCII)
_CODE_KEYS = ("code", "code_path", "code_paths", "model_code_path", "loader_path")


def check_files(names: Collection[str]) -> None:
    """Raises ArtifactRefused for a folder with anything that is not an honest model's."""
    if FILE not in names:
        raise ArtifactRefused(f"there is no {FILE}: it is not an MLflow model")
    odd = sorted(name for name in names if PurePosixPath(name).suffix.lower() in _PICKLES or len(PurePosixPath(name).parts) > 1)
    if odd:
        raise ArtifactRefused(f"the model brings files that are not taken: {', '.join(odd)[:200]}")


def skops_file(body: bytes, trusted_types: Collection[str]) -> str:
    """The name of the one file to fetch. Raises ArtifactRefused."""
    flavors = _parsed(body).get("flavors")
    if not isinstance(flavors, Mapping) or set(flavors) != {"python_function", "sklearn"} or not all(isinstance(one, Mapping) for one in flavors.values()):
        raise ArtifactRefused(f"{FILE}: only scikit-learn models are taken (flavors python_function and sklearn, nothing else)")
    sklearn, function = flavors["sklearn"], flavors["python_function"]
    code = sorted(key for flavor in (sklearn, function) for key in _CODE_KEYS if flavor.get(key) is not None)
    if code:
        raise ArtifactRefused(f"{FILE}: brings code along ({', '.join(code)})")
    if function.get("loader_module") != "mlflow.sklearn":
        raise ArtifactRefused(f"{FILE}: has a loader of its own")
    if sklearn.get("serialization_format") != "skops":
        raise ArtifactRefused(f"{FILE}: the format is {str(sklearn.get('serialization_format'))[:40]!r}, only skops is taken")
    asked = sklearn.get("skops_trusted_types") or []
    foreign = sorted(str(one) for one in asked if one not in trusted_types) if isinstance(asked, list) else [str(asked)]
    if foreign:
        raise ArtifactRefused(f"{FILE}: asks to trust types that are not allowed: {', '.join(foreign)[:300]}")
    name = sklearn.get("pickled_model")
    if not isinstance(name, str) or _SKOPS.fullmatch(name) is None or function.get("model_path") not in (None, name):
        raise ArtifactRefused(f"{FILE}: does not name one skops file")
    return name


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        text = body.decode("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ArtifactRefused(f"{FILE}: refers to itself")
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ArtifactRefused(f"{FILE} cannot be read: {type(error).__name__}") from error
    if not isinstance(found, Mapping):
        raise ArtifactRefused(f"{FILE} is not an object")
    return found
