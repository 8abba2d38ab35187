"""`GET /catalogue`, `GET /rankings`, `GET /movers`, `POST /predict/video/explanation`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from evergreen.contracts.api import PredictVideoRequest
from evergreen.contracts.api_catalogue import CataloguePage, MoverFilter, MoverPage, PredictionExplanation, RankingFilter, RankingPage
from evergreen.core.access import Need
from evergreen.ports.catalogue import SpreadOf
from serving.auth.needs import requires
from serving.catalogue import Catalogue
from serving.errors import responses
from serving.problems import MALFORMED, NO_CHAMPION, UNAVAILABLE, UNKNOWN_VIDEO

NEED = requires(Need.READ)


def catalogue_routes(shelf: Catalogue) -> APIRouter:
    router = APIRouter(tags=["videos"])

    @router.get("/catalogue", openapi_extra=NEED, responses=responses(UNAVAILABLE))
    async def catalogue() -> CataloguePage:
        """Which days and categories there are to look at."""
        return CataloguePage(**await shelf.holdings.run())

    @router.get("/rankings", openapi_extra=NEED, responses=responses(NO_CHAMPION, UNAVAILABLE))
    async def rankings(wanted: Annotated[RankingFilter, Query()]) -> RankingPage:
        """Which categories and which hours of publication do best, by what their mean performance surely reaches."""
        asked = SpreadOf("performance", wanted.first_day, wanted.last_day, tuple(wanted.category), wanted.threshold)
        return RankingPage(**await shelf.rankings.run(asked))

    @router.get("/movers", openapi_extra=NEED, responses=responses(UNAVAILABLE))
    async def movers(wanted: Annotated[MoverFilter, Query()]) -> MoverPage:
        """Videos that gained the most views per day since they were first listed."""
        return MoverPage(**await shelf.movers.run(SpreadOf("engagement", wanted.first_day, wanted.last_day, tuple(wanted.category)), wanted.limit))

    @router.post("/predict/video/explanation", openapi_extra=requires(Need.PREDICT), responses=responses(MALFORMED, UNKNOWN_VIDEO, NO_CHAMPION, UNAVAILABLE))
    async def explanation(asked: PredictVideoRequest) -> PredictionExplanation:
        """What each feature does to the prediction: it is asked again with the feature's usual value in its place."""
        return PredictionExplanation(**await shelf.explain.run(asked.video_id, asked.features))

    return router
