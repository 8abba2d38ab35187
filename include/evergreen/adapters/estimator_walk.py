"""Looks through an estimator that is not ours before it is asked anything.

Guarantee: it holds nothing but the kinds of scikit-learn listed here, numbers and texts, and every tree's nodes point forward inside the tree and
to columns that rows have. Failure: predicting follows a node's numbers in compiled code that does not check them. Remedy: ArtifactRefused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from evergreen.core.errors import ArtifactRefused

KINDS = (
    "sklearn.linear_model.",
    "sklearn.ensemble.",
    "sklearn.tree.",
    "sklearn.dummy.",
    "sklearn.pipeline.",
    "sklearn.compose.",
    "sklearn.preprocessing.",
    "sklearn.impute.",
    "sklearn._loss.",
    "sklearn.utils.",
)
_CHANGE_COLUMNS = ("Pipeline", "ColumnTransformer", "FeatureUnion")
MAX_OBJECTS = 200_000
_PLAIN = (str, bytes, int, float, bool, complex, type(None), np.generic, np.dtype, np.random.RandomState, np.random.Generator, slice, range)


def check_estimator(estimator: Any, width: int) -> None:
    """`width`: how many columns rows have. Raises ArtifactRefused."""
    seen: set[int] = set()
    waiting: list[tuple[Any, int | None]] = [(estimator, width)]
    while waiting:
        one, columns = waiting.pop()
        if id(one) in seen or isinstance(one, _PLAIN):
            continue
        seen.add(id(one))
        if len(seen) > MAX_OBJECTS:
            raise ArtifactRefused(f"it consists of more than {MAX_OBJECTS} parts")
        columns = _width(one, columns)
        _check_tree(one, columns or 0)
        waiting += [(part, None if type(one).__name__ in _CHANGE_COLUMNS else columns) for part in _parts(one)]


def _width(one: Any, columns: int | None) -> int | None:
    """How many columns its parts may look at: never more than what predicting checks rows against. None: nothing has said so yet, as behind a
    step that makes other columns."""
    said = getattr(one, "n_features_in_", None)
    if not isinstance(said, int | np.integer):
        return columns
    return int(said) if columns is None else min(columns, int(said))


def _parts(one: Any) -> Iterator[Any]:
    if isinstance(one, Mapping):
        yield from one.keys()
        yield from one.values()
    elif isinstance(one, list | tuple | set | frozenset):
        yield from one
    elif isinstance(one, np.ndarray):
        if one.dtype.hasobject:
            yield from one.ravel().tolist()
    elif isinstance(one, type):
        if not one.__module__.startswith(("numpy", *KINDS)):
            raise ArtifactRefused(f"it holds the type {one.__module__}.{one.__qualname__}")
    else:
        kind = f"{type(one).__module__}.{type(one).__qualname__}"
        if not kind.startswith(KINDS):
            raise ArtifactRefused(f"it holds a {kind}, which is not taken")
        yield from getattr(one, "__dict__", {}).values()


def _check_tree(one: Any, columns: int) -> None:
    kind = type(one).__name__
    if kind == "Tree":
        inner = one.children_left != -1
        _check_nodes(one.children_left[inner], one.children_right[inner], one.feature[inner], np.flatnonzero(inner), one.node_count, columns)
    elif kind == "TreePredictor":
        nodes = one.nodes
        inner = nodes["is_leaf"] == 0
        _check_nodes(nodes["left"][inner], nodes["right"][inner], nodes["feature_idx"][inner], np.flatnonzero(inner), len(nodes), columns)
        sets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)].astype(np.int64)
        if len(sets) and sets.max() >= min(len(one.binned_left_cat_bitsets), len(one.raw_left_cat_bitsets)):
            raise ArtifactRefused("a tree refers to categories it does not have")


def _check_nodes(left: Any, right: Any, feature: Any, at: Any, count: int, columns: int) -> None:
    left, right, feature = (np.asarray(values, dtype=np.int64) for values in (left, right, feature))
    if count == 0:
        raise ArtifactRefused("a tree has no nodes")
    if not ((left > at) & (right > at) & (left < count) & (right < count)).all():
        raise ArtifactRefused("a tree's nodes do not point forward inside the tree")
    if not ((feature >= 0) & (feature < columns)).all():
        raise ArtifactRefused(f"a tree looks at columns beyond the {columns} there are")
