"""`GET /videos/{video_id}`, `GET /distribution`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from evergreen.contracts.api import VideoId
from evergreen.contracts.api_videos import SpreadFilter, SpreadPage, VideoDetail
from evergreen.core.access import Need
from evergreen.ports.catalogue import SpreadOf
from evergreen.services.show_spread import ShowSpread
from evergreen.services.show_video import ShowVideo
from serving.auth.needs import requires
from serving.errors import responses
from serving.problems import NO_CHAMPION, NOT_FOUND, UNAVAILABLE

ONE, MANY = requires(Need.PREDICT), requires(Need.READ)


def video_routes(video: ShowVideo, spread: ShowSpread) -> APIRouter:
    router = APIRouter(tags=["videos"])

    @router.get("/videos/{video_id}", openapi_extra=ONE, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def show_video(video_id: Annotated[VideoId, Path()]) -> VideoDetail:
        """What the catalogue knows of a video, and the stored features a prediction of it rests on."""
        return VideoDetail(**await video.run(video_id))

    @router.get("/distribution", openapi_extra=MANY, responses=responses(NO_CHAMPION, UNAVAILABLE))
    async def distribution(wanted: Annotated[SpreadFilter, Query()]) -> SpreadPage:
        """How engagement or performance is spread over the videos first listed in a range of days."""
        threshold = 90.0 if wanted.threshold is None and wanted.metric == "performance" else wanted.threshold
        return SpreadPage(**await spread.run(SpreadOf(wanted.metric, wanted.first_day, wanted.last_day, tuple(wanted.category), threshold)))

    return router
