"""`POST /predict/video`, documented."""

from __future__ import annotations

from fastapi import APIRouter

from evergreen.contracts.api import PredictVideoRequest, VideoPrediction
from serving.dependencies import Serving
from serving.documented import document
from serving.errors import responses
from serving.predict_video import predict_video
from serving.problems import MALFORMED, NO_CHAMPION, UNAVAILABLE, UNKNOWN_VIDEO


def predict_routes(serving: Serving) -> APIRouter:
    router = APIRouter(tags=["predictions"])
    document(
        router,
        predict_video(serving),
        name="predict_video",
        response_model=VideoPrediction,
        responses=responses(MALFORMED, UNKNOWN_VIDEO, NO_CHAMPION, UNAVAILABLE),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": PredictVideoRequest.model_json_schema()}}}},
    )
    return router
