"""`/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from evergreen.contracts.api import Alive, Ready, Served
from evergreen.core.access import Need
from evergreen.core.errors import Unavailable
from serving.auth.needs import requires
from serving.dependencies import Serving
from serving.errors import responses
from serving.problems import UNAVAILABLE


def probe_routes(serving: Serving) -> APIRouter:
    router = APIRouter(tags=["probes"])

    @router.get("/livez", openapi_extra=requires(Need.PUBLIC))
    async def livez() -> Alive:
        """The event loop turns."""
        return Alive()

    @router.get("/readyz", openapi_extra=requires(Need.PUBLIC), responses=responses(UNAVAILABLE))
    async def readyz() -> Ready:
        """Ready: this worker has loaded every champion there is. A home without any champion yet is ready, with no models:
        it is set up, and `/predict/video` says `no-champion` until the first one is deployed. Not ready while it drains."""
        if serving.draining:
            raise Unavailable("this worker is going away")
        if not serving.listener.ready:
            raise Unavailable(serving.listener.missing())
        return Ready(worker=serving.worker_id, models={model: Served(**said) for model, said in serving.slots.serving().items()})

    @router.get(
        "/metrics",
        openapi_extra=requires(Need.METRICS),
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format"}},
    )
    async def metrics() -> Response:
        """Of all workers on this port, added up."""
        serving.metrics.flush()
        return Response(await asyncio.to_thread(serving.metrics.render), media_type=CONTENT_TYPE_LATEST)

    return router
