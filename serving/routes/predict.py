"""`POST /predict/video`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from evergreen.contracts.api import PredictVideoRequest, VideoPrediction
from evergreen.services.predict import Question
from serving.dependencies import Serving
from serving.errors import responses
from serving.problems import MALFORMED, NO_CHAMPION, UNAVAILABLE, UNKNOWN_VIDEO


def predict_routes(serving: Serving) -> APIRouter:
    router = APIRouter(tags=["predictions"])

    @router.post("/predict/video", response_model=VideoPrediction, responses=responses(MALFORMED, UNKNOWN_VIDEO, NO_CHAMPION, UNAVAILABLE))
    async def predict_video(asked: PredictVideoRequest, request: Request) -> Response:
        """How a video will do when it is first listed, from given features or, without any, from the feature store's."""
        answer = await serving.predict.run(Question(serving.video_model, asked.video_id, asked.features, request.state.traceparent))
        serving.metrics.predicted(answer)
        return Response(answer.body, media_type="application/json")

    return router
