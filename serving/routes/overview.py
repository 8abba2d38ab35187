"""`GET /overview`."""

from __future__ import annotations

from fastapi import APIRouter

from evergreen.contracts.api_overview import Overview
from evergreen.core.access import Need
from evergreen.services.overview import ShowOverview
from serving.auth.needs import requires
from serving.errors import responses
from serving.kept import Kept
from serving.problems import UNAVAILABLE

FRESH_SECONDS = 1.0
"""However many look, the database is asked once in this time; and nobody sees what is older."""


def overview_routes(overview: ShowOverview) -> APIRouter:
    router = APIRouter(tags=["records"])
    kept = Kept(overview.run, fresh=FRESH_SECONDS, usable=FRESH_SECONDS)

    @router.get("/overview", openapi_extra=requires(Need.READ), responses=responses(UNAVAILABLE))
    async def show_overview() -> Overview:
        """The loop at a glance, for a page that looks every other second: events, the last decision, open actions, champions, promises."""
        return Overview(**await kept.get())

    return router
