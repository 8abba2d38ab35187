"""The system beside the predictions: its load, its parts, its topics, its warnings, its alerts and who silenced them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from evergreen.contracts.api_system import (
    AlertList,
    LogLines,
    SilenceList,
    SilenceRequest,
    SilenceSaid,
    SystemNow,
    SystemSeries,
    TopicList,
)
from evergreen.core.access import Need, by
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, NOT_FOUND, UNAVAILABLE
from serving.routes.idempotency import OnceKey, keyed

READ, ACT = requires(Need.READ), requires(Need.ACT)
MANY = responses(UNAVAILABLE)
Limit = Annotated[int, Query(ge=1, le=200)]


def system_routes(cold: Cold) -> APIRouter:
    router = APIRouter(tags=["system"])
    _system(router, cold)
    _alerts(router, cold)
    return router


def _system(router: APIRouter, cold: Cold) -> None:
    desk = cold.system

    @router.get("/system", openapi_extra=READ, responses=MANY)
    async def system() -> SystemNow:
        """Load of serving with what it was before, state of every part, queues and latencies of the loop."""
        return await desk.now()

    @router.get("/system/series", openapi_extra=READ, responses=MANY)
    async def series(minutes: Annotated[int, Query(ge=1, le=7 * 24 * 60)] = 30) -> SystemSeries:
        """Serving's numbers over the last minutes of wall time."""
        return await desk.series(minutes)

    @router.get("/system/topics", openapi_extra=READ, responses=MANY)
    async def topics() -> TopicList:
        """Offsets, rates and lags of every topic, a few seconds old at most while somebody looks."""
        return await desk.topics()

    @router.get("/system/log", openapi_extra=READ, responses=responses())
    async def log(
        limit: Limit = 100,
        level: Annotated[Literal["warning", "error", "critical"] | None, Query()] = None,
        part: Annotated[str | None, Query(pattern=r"^[a-z]{1,32}$")] = None,
    ) -> LogLines:
        """The newest warnings and errors this product's own parts wrote, where this home keeps their logs."""
        return await desk.log(limit, level, part)


def _alerts(router: APIRouter, cold: Cold) -> None:
    desk = cold.system

    @router.get("/alerts", openapi_extra=READ, responses=MANY)
    async def alerts(limit: Limit = 50) -> AlertList:
        """What was raised, newest first, and what the notifier did about it."""
        return await desk.alerts(limit)

    @router.get("/silences", openapi_extra=READ, responses=MANY)
    async def silences(limit: Limit = 50) -> SilenceList:
        """What stays quiet, until when, by whom and why."""
        return await desk.silences(limit)

    @router.post("/silences", status_code=201, openapi_extra=ACT, responses=responses(MALFORMED, KEY_REUSED, UNAVAILABLE))
    async def silence(asked: SilenceRequest, request: Request, key: OnceKey = None) -> SilenceSaid:
        """Nothing is told about what it covers until then. It is still recorded, and the policy still acts."""
        return await desk.silence(asked, by(request.state.principal.subject), keyed(request, key, asked))

    @router.post("/silences/{silence_id}/end", openapi_extra=ACT, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def end_silence(silence_id: UUID, request: Request) -> SilenceSaid:
        """What came meanwhile is not told afterwards. It is kept with who ended it."""
        return await desk.end_silence(silence_id, by(request.state.principal.subject))
