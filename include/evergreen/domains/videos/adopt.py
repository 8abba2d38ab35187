"""A primary head trained elsewhere, completed by ours: the other heads, the interval and the card are fitted on the training window, so that an
adopted version answers everything a version of ours does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from evergreen.domains.submitted import as_ours
from evergreen.domains.videos.names import ENTITY, FEATURES, TARGET, TIME
from evergreen.domains.videos.train import PRIMARY, fit, permutation
from evergreen.ports.model import FittedModel


def adopt(estimator: Any, table: pd.DataFrame, seed: int) -> FittedModel:
    """`estimator`: asked with FEATURES in their order, or a pipeline as ours are (a choice of columns, then the model). The interval is as wide as
    our own model's forward errors; the gates measure whether it covers. Raises ArtifactRefused."""
    pipeline, columns = as_ours(estimator, FEATURES)
    own = fit(table, seed)
    rows = table[table[TARGET].notna()].sort_values([TIME, ENTITY], kind="stable", ignore_index=True)
    importances = permutation(pipeline, rows, rows[TARGET].to_numpy(dtype=np.float64), seed)
    card = {**own.card, "importances": importances, "features": {**own.card["features"], PRIMARY.name: list(columns)}}
    return FittedModel({**own.estimators, PRIMARY.name: pipeline}, card)
