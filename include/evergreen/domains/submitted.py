"""An estimator trained elsewhere in the form our predictors ask: a choice of columns, then a model that is asked by their places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from evergreen.core.errors import ArtifactRefused


def as_ours(estimator: Any, features: tuple[str, ...], *, chances: bool = False) -> tuple[Pipeline, tuple[str, ...]]:
    """(pipeline, its columns). `estimator`: asked with all features in their order, or a pipeline as ours are. `chances`: it tells two classes, 0
    and 1, apart. Raises ArtifactRefused."""
    said = [float(one) for one in getattr(estimator, "classes_", ()) if isinstance(one, int | float | np.number)]
    if chances and not (hasattr(estimator, "predict_proba") and said == [0.0, 1.0]):
        raise ArtifactRefused("the target has two classes: it takes a classifier of 0 and 1 that gives probabilities")
    if not chances and hasattr(estimator, "predict_proba"):
        raise ArtifactRefused("the target is a number: a classifier does not predict it")
    steps = list(estimator.named_steps.values()) if isinstance(estimator, Pipeline) else []
    if len(steps) == 2 and isinstance(steps[0], ColumnTransformer):
        columns = _chosen(steps[0])
        if not columns or not set(columns) <= set(features):
            raise ArtifactRefused("a pipeline may begin with a choice of this model's features; this one does something else to its columns")
        return _joined(steps[1], columns), columns
    return _joined(estimator, features), features


def _chosen(step: ColumnTransformer) -> tuple[str, ...]:
    """Empty: it does more than choose."""
    kept = [(kind, columns) for _, kind, columns in step.transformers_ if kind != "drop"]
    plain = len(kept) == 1 and (kept[0][0] == "passthrough" or type(kept[0][0]).__name__ == "FunctionTransformer")
    return tuple(str(column) for column in kept[0][1]) if plain else ()


def _joined(model: Any, columns: tuple[str, ...]) -> Pipeline:
    """Of the names it was fitted with none are left: it is asked without."""
    for part in (model, *(model.named_steps.values() if isinstance(model, Pipeline) else ())):
        vars(part).pop("feature_names_in_", None)
    choice = ColumnTransformer([("known", "passthrough", list(columns))])
    choice.fit(pd.DataFrame(np.zeros((1, len(columns))), columns=list(columns)))
    return Pipeline([("columns", choice), ("model", model)])
