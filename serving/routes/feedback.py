"""`POST /feedback`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from evergreen.contracts.api import FeedbackAccepted, FeedbackRequest
from evergreen.core.access import Need
from evergreen.services.feedback import Told
from serving.auth.needs import requires
from serving.cold import Cold
from serving.dependencies import Serving
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, NOT_FOUND, UNAVAILABLE
from serving.routes.idempotency import StatementKey


def feedback_routes(serving: Serving, cold: Cold) -> APIRouter:
    router = APIRouter(tags=["feedback"])

    @router.post("/feedback", status_code=202, openapi_extra=requires(Need.TELL), responses=responses(MALFORMED, NOT_FOUND, KEY_REUSED, UNAVAILABLE))
    async def feedback(told: FeedbackRequest, request: Request, key: StatementKey = None) -> FeedbackAccepted:
        """The true outcome. 202 only after Kafka has acknowledged it; else 503, and the same request with the same key again later."""
        event_id = await cold.feedback.run(
            Told(told.model or serving.video_model, told.video_id or told.entity, told.outcome, told.prediction_id, key, request.state.traceparent)
        )
        return FeedbackAccepted(id=event_id)

    return router
