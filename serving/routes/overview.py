"""`GET /overview`."""

from __future__ import annotations

from fastapi import APIRouter

from evergreen.contracts.api_overview import Overview
from evergreen.core.access import Need
from evergreen.services.overview import ShowOverview
from serving.auth.needs import requires
from serving.errors import responses
from serving.problems import UNAVAILABLE


def overview_routes(overview: ShowOverview) -> APIRouter:
    router = APIRouter(tags=["records"])

    @router.get("/overview", openapi_extra=requires(Need.READ), responses=responses(UNAVAILABLE))
    async def show_overview() -> Overview:
        """The loop at a glance, for a page that looks every other second: events, the last decision, open actions, champions, promises."""
        return Overview(**await overview.run())

    return router
