"""`POST /search/keyword`, `POST /search/channel`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from evergreen.contracts.api_videos import ChannelPage, KeywordPage, SearchChannelRequest, SearchKeywordRequest
from evergreen.core.access import Need
from evergreen.services.search import Search, SearchFor
from serving.auth.needs import requires
from serving.errors import responses
from serving.problems import MALFORMED, UNAVAILABLE

NEED = requires(Need.PREDICT)
ANSWERS = responses(MALFORMED, UNAVAILABLE)


def search_routes(search: Search) -> APIRouter:
    router = APIRouter(tags=["videos"])

    @router.post("/search/keyword", response_model=KeywordPage, openapi_extra=NEED, responses=ANSWERS)
    async def search_keyword(asked: SearchKeywordRequest) -> Response:
        """Videos with the keyword in title or description, each with the champion's prediction."""
        return _json(await search.run(SearchFor("keyword", asked.keyword, asked.limit, asked.cursor)))

    @router.post("/search/channel", response_model=ChannelPage, openapi_extra=NEED, responses=ANSWERS)
    async def search_channel(asked: SearchChannelRequest) -> Response:
        """Videos of the channel with this id, and of channels with this in their name, each with the champion's prediction."""
        return _json(await search.run(SearchFor("channel", asked.channel, asked.limit, asked.cursor)))

    return router


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
