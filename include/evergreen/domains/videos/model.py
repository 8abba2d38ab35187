"""A loaded version of the video model: predictions, intervals and serving's answers. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.videos import card as cards
from evergreen.domains.videos.answers import make_answer
from evergreen.domains.videos.names import COUNT_FEATURES, FEATURES, zone_of
from evergreen.domains.videos.row import row_features
from evergreen.domains.videos.train import fit

__all__ = ["VideoPredictor", "fit"]

Floats = NDArray[np.float64]

_COLUMNS = (*FEATURES, *COUNT_FEATURES)
_AT = {name: index for index, name in enumerate(_COLUMNS)}


class VideoPredictor:
    """One matrix for all heads, each picking its columns: the pipelines' column step is done here without pandas, to the same bits (tested)."""

    def __init__(self, estimators: Mapping[str, Any], card: Mapping[str, Any], region: str) -> None:
        self._models = {name: pipeline.named_steps["model"] for name, pipeline in estimators.items()}
        self._columns = {name: np.array([_AT[column] for column in columns], dtype=np.intp) for name, columns in card["features"].items()}
        self._card = card
        self._zone = ZoneInfo(zone_of(region))

    def predict(self, features: pd.DataFrame) -> Floats:
        return self._head("primary", _matrix(features))

    def interval(self, features: pd.DataFrame) -> tuple[Floats, Floats]:
        matrix = _matrix(features)
        predicted, width = self._head("primary", matrix), self._per_stratum(matrix, "width")
        return predicted - width, predicted + width

    def answer(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Per request: predicted views with interval and confidence, scores, chances, trend and what they rest on (see `answers`)."""
        if not requests:
            return []
        rows = [row_features(request, self._zone) for request in requests]
        matrix = np.array([[row[name] for name in _COLUMNS] for row in rows], dtype=np.float64)
        heads = {name: self._head(name, matrix) for name in ("primary", "viral", "still_listed", "growth")}
        heads["width"] = self._per_stratum(matrix, "width")
        heads["confidence"] = self._per_stratum(matrix, "confidence")
        return [make_answer(row, {name: float(values[at]) for name, values in heads.items()}, self._card) for at, row in enumerate(rows)]

    def _head(self, name: str, matrix: Floats) -> Floats:
        model = self._models.get(name)
        if model is None:  # too few labels when it was trained: what was usual then
            fallback = self._card["growth"]["median"] if name == "growth" else self._card[name]["base_rate"]
            return np.full(len(matrix), np.nan if fallback is None else fallback)
        known = matrix[:, self._columns[name]]
        if hasattr(model, "predict_proba"):
            return cards.calibrated(model.predict_proba(known)[:, 1], self._card[name])
        return np.asarray(model.predict(known), dtype=np.float64)

    def _per_stratum(self, matrix: Floats, name: str) -> Floats:
        strata = self._card["interval"]["strata"]
        values = np.array([strata[kind][name] for kind in cards.STRATA])
        return np.asarray(values[cards.stratum(matrix[:, _AT["channel_videos"]])], dtype=np.float64)


def _matrix(features: pd.DataFrame) -> Floats:
    return features.reindex(columns=list(_COLUMNS)).to_numpy(dtype=np.float64, na_value=np.nan)
