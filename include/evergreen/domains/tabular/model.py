"""A trained version as training and evaluation use it: by its pipeline. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.domains.tabular.answers import TabularAnswers
from evergreen.domains.tabular.declared import Declared

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class PipelineHead:
    """The pipeline's choice of columns is done here without pandas, to the same bits (tested)."""

    def __init__(self, pipeline: Any, columns: Sequence[str], features: Sequence[str]) -> None:
        self._model = pipeline.named_steps["model"]
        self._places = np.array([list(features).index(name) for name in columns], dtype=np.intp)

    def one(self, row: Sequence[float]) -> Mapping[str, float]:
        return {name: float(values[0]) for name, values in self.many([row]).items()}

    def many(self, rows: Sequence[Sequence[float]] | Floats) -> Mapping[str, Floats]:
        known = np.asarray(rows, dtype=np.float64)[:, self._places]
        said = self._model.predict_proba(known)[:, 1] if hasattr(self._model, "predict_proba") else self._model.predict(known)
        return {"primary": np.asarray(said, dtype=np.float64)}


class TabularPredictor:
    def __init__(self, estimators: Mapping[str, Any], card: Mapping[str, Any], declared: Declared) -> None:
        self._features = list(declared.features)
        self._head = PipelineHead(estimators["primary"], card["features"]["primary"], declared.features)
        self._width = float(card["interval"]["width"])
        self.answer = TabularAnswers(self._head, card, declared).answer

    def predict(self, features: pd.DataFrame) -> Floats:
        return self._head.many(features.reindex(columns=self._features).to_numpy(dtype=np.float64, na_value=np.nan))["primary"]

    def interval(self, features: pd.DataFrame) -> tuple[Floats, Floats]:
        predicted = self.predict(features)
        return predicted - self._width, predicted + self._width
