"""A model's versions and what judged them, what they were worth, and changing who serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.api import ModelName
from evergreen.contracts.api_models import (
    ChangeAccepted,
    ChangePreview,
    LedgerPage,
    PromoteRequest,
    RollbackRequest,
    VersionName,
    VersionPage,
    VersionReport,
)
from evergreen.contracts.envelope import new_id
from evergreen.core.access import Need, by
from evergreen.services.change_by_hand import Change
from serving.auth.needs import requires
from serving.errors import responses
from serving.model_desk import ModelDesk
from serving.problems import CHANGE_REFUSED, KEY_REUSED, MALFORMED, NOT_FOUND, UNAVAILABLE
from serving.routes.idempotency import key

READ, ACT = requires(Need.READ), requires(Need.ACT)
ONE, CHANGES = responses(NOT_FOUND, UNAVAILABLE), responses(MALFORMED, NOT_FOUND, CHANGE_REFUSED, KEY_REUSED, UNAVAILABLE)
Key = Annotated[str | None, key("The same key for a repeat of the same request: there is one action")]
Number = Annotated[int, Path(ge=1, lt=10**9)]
Forced = Annotated[bool, Query()]
CLOSED = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:", "x-content-type-options": "nosniff"}


def model_routes(desk: ModelDesk) -> APIRouter:
    router = APIRouter(tags=["models"])
    _versions(router, desk)
    _promotions(router, desk)
    _rollbacks(router, desk)
    return router


def _versions(router: APIRouter, desk: ModelDesk) -> None:
    @router.get("/models/{model}/versions", openapi_extra=READ, responses=ONE)
    async def versions(
        model: ModelName, limit: Annotated[int, Query(ge=1, le=100)] = 50, before: Annotated[int | None, Query(ge=1, lt=10**9)] = None
    ) -> VersionPage:
        """Newest first, each with its aliases, its metrics and its verdict."""
        return await desk.versions(model, limit, before)

    @router.get("/models/{model}/versions/{number}", openapi_extra=READ, responses=ONE)
    async def version(model: ModelName, number: Number) -> VersionReport:
        """One version with every gate's numbers, and how it does."""
        return await desk.version(model, number)

    @router.get("/models/{model}/versions/{number}/report", openapi_extra=READ, responses={**ONE, 200: {"content": {"text/html": {}}}}, response_class=Response)
    async def report(model: ModelName, number: Number) -> Response:
        """The retrain's report as a page that stands alone: no script, nothing fetched."""
        return Response(await desk.report(model, number), media_type="text/html", headers=CLOSED)

    @router.get("/models/{model}/ledger", openapi_extra=READ, responses=ONE)
    async def ledger(model: ModelName) -> LedgerPage:
        """What each retrain cost, promised and was worth."""
        return await desk.ledger(model)


def _promotions(router: APIRouter, desk: ModelDesk) -> None:
    @router.get("/models/{model}/promote", openapi_extra=READ, responses=ONE)
    async def preview_promotion(model: ModelName, version: VersionName, forced: Forced = False) -> ChangePreview:
        """What promoting the version would do now; nothing is changed."""
        return await desk.preview(Change(ActionKind.PROMOTE, model, version, forced))

    @router.post("/models/{model}/promote", status_code=202, openapi_extra=ACT, responses=CHANGES)
    async def promote(model: ModelName, asked: PromoteRequest, request: Request, response: Response, key: Key = None) -> ChangeAccepted:
        """An approved version becomes the champion. 202: it is recorded; `Location` says what becomes of it. 409: the rules refuse it, and why."""
        change = Change(ActionKind.PROMOTE, model, asked.version, asked.forced, asked.reason)
        return await _asked(desk, change, request, response, key)


def _rollbacks(router: APIRouter, desk: ModelDesk) -> None:
    @router.get("/models/{model}/rollback", openapi_extra=READ, responses=ONE)
    async def preview_rollback(model: ModelName, to: VersionName | None = None, forced: Forced = False) -> ChangePreview:
        """What a rollback would do now; nothing is changed. Versions that no longer load are passed over when it is carried out."""
        return await desk.preview(Change(ActionKind.ROLLBACK, model, to, forced and to is not None))

    @router.post("/models/{model}/rollback", status_code=202, openapi_extra=ACT, responses=CHANGES)
    async def roll_back(model: ModelName, asked: RollbackRequest, request: Request, response: Response, key: Key = None) -> ChangeAccepted:
        """Back to a stable version; the one that serves now is quarantined. 202: it is recorded. 409: the rules refuse it, and why."""
        change = Change(ActionKind.ROLLBACK, model, asked.to, asked.forced, asked.reason)
        return await _asked(desk, change, request, response, key)


async def _asked(desk: ModelDesk, change: Change, request: Request, response: Response, key: str | None) -> ChangeAccepted:
    who = by(request.state.principal.subject)
    action_id = await desk.ask(change, who=who, key=f"{who}:{change.model}:{key or new_id()}")
    response.headers["Location"] = f"/actions/{action_id}/explain"
    return ChangeAccepted(action_id=action_id)
