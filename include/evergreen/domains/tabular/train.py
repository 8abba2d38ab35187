"""Training of a declared model: boosted trees over the declared features, an interval with measured coverage and the features' weights.

The interval comes from forward folds: time is cut into blocks, each is predicted by a model that saw only the blocks before it, as in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from evergreen.core.errors import NotEnoughData
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.model import PipelineHead
from evergreen.domains.tabular.row import AT, DAY
from evergreen.ports.model import FittedModel

Floats = NDArray[np.float64]
MIN_ROWS = 50
NOMINAL_COVERAGE = 0.8
_BLOCKS = 5
_FIRST_PREDICTED = 2
"""Blocks 0 and 1 only train: a model of a fifth of the rows would make the interval too wide."""
_QUANTILES = np.linspace(0.0, 1.0, 41)


def fit(table: pd.DataFrame, seed: int, declared: Declared, params: Mapping[str, float] | None = None) -> FittedModel:
    """Deterministic. `params`: of the trees, where others than the usual ones are wanted. Rows without a target train nothing. Raises NotEnoughData
    below MIN_ROWS rows, or with one class only."""
    target_name = declared.target.name
    ordered = table[table[target_name].notna()].sort_values([DAY, AT, declared.entity.name], kind="stable")
    rows = ordered.reset_index(drop=True)
    target = rows[target_name].to_numpy(dtype=np.float64)
    if len(rows) < MIN_ROWS:
        raise NotEnoughData(f"{declared.name}: training needs {MIN_ROWS} rows with {target_name}, got {len(rows)}")
    if declared.classes and len(np.unique(target)) < 2:
        raise NotEnoughData(f"{declared.name}: every row of the window is {declared.classes[int(target[0])]}: nothing to tell apart")
    columns = [name for name in declared.features if rows[name].notna().any()]  # an empty column breaks the trees' binning
    if not columns:
        raise NotEnoughData(f"{declared.name}: not one feature has a value in the window")
    with threadpool_limits(limits=1):
        pipeline = _train(declared, rows, target, columns, seed, params or {})
        forward, importances = _forward(declared, rows, target, seed, params or {})
    card: dict[str, Any] = {
        "rows": len(rows),
        "window": {"from": str(rows[DAY].min().date()), "to": str(rows[DAY].max().date())},
        "seed": seed,
        "features": {"primary": columns},
        "importances": importances,
        "interval": _interval(target, forward),
        "distributions": {"*": [float(value) for value in np.quantile(target, _QUANTILES)]},
    }
    if params:
        card["params"] = dict(params)
    return FittedModel({"primary": pipeline}, card, forward=pd.Series(forward, index=ordered.index).dropna())


def _train(declared: Declared, rows: pd.DataFrame, target: Floats, columns: list[str], seed: int, params: Mapping[str, float]) -> Pipeline:
    settings: dict[str, Any] = {
        "max_iter": 100,
        "learning_rate": 0.08,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 20 if len(rows) >= 200 else 5,
        "early_stopping": False,
        "random_state": seed,
        **params,
    }
    model = HistGradientBoostingClassifier(**settings) if declared.classes else HistGradientBoostingRegressor(**settings)
    pipeline = Pipeline([("columns", ColumnTransformer([("known", "passthrough", columns)])), ("model", model)])
    pipeline.fit(rows[columns], target)
    return pipeline


def _forward(declared: Declared, rows: pd.DataFrame, target: Floats, seed: int, params: Mapping[str, float]) -> tuple[Floats, dict[str, float]]:
    """(prediction of each row by a model of earlier rows, NaN in the first blocks; weights of the features on the last block)."""
    forward = np.full(len(rows), np.nan)
    importances = dict.fromkeys(declared.features, 1.0 / len(declared.features))
    blocks = np.array_split(np.arange(len(rows)), _BLOCKS)
    for number in range(_FIRST_PREDICTED, _BLOCKS):
        earlier, block = rows.iloc[: blocks[number][0]], blocks[number]
        columns = [name for name in declared.features if earlier[name].notna().any()]
        if not columns or (declared.classes and len(np.unique(target[: len(earlier)])) < 2):
            continue
        head = PipelineHead(_train(declared, earlier, target[: len(earlier)], columns, seed, params), columns, declared.features)
        matrix = rows[list(declared.features)].to_numpy(dtype=np.float64)[block]
        forward[block] = head.many(matrix)["primary"]
        if number == _BLOCKS - 1:
            importances = permutation(head, matrix, target[block], declared.features, seed)
    return forward, importances


def permutation(head: PipelineHead, matrix: Floats, target: Floats, names: tuple[str, ...], seed: int) -> dict[str, float]:
    """How much a feature's shuffling on the last, unseen block costs, as a share of all: sums to 1, none below 0."""
    base = float(np.abs(head.many(matrix)["primary"] - target).mean())
    order = np.random.default_rng(seed).permutation(len(matrix))
    cost: dict[str, float] = {}
    for at, name in enumerate(names):
        shuffled = matrix.copy()
        shuffled[:, at] = matrix[order, at]
        cost[name] = max(float(np.abs(head.many(shuffled)["primary"] - target).mean()) - base, 0.0)
    total = sum(cost.values())
    return {name: value / total if total > 0 else 1.0 / len(cost) for name, value in cost.items()}


def _interval(target: Floats, forward: Floats) -> dict[str, Any]:
    """Split conformal. `coverage` is measured honestly: the width from the earlier folds, rows of the last one."""
    errors = np.abs(target - forward)[np.isfinite(forward)]
    if not len(errors):
        return {"nominal": NOMINAL_COVERAGE, "coverage": None, "coverage_rows": 0, "width": float(np.ptp(target))}
    cut = 2 * len(errors) // 3
    covered = errors[cut:] <= _width(errors[:cut])
    measured = {"coverage": float(covered.mean()), "coverage_rows": len(covered)}
    return {"nominal": NOMINAL_COVERAGE, **measured, "forward_mae": float(errors.mean()), "width": _width(errors)}


def _width(errors: Floats) -> float:
    rank = min(np.ceil((len(errors) + 1) * NOMINAL_COVERAGE) / len(errors), 1.0)  # the conformal quantile of a finite sample
    return float(np.quantile(errors, rank))
