"""The true outcome of a prediction, taken in: checked against the model's label, published, acknowledged (`services.told_events`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evergreen.contracts.events import PredictionFeedback
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.ports.model import ModelSpec
from evergreen.services.told_events import Statement, TellEvents


@dataclass(frozen=True)
class Told:
    model: str
    entity: str
    outcome: Mapping[str, Any]
    prediction_id: str | None = None
    key: str | None = None
    traceparent: str = ""


class TakeFeedback:
    def __init__(self, specs: Mapping[str, ModelSpec], tell: TellEvents) -> None:
        self._specs = specs
        self._tell = tell

    async def run(self, told: Told) -> str:
        """The event's id. Raises NotFound (model), InvalidRequest (outcome), KeyReused, Unavailable."""
        self._check(told)
        payload = PredictionFeedback(model_name=told.model, entity=told.entity, prediction_id=told.prediction_id, outcome=dict(told.outcome))
        said = Statement(
            type="prediction_feedback",
            source=f"/serving/{told.model}",
            subject=told.entity,
            data=payload.model_dump(mode="json"),
            kind="feedback",
            of=(told.model, told.entity),
            content=[told.prediction_id, dict(told.outcome)],
            key=told.key,
            traceparent=told.traceparent,
        )
        return (await self._tell.run(said)).event_id

    def _check(self, told: Told) -> None:
        spec = self._specs.get(told.model)
        if spec is None:
            raise NotFound(f"no model {told.model!r}; known: {', '.join(self._specs)}")
        try:
            spec.label_of(told.outcome)
        except ValueError as error:
            raise InvalidRequest(f"outcome: {error}") from error
