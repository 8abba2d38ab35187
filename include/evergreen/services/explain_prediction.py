"""What a prediction rests on: each feature in turn is given its usual value of the training data, the others are kept, and the model is asked
again, all in one call.

Honest about what it is: the effect of one feature beside the others of this very video. Effects do not add up to the prediction; features that
say the same thing share theirs; what the model was not told (`features_imputed`) has none.
Failure: the model breaks on one of them. Remedy: Unavailable; the prediction itself is answered by `/predict/video` as ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from evergreen.core.errors import Unavailable
from evergreen.ports.serving import Champion, FeatureStore, LoadedModel, ServedModels
from evergreen.services.prediction_request import Asked, Requests, Round, known, row_of

Score = Callable[[float, Mapping[str, float], Mapping[str, Sequence[float]]], float]
"""(a prediction, its feature row, the version's reference) -> 0-100."""


class ExplainPrediction:
    def __init__(self, models: ServedModels, features: FeatureStore, model: str, score: Score, pool: Executor) -> None:
        self._models = models
        self._requests = Requests(features)
        self._model = model
        self._score = score
        self._pool = pool

    async def run(self, video_id: str, features: Mapping[str, Any] | None) -> dict[str, Any]:
        """`effects` None: the version keeps no usual values. Raises NoChampion, NothingKnown, Unavailable."""
        champion = await self._models.champion(self._model)
        loaded = champion.loaded
        given, _ = known(loaded.spec, features)
        asked = await self._requests.of(loaded.spec, video_id, given, Round())
        row = row_of(loaded.spec, asked.values) or {}
        replaced = {name: loaded.usual[name] for name in loaded.spec.feature_names if name in row and loaded.usual.get(name, row[name]) != row[name]}
        variants = [row, *({**row, name: usual} for name, usual in replaced.items())]
        answer, *others = await self._answers(loaded, asked, variants)
        effects = [_effect(name, row[name], usual, answer, other) for (name, usual), other in zip(replaced.items(), others, strict=True)]
        return {
            "video_id": video_id,
            **self._said(champion, answer, row),
            "features_as_of": asked.as_of,
            "effects": sorted((one for one in effects if one["log_views"]), key=lambda one: -abs(one["log_views"])) if loaded.usual else None,
        }

    async def _answers(self, loaded: LoadedModel, asked: Asked, rows: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
        requests = [asked.values] * len(rows)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, loaded.answering.answer, requests, rows)
        except Exception as error:
            raise Unavailable(f"{loaded.name} does not answer") from error

    def _said(self, champion: Champion, answer: Mapping[str, Any], row: Mapping[str, float]) -> dict[str, Any]:
        loaded = champion.loaded
        whole = {name: row.get(name, float("nan")) for name in loaded.spec.feature_names}
        ends = [self._score(answer[name], whole, loaded.reference) if loaded.reference else None for name in ("prediction_lower", "prediction_upper")]
        return {
            "model_version": loaded.name,
            "epoch": champion.epoch,
            "prediction": answer["prediction"],
            "predicted_views": answer["predicted_views"],
            "performance_score": answer["performance_score"],
            "score_interval": {"lower": ends[0], "upper": ends[1], "coverage": answer["interval"]["coverage"]},
        }


def _effect(name: str, value: float, usual: float, answer: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    moved = answer["prediction"] - other["prediction"]
    return {"feature": name, "value": value, "usual": usual, "log_views": moved, "factor": 10**moved, "score": _moved(answer, other)}


def _moved(answer: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return round(float(answer["performance_score"]) - float(other["performance_score"]), 2)
