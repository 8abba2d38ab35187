"""A primary head trained elsewhere, completed by ours: the other heads, the interval and the card are fitted on the training window, so that an
adopted version answers everything a version of ours does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from evergreen.core.errors import ArtifactRefused
from evergreen.domains.videos.names import ENTITY, FEATURES, TARGET, TIME
from evergreen.domains.videos.train import PRIMARY, fit, permutation
from evergreen.ports.model import FittedModel


def adopt(estimator: Any, table: pd.DataFrame, seed: int) -> FittedModel:
    """`estimator`: asked with FEATURES in their order, or a pipeline as ours are (a choice of columns, then the model). The interval is as wide as
    our own model's forward errors; the gates measure whether it covers. Raises ArtifactRefused."""
    pipeline, columns = _as_ours(estimator)
    own = fit(table, seed)
    rows = table[table[TARGET].notna()].sort_values([TIME, ENTITY], kind="stable", ignore_index=True)
    importances = permutation(pipeline, rows, rows[TARGET].to_numpy(dtype=np.float64), seed)
    card = {**own.card, "importances": importances, "features": {**own.card["features"], PRIMARY.name: list(columns)}}
    return FittedModel({**own.estimators, PRIMARY.name: pipeline}, card)


def _as_ours(estimator: Any) -> tuple[Pipeline, tuple[str, ...]]:
    """A pipeline whose model is asked by position, and its columns."""
    steps = list(estimator.named_steps.values()) if isinstance(estimator, Pipeline) else []
    if len(steps) == 2 and isinstance(steps[0], ColumnTransformer):
        kept = [(kind, columns) for _, kind, columns in steps[0].transformers_ if kind != "drop"]
        plain = len(kept) == 1 and (kept[0][0] == "passthrough" or type(kept[0][0]).__name__ == "FunctionTransformer")
        columns = tuple(str(column) for column in kept[0][1]) if plain else ()
        if not columns or not set(columns) <= set(FEATURES):
            raise ArtifactRefused("a pipeline may begin with a choice of this model's features; this one does something else to its columns")
        return _joined(steps[1], columns), columns
    return _joined(estimator, FEATURES), FEATURES


def _joined(model: Any, columns: tuple[str, ...]) -> Pipeline:
    """Of the names it was fitted with none are left: it is asked without."""
    for part in (model, *(model.named_steps.values() if isinstance(model, Pipeline) else ())):
        vars(part).pop("feature_names_in_", None)
    choice = ColumnTransformer([("known", "passthrough", list(columns))])
    choice.fit(pd.DataFrame(np.zeros((1, len(columns))), columns=list(columns)))
    return Pipeline([("columns", choice), ("model", model)])
