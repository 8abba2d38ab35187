"""How well a version would have done: for each positive interaction what its list would have gained, told as a prediction with its outcome, so
that performance checks, bakes and comparisons see the recommender as any other model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import PredictionCompleted, PredictionFeedback
from evergreen.core.clock import wall_now
from evergreen.core.recommending import MODEL, Taste, Touched
from evergreen.ports.interactions import InteractionRow
from evergreen.services.follow_champion import ServingVersion
from evergreen.services.react import SOURCE

ITEMS = 5
"""Of one interaction, the first."""
FeatureRow = Callable[[str, datetime, Sequence[Touched]], Mapping[str, float] | None]


class RecommendationRecords:
    def __init__(self, feature_row: FeatureRow) -> None:
        """`feature_row`: (item, when, what was touched) -> its features as known just before; None: no item of the model's."""
        self._feature_row = feature_row

    def __call__(self, serving: ServingVersion, tastes: Mapping[str, Taste], rows: Sequence[InteractionRow]) -> list[Event]:
        found = [
            (row, item, features)
            for row in rows
            for item in row.item_ids[:ITEMS]
            if (features := self._feature_row(item, row.time, tastes[row.user_id].history)) is not None
        ]
        if not found:
            return []
        matrix = np.array([[features.get(name, math.nan) for name in serving.features] for _, _, features in found], dtype=np.float64)
        gains = serving.score(matrix).tolist()
        version = serving.maker.ranker.version
        return [event for (row, item, features), gain in zip(found, gains, strict=True) for event in _events(version, row, item, features, gain)]


def _events(version: str, row: InteractionRow, item: str, features: Mapping[str, float], gain: float) -> tuple[Event, Event]:
    entity = f"{row.user_id}:{item}"
    ids = {kind: derived_id(kind, row.source, row.id, item) for kind in ("prediction", "prediction_completed", "prediction_feedback")}
    prediction = PredictionCompleted(
        prediction_id=ids["prediction"],
        model_name=MODEL,
        model_version=version,
        entity=entity,
        features=dict(features),
        predicted=gain,
        latency_seconds=0.0,
        cached=False,
    )
    outcome = PredictionFeedback(model_name=MODEL, entity=entity, prediction_id=ids["prediction"], outcome={"relevant": 1})
    said = {"prediction_completed": prediction, "prediction_feedback": outcome}
    common: dict[str, Any] = {"source": SOURCE, "subject": entity, "time": row.time, "extensions": {"producedwall": wall_now().isoformat()}}
    completed, told = (Event(id=ids[kind], type=kind, data=payload.model_dump(mode="json"), **common) for kind, payload in said.items())
    return completed, told
