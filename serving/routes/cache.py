"""`DELETE /cache`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from evergreen.contracts.api import CacheCleared, ModelName
from evergreen.core.access import Need
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import NOT_FOUND, UNAVAILABLE


def cache_routes(cold: Cold) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.delete("/cache", openapi_extra=requires(Need.ACT), responses=responses(NOT_FOUND, UNAVAILABLE))
    async def clear_cache(request: Request, model: Annotated[ModelName, Query()]) -> CacheCleared:
        """No cached answer of the model is given any more: by this worker at once, by the others within a second."""
        return CacheCleared(model=model, generation=await cold.clear_cache.run(model, request.state.principal.subject))

    return router
