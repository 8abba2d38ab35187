"""`GET /recommendations/{user_id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from evergreen.contracts.api_recommendations import Genre, RecommendationList, UserId
from evergreen.core.access import Need
from evergreen.core.as_of import PATTERN, read_as_of
from evergreen.services.recommend import KEPT
from serving.auth.needs import requires
from serving.auth.own import check_own
from serving.errors import responses
from serving.list_answers import ListAnswers
from serving.problems import NO_CHAMPION

MOST = 100
K = Annotated[int, Query(ge=1, le=MOST)]
Diversity = Annotated[float | None, Query(ge=0, le=1, description="0: the best ones, 1: anything but alike. Default: as lists are usually made")]
Categories = Annotated[tuple[Genre, ...], Query(max_length=20, description="Items of these genres alone; several: of any of them")]
_WAIT = "Wait for it, a second at most: `as_of` of an acknowledged interaction; of several with commas between"
Reflecting = Annotated[str, Query(pattern=rf"^$|{PATTERN}", description=_WAIT, examples=["interactions:2:1841"])]


def recommendation_routes(answers: ListAnswers) -> APIRouter:
    router = APIRouter(tags=["recommendations"])

    @router.get("/recommendations/{user_id}", openapi_extra=requires(Need.OWN), response_model=RecommendationList, responses=responses(NO_CHAMPION))
    async def recommendations(
        user_id: Annotated[UserId, Path()], request: Request, k: K = KEPT, diversity: Diversity = None, category: Categories = (), as_of: Reflecting = ""
    ) -> Response:
        """What to watch next, best first, and why. Without a model or Redis: what is popular, with `degraded_reasons`."""
        principal = request.state.principal
        check_own(principal, user_id)
        body = await answers.answer(user_id, k, diversity, category, read_as_of(as_of), to=principal, traceparent=request.state.traceparent)
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return router
