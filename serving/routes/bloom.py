"""`GET /bloom/videos/{video_id}`, `GET /bloom/stats`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from evergreen.contracts.api import VideoId
from evergreen.contracts.api_videos import Days, SeenAnswer, SeenIndexStats
from evergreen.core.access import Need
from evergreen.services.show_seen import ShowSeen
from serving.auth.needs import requires
from serving.errors import responses
from serving.problems import UNAVAILABLE

NEED = requires(Need.PREDICT)


def bloom_routes(seen: ShowSeen) -> APIRouter:
    router = APIRouter(tags=["seen index"], prefix="/bloom")

    @router.get("/videos/{video_id}", openapi_extra=NEED, responses=responses(UNAVAILABLE))
    async def seen_lately(video_id: Annotated[VideoId, Path()], days: Annotated[Days, Query()] = 7) -> SeenAnswer:
        """Was it listed in the last days? "Not seen" is certain; "probably seen" may be wrong in 1 of 100 cases."""
        return SeenAnswer(**await seen.of_video(video_id, days))

    @router.get("/stats", openapi_extra=NEED, responses=responses(UNAVAILABLE))
    async def seen_index() -> SeenIndexStats:
        """The filters of the last seven days together, measured."""
        return SeenIndexStats(**await seen.stats())

    return router
