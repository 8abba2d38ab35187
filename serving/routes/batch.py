"""`POST /predict/batch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from evergreen.contracts.api import PredictVideoRequest
from evergreen.contracts.api_batch import BatchPrediction, PredictBatchRequest
from evergreen.core.access import Need
from evergreen.core.errors import EvergreenError, InvalidRequest, Unavailable
from evergreen.services.predict import Answer, Question
from evergreen.services.predict_batch import BatchAnswer
from serving.auth.needs import requires
from serving.dependencies import Serving
from serving.errors import responses
from serving.problems import MALFORMED, NO_CHAMPION, UNAVAILABLE, kind_of

_encode = msgspec.json.Encoder().encode


def batch_routes(serving: Serving) -> APIRouter:
    router = APIRouter(tags=["predictions"])

    @router.post(
        "/predict/batch", openapi_extra=requires(Need.PREDICT), response_model=BatchPrediction, responses=responses(MALFORMED, NO_CHAMPION, UNAVAILABLE)
    )
    async def predict_batch(asked: PredictBatchRequest, request: Request) -> Response:
        """Up to 256 videos at once, in order; an item that cannot be answered holds its error and costs the others nothing."""
        await serving.access.gate.charge(request.state.principal, len(asked.items) - 1)
        read = [_read(item, serving.video_model, request.state.traceparent) for item in asked.items]
        answer = await serving.predict_batch.run(serving.video_model, [one for one in read if isinstance(one, Question)])
        for one in answer.answers:
            if isinstance(one, Answer):
                serving.metrics.predicted(one)
        return Response(_body(asked.items, read, answer), media_type="application/json")

    return router


def _read(item: Any, model: str, traceparent: str) -> Question | EvergreenError:
    try:
        asked = PredictVideoRequest.model_validate(item)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc']) or 'item'}: {fault['msg']}" for fault in error.errors(include_url=False)[:3]]
        return InvalidRequest("; ".join(faults))
    return Question(model, asked.video_id, asked.features, traceparent)


def _body(items: list[Any], read: list[Question | EvergreenError], answer: BatchAnswer) -> bytes:
    answers = iter(answer.answers)
    places = [_place(item, next(answers) if isinstance(one, Question) else one) for item, one in zip(items, read, strict=True)]
    said = {
        "model_version": answer.version,
        "epoch": answer.epoch,
        "predictions": places,
        "failed": sum(place["error"] is not None for place in places),
        "degraded": any(one.degraded if isinstance(one, Answer) else isinstance(one, Unavailable) for one in answer.answers),
        "processing_time": round(answer.seconds, 6),
    }
    return _encode(said)


def _place(item: Any, said: Answer | EvergreenError) -> Mapping[str, Any]:
    named = item.get("video_id") if isinstance(item, dict) else None
    video_id = named if isinstance(named, str) else None
    if isinstance(said, Answer):
        return {"video_id": video_id, "prediction": msgspec.Raw(said.body), "error": None}
    kind = kind_of(said)
    error = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": str(said)}
    return {"video_id": video_id, "prediction": None, "error": error}
