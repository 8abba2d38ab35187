"""`POST /interactions`, `POST /clicks`, `POST /items/{item_id}/feedback`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from evergreen.contracts.api_recommendations import ClickRequest, InteractionAccepted, InteractionRequest, ItemFeedbackRequest, ItemId
from evergreen.contracts.business import BusinessFeedbackReceived, RecommendationClicked, UserInteraction
from evergreen.core.access import Need
from evergreen.core.as_of import place_of
from evergreen.core.errors import InvalidRequest
from evergreen.services.take_interactions import Repeatable, TakeInteractions
from evergreen.services.told_events import Acknowledged
from serving.auth.needs import requires
from serving.auth.own import check_own
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, UNAVAILABLE
from serving.routes.idempotency import StatementKey

OWN = requires(Need.OWN)
ANSWERS = responses(MALFORMED, KEY_REUSED, UNAVAILABLE)


def interaction_routes(take: TakeInteractions) -> APIRouter:
    router = APIRouter(tags=["recommendations"])

    @router.post("/interactions", status_code=202, openapi_extra=OWN, responses=ANSWERS)
    async def interaction(told: InteractionRequest, request: Request, key: StatementKey = None) -> InteractionAccepted:
        """What somebody did with items. 202 only after Kafka has acknowledged it; else 503, and the same request with the same key again later."""
        check_own(request.state.principal, told.user_id)
        said = UserInteraction(user_id=told.user_id, interaction_type=told.interaction_type, item_ids=tuple(told.item_ids), context=dict(told.context))
        return _accepted(await take.interaction(said, _repeatable(request, key)))

    @router.post("/clicks", status_code=202, openapi_extra=OWN, responses=ANSWERS)
    async def click(told: ClickRequest, request: Request, key: StatementKey = None) -> InteractionAccepted:
        """A click on an item of a list that was shown. `recommendation_context` repeats what the list said. Acknowledged as `/interactions` is."""
        check_own(request.state.principal, told.user_id)
        context = told.recommendation_context.model_dump(exclude_unset=True)
        return _accepted(
            await take.click(RecommendationClicked(user_id=told.user_id, item_id=told.item_id, recommendation_context=context), _repeatable(request, key))
        )

    @router.post("/items/{item_id}/feedback", status_code=202, openapi_extra=OWN, responses=ANSWERS)
    async def item_feedback(item_id: Annotated[ItemId, Path()], told: ItemFeedbackRequest, request: Request, key: StatementKey = None) -> InteractionAccepted:
        """What somebody thinks of an item: a rating, words, or both. Acknowledged as `/interactions` is."""
        check_own(request.state.principal, told.user_id)
        if not told.rating and not told.text:
            raise InvalidRequest("say what is thought of it: `rating`, `text` or both")
        said = BusinessFeedbackReceived(user_id=told.user_id, item_id=item_id, rating=told.rating or None, text=told.text or None)
        return _accepted(await take.feedback(said, _repeatable(request, key)))

    return router


def _repeatable(request: Request, key: str | None) -> Repeatable:
    return Repeatable(key, request.state.traceparent)


def _accepted(said: Acknowledged) -> InteractionAccepted:
    return InteractionAccepted(id=said.event_id, as_of=place_of(*said.position))
