"""From trained estimators to a `Forest`. treelite reads the estimator (scikit-learn's, XGBoost's, LightGBM's trees alike); runs in the compiling
process only, since it brings scikit-learn along."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from evergreen.adapters.forest import LINKS, MAX_MASK_BYTES, MAX_WIDTH, Forest
from evergreen.core.errors import NotCompilable, NotExact
from evergreen.ports.registry import GoldenRows

TOLERANCE = 1e-9
PARITY_ROWS = 512
_ONE_BY_ONE = 64
# treelite's codes
_FLOAT64 = 3
_LEAF, _NUMERICAL = 0, 1
_BELOW, _AT_MOST = 2, 3
Head = tuple[Any, Sequence[str]]
"""A bare tree ensemble and the columns it was fitted on, in its order."""


@dataclass
class _Tree:
    """Leaves from left to right; per test the bits of its left branch's leaves."""

    leaves: list[float] = field(default_factory=list)
    tests: list[tuple[str, float, bool, int]] = field(default_factory=list)
    """(column, threshold, whether NaN goes left, bits)"""


def build_forest(heads: Mapping[str, Head], columns: Sequence[str]) -> Forest:
    """Raises NotCompilable for what cannot be said exactly in this form: the pipeline answers then."""
    read = {name: _read(name, estimator, tuple(own)) for name, (estimator, own) in heads.items()}
    trees = [tree for _, own, _ in read.values() for tree in own]
    width = max(len(tree.leaves) for tree in trees)
    if width > MAX_WIDTH:
        raise NotCompilable(f"a tree has {width} leaves, the limit is {MAX_WIDTH}")
    foreign = {column for tree in trees for column, *_ in tree.tests} - set(columns)
    if foreign:
        raise NotCompilable(f"the trees look at columns a request does not have: {', '.join(sorted(foreign))}")
    thresholds = tuple(np.array(sorted({t for tree in trees for name, t, *_ in tree.tests if name == column}), dtype=np.float64) for column in columns)
    size = np.dtype(_mask_type(width)).itemsize * len(trees) * sum(len(values) + 2 for values in thresholds)
    if size > MAX_MASK_BYTES:
        raise NotCompilable(f"{len(trees)} trees would take {size} bytes, the limit is {MAX_MASK_BYTES}")
    leaves = np.zeros((len(trees), width))
    for at, tree in enumerate(trees):
        leaves[at, : len(tree.leaves)] = tree.leaves
    counts = [len(own) for _, own, _ in read.values()]
    return Forest(
        columns=tuple(columns),
        heads=tuple(read),
        links=tuple(link for _, _, link in read.values()),
        thresholds=thresholds,
        masks=_masks(trees, columns, thresholds, _mask_type(width)),
        leaves=leaves,
        starts=np.cumsum([0, *counts[:-1]]).astype(np.intp),
        base=np.array([base for base, _, _ in read.values()]),
    )


def _mask_type(width: int) -> Any:
    return np.uint16 if width <= 16 else np.uint32 if width <= 32 else np.uint64


def _masks(trees: Sequence[_Tree], columns: Sequence[str], thresholds: Sequence[Any], kind: Any) -> Any:
    """Per column: row i excludes what values above the first i thresholds exclude, the last one what NaN does."""
    full = int(np.iinfo(kind).max)
    blocks = []
    for column, values in zip(columns, thresholds, strict=True):
        if not len(values):
            continue
        block = np.full((len(values) + 2, len(trees)), full, dtype=kind)
        for tree_at, tree in enumerate(trees):
            for name, threshold, nan_left, bits in tree.tests:
                if name == column:
                    block[int(np.searchsorted(values, threshold)) + 1, tree_at] &= kind(full ^ bits)
                    if not nan_left:
                        block[-1, tree_at] &= kind(full ^ bits)
        block[:-1] = np.bitwise_and.accumulate(block[:-1], axis=0)
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.full((0, len(trees)), full, dtype=kind)


def _read(name: str, estimator: Any, columns: Sequence[str]) -> tuple[float, list[_Tree], str]:
    """(what each sum starts from, its trees, its link). By treelite's arrays, not by its JSON: that loses infinite thresholds."""
    import treelite

    try:
        model = treelite.sklearn.import_model(estimator)
    except (treelite.TreeliteError, NotImplementedError, ValueError, TypeError, AttributeError) as error:
        raise NotCompilable(f"{name}: treelite does not read a {type(estimator).__name__}") from error
    said = model.get_header_accessor()
    link = LINKS.get(str(said.get_field("postprocessor")))
    plain = {"num_target": [1], "num_class": [1], "sigmoid_alpha": [1.0], "threshold_type": [_FLOAT64], "leaf_vector_shape": [1, 1]}
    if link is None or any(list(said.get_field(field)) != wanted for field, wanted in plain.items()):
        raise NotCompilable(f"{name}: only one value per row from double thresholds is known")
    trees = [_tree(model.get_tree_accessor(at), columns) for at in range(model.num_tree)]
    if said.get_field("average_tree_output")[0]:
        for tree in trees:
            tree.leaves = [value / len(trees) for value in tree.leaves]
    return float(said.get_field("base_scores")[0]), trees, link


def _tree(accessor: Any, columns: Sequence[str]) -> _Tree:
    nodes = _Nodes(*(accessor.get_field(field).tolist() for field in _Nodes._fields))
    tree = _Tree()
    _walk(nodes, 0, columns, tree)
    return tree


class _Nodes(NamedTuple):
    """treelite's arrays, one entry per node."""

    node_type: list[int]
    cleft: list[int]
    cright: list[int]
    split_index: list[int]
    default_left: list[int]
    threshold: list[float]
    cmp: list[int]
    leaf_value: list[float]


def _walk(nodes: _Nodes, at: int, columns: Sequence[str], tree: _Tree) -> None:
    if nodes.node_type[at] == _LEAF:
        tree.leaves.append(nodes.leaf_value[at])
        return
    if nodes.node_type[at] != _NUMERICAL or nodes.cmp[at] not in (_BELOW, _AT_MOST):
        raise NotCompilable("only tests of one number against another are known")
    first = len(tree.leaves)
    _walk(nodes, nodes.cleft[at], columns, tree)
    bits = (1 << len(tree.leaves)) - (1 << first)
    largest_left = nodes.threshold[at] if nodes.cmp[at] == _AT_MOST else math.nextafter(nodes.threshold[at], -math.inf)
    tree.tests.append((columns[nodes.split_index[at]], largest_left, bool(nodes.default_left[at]), bits))
    _walk(nodes, nodes.cright[at], columns, tree)


def checked_forest(estimators: Mapping[str, Any], columns: Sequence[str], golden: GoldenRows | None) -> tuple[Forest, float]:
    """(forest, largest difference to the pipelines, relative to 1 + |theirs|) over the golden rows and PARITY_ROWS made to tell. Raises
    NotCompilable, and NotExact when they differ."""
    forest = build_forest({name: _bare(name, estimator) for name, estimator in estimators.items()}, columns)
    matrix = np.array([*golden_matrix(golden, columns), *parity_rows(forest, 0, PARITY_ROWS)], dtype=np.float64)
    said, worst = forest.many(matrix), 0.0
    for name, estimator in estimators.items():
        trained = answers_of(estimator, matrix, columns)
        alone = np.array([forest.one(row)[name] for row in matrix[-_ONE_BY_ONE:].tolist()])
        for ours, theirs in ((said[name], trained), (alone, trained[-_ONE_BY_ONE:])):
            difference = float((np.abs(ours - theirs) / (1.0 + np.abs(theirs))).max())
            if not difference <= TOLERANCE:
                raise NotExact(name, difference)
            worst = max(worst, difference)
    return forest, worst


def _bare(name: str, estimator: Any) -> Head:
    """The trees and the columns they were fitted on, of themselves or in a pipeline that only picks columns. What else a pipeline may do is not known."""
    steps = list(getattr(estimator, "named_steps", {"model": estimator}).values())
    if len(steps) == 1 and hasattr(steps[0], "feature_names_in_"):
        return steps[0], [str(column) for column in steps[0].feature_names_in_]
    if len(steps) == 2 and hasattr(steps[0], "transformers_"):
        kept = [(kind, columns) for _, kind, columns in steps[0].transformers_ if kind != "drop"]
        if len(kept) == 1 and (kept[0][0] == "passthrough" or type(kept[0][0]).__name__ == "FunctionTransformer"):
            return steps[1], [str(column) for column in kept[0][1]]
    raise NotCompilable(f"{name}: only a choice of columns before the trees is known")


def golden_matrix(golden: GoldenRows | None, columns: Sequence[str]) -> Iterator[list[float]]:
    """Its rows by these columns, NaN = not known."""
    if golden is not None:
        places = {name: at for at, name in enumerate(golden.columns)}
        for row in golden.rows:
            known = [row[places[name]] if name in places else None for name in columns]
            yield [math.nan if value is None else value for value in known]


def answers_of(estimator: Any, matrix: Any, columns: Sequence[str]) -> Any:
    """A pipeline's own: a value, or the chance of the second class."""
    import pandas as pd

    rows = pd.DataFrame(matrix, columns=list(columns))
    rows = rows[list(estimator.feature_names_in_)] if not hasattr(estimator, "named_steps") else rows
    return estimator.predict_proba(rows)[:, 1] if hasattr(estimator, "predict_proba") else estimator.predict(rows)


def parity_rows(forest: Forest, seed: int, rows: int) -> Iterator[list[float]]:
    """Rows that tell a wrong copy: values on a threshold, one step beside it, far outside and not known."""
    draw = np.random.default_rng(seed)
    for _ in range(rows):
        yield [_near(values, draw) for values in forest.thresholds]


def _near(values: Any, draw: np.random.Generator) -> float:
    if not len(values):
        return float(draw.normal())
    value = float(values[draw.integers(len(values))])
    value = value if math.isfinite(value) else 0.0  # an infinite threshold parts the known from the unknown
    kind = draw.integers(6)
    if kind == 0:
        return math.nan
    if kind == 1:
        return float(draw.choice([-1e18, 1e18]))
    return (value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf), value + float(draw.normal()) * abs(value))[kind - 2]
