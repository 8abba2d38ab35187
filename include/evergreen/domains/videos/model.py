"""A trained version of the video model as training, evaluation and the fallback of serving use it: by its pipelines. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.videos import card as cards
from evergreen.domains.videos.answers import COLUMNS, VideoAnswers
from evergreen.domains.videos.scales import STRATA
from evergreen.domains.videos.train import fit

__all__ = ["VideoPredictor", "fit"]

Floats = NDArray[np.float64]
_AT = {name: index for index, name in enumerate(COLUMNS)}


class PipelineHeads:
    """One matrix for all heads, each picking its columns: the pipelines' column step is done here without pandas, to the same bits (tested)."""

    def __init__(self, estimators: Mapping[str, Any], columns: Mapping[str, Sequence[str]]) -> None:
        self._models = {name: pipeline.named_steps["model"] for name, pipeline in estimators.items()}
        self._columns = {name: np.array([_AT[column] for column in columns[name]], dtype=np.intp) for name in self._models}

    def one(self, row: Sequence[float]) -> Mapping[str, float]:
        return {name: float(values[0]) for name, values in self.many([row]).items()}

    def many(self, rows: Sequence[Sequence[float]] | Floats) -> Mapping[str, Floats]:
        matrix = np.asarray(rows, dtype=np.float64)
        return {name: self.head(name, matrix) for name in self._models}

    def head(self, name: str, matrix: Floats) -> Floats:
        model, known = self._models[name], matrix[:, self._columns[name]]
        return np.asarray(model.predict_proba(known)[:, 1] if hasattr(model, "predict_proba") else model.predict(known), dtype=np.float64)


class VideoPredictor:
    def __init__(self, estimators: Mapping[str, Any], card: Mapping[str, Any], region: str) -> None:
        self._heads = PipelineHeads(estimators, card["features"])
        self._strata = card["interval"]["strata"]
        self.answer = VideoAnswers(self._heads, card, region).answer

    def predict(self, features: pd.DataFrame) -> Floats:
        return self._heads.head("primary", _matrix(features))

    def interval(self, features: pd.DataFrame) -> tuple[Floats, Floats]:
        matrix = _matrix(features)
        widths = np.array([self._strata[kind]["width"] for kind in STRATA])
        predicted, width = self._heads.head("primary", matrix), widths[cards.stratum(matrix[:, _AT["channel_videos"]])]
        return predicted - width, predicted + width


def _matrix(features: pd.DataFrame) -> Floats:
    return features.reindex(columns=list(COLUMNS)).to_numpy(dtype=np.float64, na_value=np.nan)
