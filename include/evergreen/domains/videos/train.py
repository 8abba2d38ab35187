"""Training of the video model: four small heads, an interval with measured coverage and everything answers need, in about a second on one core.

Each head is a pipeline that picks its columns by name, so the primary head cannot see a count of the day. Interval and calibration come from
forward folds: time is cut into blocks, each block is predicted by a model that saw only the blocks before it, as in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from evergreen.core.errors import NotEnoughData
from evergreen.domains.videos import card as cards
from evergreen.domains.videos.names import COUNT_FEATURES, ENTITY, FEATURES, GROWTH, STILL_LISTED, TARGET, TIME
from evergreen.ports.model import FittedModel

Floats = NDArray[np.float64]

MIN_ROWS = 50
VIRAL_QUANTILE = 0.75
_BLOCKS = 5
_FIRST_PREDICTED = 2
"""Blocks 0 and 1 only train: a model of a fifth of the rows would make the interval too wide."""


@dataclass(frozen=True)
class Head:
    name: str
    kind: Literal["value", "chance"]
    columns: tuple[str, ...]
    trees: int
    """Training time and an answer's time are proportional to it; twice as many gained nothing on Korea and Japan."""
    rate: float


PRIMARY = Head("primary", "value", FEATURES, trees=100, rate=0.08)
VIRAL = Head("viral", "chance", FEATURES, trees=60, rate=0.08)
STILL = Head("still_listed", "chance", (*FEATURES, *COUNT_FEATURES), trees=40, rate=0.12)
GROW = Head("growth", "value", (*FEATURES, *COUNT_FEATURES), trees=40, rate=0.12)


def fit(table: pd.DataFrame, seed: int) -> FittedModel:
    """(feature table of the training window, seed) -> heads and card. Rows without a target train nothing.

    Raises NotEnoughData below MIN_ROWS rows with a target.
    """
    ordered = table[table[TARGET].notna()].sort_values([TIME, ENTITY], kind="stable")
    rows = ordered.reset_index(drop=True)
    if len(rows) < MIN_ROWS:
        raise NotEnoughData(f"video training needs {MIN_ROWS} first listings with a view count, got {len(rows)}")
    threshold = float(rows[TARGET].quantile(VIRAL_QUANTILE))
    targets: dict[str, Floats] = {
        PRIMARY.name: rows[TARGET].to_numpy(dtype=np.float64),
        VIRAL.name: np.asarray(rows[TARGET] >= threshold, dtype=np.float64),
        STILL.name: rows[STILL_LISTED].to_numpy(dtype=np.float64),
        GROW.name: np.log10(1.0 + rows[GROWTH].clip(lower=-0.9).to_numpy(dtype=np.float64)),
    }
    with threadpool_limits(limits=1):
        fitted = {head.name: _fit_head(head, rows, targets[head.name], seed) for head in (PRIMARY, VIRAL, STILL, GROW)}
    card = cards.describe_rows(rows, seed)
    card["interval"] = cards.interval_card(rows, targets[PRIMARY.name], fitted[PRIMARY.name].forward)
    card["importances"] = fitted[PRIMARY.name].importances
    card["viral"] = {"threshold": threshold, **_chance_card(fitted[VIRAL.name], targets[VIRAL.name])}
    card["still_listed"] = _chance_card(fitted[STILL.name], targets[STILL.name])
    card["growth"] = cards.growth_card(targets[GROW.name], fitted[GROW.name].forward)
    card["features"] = {name: list(head.columns) for name, head in fitted.items()}
    estimators = {name: head.pipeline for name, head in fitted.items() if head.pipeline is not None}
    return FittedModel(estimators, card, forward=pd.Series(fitted[PRIMARY.name].forward, index=ordered.index).dropna())


@dataclass(frozen=True)
class _FittedHead:
    pipeline: Pipeline | None
    """None: too few labels, or all the same; answers fall back to the card's base rate."""
    columns: tuple[str, ...]
    forward: Floats
    """Prediction of each row by a model of earlier rows; NaN in the first blocks and without a label."""
    importances: dict[str, float]


def _fit_head(head: Head, rows: pd.DataFrame, target: Floats, seed: int) -> _FittedHead:
    known = np.isfinite(target)
    columns = tuple(name for name in head.columns if rows.loc[known, name].nunique() > 0)  # an empty column breaks the trees' binning
    forward = np.full(len(rows), np.nan)
    if known.sum() < MIN_ROWS or len(np.unique(target[known])) < 2:
        return _FittedHead(None, columns, forward, {})
    at = np.flatnonzero(known)
    importances: dict[str, float] = {}
    blocks = np.array_split(at, _BLOCKS)
    for number in range(_FIRST_PREDICTED, _BLOCKS):
        earlier = np.concatenate(blocks[:number])
        if len(np.unique(target[earlier])) < 2:
            continue
        model = _train(head, rows.iloc[earlier], target[earlier], seed)
        forward[blocks[number]] = predict_head(model, rows.iloc[blocks[number]])
        if head is PRIMARY and number == _BLOCKS - 1:
            importances = permutation(model, rows.iloc[blocks[number]], target[blocks[number]], seed)
    return _FittedHead(_train(head, rows.iloc[at], target[at], seed, columns), columns, forward, importances)


def _train(head: Head, rows: pd.DataFrame, target: Floats, seed: int, columns: Sequence[str] | None = None) -> Pipeline:
    columns = columns or [name for name in head.columns if rows[name].nunique() > 0]
    settings: dict[str, Any] = {
        "max_iter": head.trees,
        "learning_rate": head.rate,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 20,
        "max_features": 0.5,
        "early_stopping": False,
        "random_state": seed,
    }
    model = HistGradientBoostingRegressor(**settings) if head.kind == "value" else HistGradientBoostingClassifier(**settings)
    pipeline = Pipeline([("columns", ColumnTransformer([("known", "passthrough", list(columns))])), ("model", model)])
    pipeline.fit(rows, target)
    return pipeline


def predict_head(pipeline: Pipeline, rows: pd.DataFrame) -> Floats:
    if hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(pipeline.predict(rows), dtype=np.float64)


def permutation(model: Pipeline, rows: pd.DataFrame, target: Floats, seed: int) -> dict[str, float]:
    """How much a feature's shuffling on the last, unseen block costs, as a share of all: sums to 1, none below 0."""
    base = float(np.abs(predict_head(model, rows) - target).mean())
    order = np.random.default_rng(seed).permutation(len(rows))
    cost: dict[str, float] = {}
    for name in PRIMARY.columns:
        shuffled = rows.assign(**{name: rows[name].to_numpy()[order]})
        cost[name] = max(float(np.abs(predict_head(model, shuffled) - target).mean()) - base, 0.0)
    total = sum(cost.values())
    return {name: value / total if total > 0 else 1.0 / len(cost) for name, value in cost.items()}


def _chance_card(head: _FittedHead, target: Floats) -> dict[str, Any]:
    """Base rate, and slope and offset (Platt) that make the head's probability match the shares seen in the forward folds."""
    known = np.isfinite(target) & np.isfinite(head.forward)
    rate = float(np.nanmean(target)) if np.isfinite(target).any() else None
    if known.sum() < MIN_ROWS or len(np.unique(target[known])) < 2:
        return {"base_rate": rate, "slope": 1.0, "offset": 0.0, "n": int(known.sum())}
    scale = LogisticRegression(C=1e6).fit(cards.logit(head.forward[known]).reshape(-1, 1), target[known])
    return {"base_rate": rate, "slope": max(float(scale.coef_[0, 0]), 0.0), "offset": float(scale.intercept_[0]), "n": int(known.sum())}
