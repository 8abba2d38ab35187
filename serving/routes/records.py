"""The loop's records: who serves and served, what happened, what was decided, what was done, and why."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from evergreen.contracts.api import DeploymentPage, ModelList
from evergreen.contracts.api_records import (
    ActionFilter,
    ActionPage,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    EventFilter,
    EventPage,
    EventRecord,
    Explanation,
)
from evergreen.core.access import Need
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import NOT_FOUND, UNAVAILABLE

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")]
Model = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Chain = Annotated[str, Path(pattern=r"^([a-z][a-z0-9_]{0,63}|-)$", description="`-`: decisions that concern no model")]
Seq = Annotated[int, Path(ge=1, lt=2**63)]
EventId = Annotated[str, Path(pattern=r"^[!-~]{1,64}$")]
READ = requires(Need.READ)
ONE, MANY = responses(NOT_FOUND, UNAVAILABLE), responses(UNAVAILABLE)


def records_routes(cold: Cold) -> APIRouter:
    router = APIRouter(tags=["records"])
    _models(router, cold)
    _events(router, cold)
    _decisions(router, cold)
    _actions(router, cold)
    return router


def _models(router: APIRouter, cold: Cold) -> None:
    @router.get("/models", openapi_extra=READ, responses=MANY)
    async def models() -> ModelList:
        """Every model with its champion and what each live worker answers with."""
        return ModelList(models=await cold.records.models())

    @router.get("/models/{model}/history", openapi_extra=READ, responses=ONE)
    async def history(model: Model, limit: Limit = 50, cursor: Cursor = None) -> DeploymentPage:
        """Deployments, newest first: which version served from when to when."""
        return await cold.records.history(model, limit, cursor)


def _events(router: APIRouter, cold: Cold) -> None:
    @router.get("/events", openapi_extra=READ, responses=MANY)
    async def events(wanted: Annotated[EventFilter, Query()]) -> EventPage:
        """What happened, newest first by platform time."""
        return await cold.records.events(wanted)

    @router.get("/events/{event_id}", openapi_extra=READ, responses=ONE)
    async def event(event_id: EventId) -> EventRecord:
        """One event, with where it stood on Kafka."""
        return await cold.records.event(event_id)

    @router.get("/events/{event_id}/explain", openapi_extra=READ, responses=ONE)
    async def explain_event(event_id: EventId) -> Explanation:
        """What was decided on an event and what came of it; or what stopped it, and when it would next be allowed."""
        return await cold.records.explain(event_id, "event")


def _decisions(router: APIRouter, cold: Cold) -> None:
    @router.get("/decisions", openapi_extra=READ, responses=MANY)
    async def decisions(wanted: Annotated[DecisionFilter, Query()]) -> DecisionPage:
        """What the policy decided, the newest record first."""
        return await cold.records.decisions(wanted)

    @router.get("/decisions/{model}/{seq}", openapi_extra=READ, responses=ONE)
    async def decision(model: Chain, seq: Seq) -> DecisionRecord:
        """One decision whole, as it was recorded and hashed."""
        return await cold.records.decision(model, seq)


def _actions(router: APIRouter, cold: Cold) -> None:
    @router.get("/actions", openapi_extra=READ, responses=MANY)
    async def actions(wanted: Annotated[ActionFilter, Query()]) -> ActionPage:
        """What was done or waits to be, newest first."""
        return await cold.records.actions(wanted)

    @router.get("/actions/{action_id}/explain", openapi_extra=READ, responses=ONE)
    async def explain_action(action_id: UUID) -> Explanation:
        """An action with the events that caused it, the decision that made it and what became of it."""
        return await cold.records.explain(str(action_id), "action")
