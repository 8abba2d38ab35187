"""A trained version of the video model as training, evaluation and the fallback of serving use it: by its pipelines. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.core.errors import EvergreenError
from evergreen.domains.videos import card as cards
from evergreen.domains.videos import scales
from evergreen.domains.videos.answers import COLUMNS, VideoAnswers
from evergreen.domains.videos.names import STILL_LISTED, TARGET
from evergreen.domains.videos.scales import STRATA
from evergreen.domains.videos.train import fit
from evergreen.ports.model import Chances, Predictor

__all__ = ["VideoPredictor", "chances", "fit"]

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
        self._card = card
        self.answer = VideoAnswers(self._heads, card, region).answer

    def predict(self, features: pd.DataFrame) -> Floats:
        return self._heads.head("primary", _matrix(features))

    def interval(self, features: pd.DataFrame) -> tuple[Floats, Floats]:
        matrix = _matrix(features)
        widths = np.array([self._strata[kind]["width"] for kind in STRATA])
        predicted, width = self._heads.head("primary", matrix), widths[cards.stratum(matrix[:, _AT["channel_videos"]])]
        return predicted - width, predicted + width

    def chances(self, rows: pd.DataFrame) -> dict[str, Chances]:
        """Top quartile (as the training fixed it) and still listed, calibrated as answered, with what came true."""
        viral = (rows[TARGET] >= self._card["viral"]["threshold"]).to_numpy(dtype=np.float64)
        outcomes = {"viral": viral, "still_listed": rows[STILL_LISTED].to_numpy(dtype=np.float64)}
        said = self._heads.many(_matrix(rows))
        return {head: Chances(self._calibrated(head, said, len(rows)), outcome) for head, outcome in outcomes.items()}

    def _calibrated(self, head: str, said: Mapping[str, Floats], rows: int) -> Floats:
        if head in said:
            return np.array([scales.calibrated(chance, self._card[head]) for chance in said[head].tolist()])
        usual = self._card[head]["base_rate"]
        return np.full(rows, np.nan if usual is None else usual)


def chances(predictor: Predictor, rows: pd.DataFrame) -> dict[str, Chances]:
    if not isinstance(predictor, VideoPredictor):
        raise EvergreenError(f"a {type(predictor).__name__} says no chances of videos")
    return predictor.chances(rows)


def _matrix(features: pd.DataFrame) -> Floats:
    return features.reindex(columns=list(COLUMNS)).to_numpy(dtype=np.float64, na_value=np.nan)
