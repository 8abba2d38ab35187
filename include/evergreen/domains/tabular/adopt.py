"""A declared model's head trained elsewhere, completed by ours: interval and card are fitted on the training window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from evergreen.domains.submitted import as_ours
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.model import PipelineHead
from evergreen.domains.tabular.train import fit, permutation
from evergreen.ports.model import FittedModel


def adopt(estimator: Any, table: pd.DataFrame, seed: int, declared: Declared) -> FittedModel:
    """The interval is as wide as our own model's forward errors; the gates measure whether it covers. Raises ArtifactRefused."""
    pipeline, columns = as_ours(estimator, declared.features, chances=bool(declared.classes))
    own = fit(table, seed, declared)
    rows = table[table[declared.target.name].notna()]
    matrix, target = rows[list(declared.features)].to_numpy(dtype=np.float64), rows[declared.target.name].to_numpy(dtype=np.float64)
    importances = permutation(PipelineHead(pipeline, columns, declared.features), matrix, target, declared.features, seed)
    return FittedModel({"primary": pipeline}, {**own.card, "importances": importances, "features": {"primary": list(columns)}})
