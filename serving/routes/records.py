"""The loop's records: who serves and served, what was decided, why an action exists."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from evergreen.contracts.api import DecisionPage, DeploymentPage, Explanation, ModelList
from serving.dependencies import Serving
from serving.errors import NOT_FOUND, UNAVAILABLE, responses

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")]
Model = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ModelFilter = Annotated[str | None, Query(pattern=r"^([a-z][a-z0-9_]{0,63}|-)$", description="`-`: decisions that concern no model")]


def records_routes(serving: Serving) -> APIRouter:
    router = APIRouter(tags=["records"])

    @router.get("/models", responses=responses(UNAVAILABLE))
    async def models() -> ModelList:
        """Every model with its champion and what each live worker answers with."""
        return ModelList(models=await serving.records.models())

    @router.get("/models/{model}/history", responses=responses(NOT_FOUND, UNAVAILABLE))
    async def history(model: Model, limit: Limit = 50, cursor: Cursor = None) -> DeploymentPage:
        """Deployments, newest first: which version served from when to when."""
        return await serving.records.history(model, limit, cursor)

    @router.get("/decisions", responses=responses(UNAVAILABLE))
    async def decisions(model: ModelFilter = None, limit: Limit = 50, cursor: Cursor = None) -> DecisionPage:
        """What the policy decided, newest first."""
        return await serving.records.decisions(model, limit, cursor)

    @router.get("/actions/{action_id}/explain", responses=responses(NOT_FOUND, UNAVAILABLE))
    async def explain(action_id: UUID) -> Explanation:
        """An action with the events that caused it, the decision that made it and what became of it."""
        return await serving.records.explain(action_id)

    return router
