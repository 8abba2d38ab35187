"""`GET /policy`, `POST /policy/backtest`."""

from __future__ import annotations

from fastapi import APIRouter

from evergreen.contracts.api_policy import BacktestAnswer, BacktestRequest, PolicySaid
from evergreen.core.access import Need
from serving.auth.needs import requires
from serving.errors import responses
from serving.policy_desk import PolicyDesk
from serving.problems import MALFORMED, TOO_MANY_JOBS, UNAVAILABLE

READ = requires(Need.READ)


def policy_routes(desk: PolicyDesk) -> APIRouter:
    router = APIRouter(tags=["policy"])

    @router.get("/policy", openapi_extra=READ, responses=responses(UNAVAILABLE))
    async def policy() -> PolicySaid:
        """What follows from which event at which severity, the guards' numbers, and the thresholds one may move in a back-test."""
        return await desk.show()

    @router.post("/policy/backtest", openapi_extra=READ, responses=responses(MALFORMED, TOO_MANY_JOBS, UNAVAILABLE))
    async def backtest(asked: BacktestRequest) -> BacktestAnswer:
        """What the policy in force and one with other numbers would have done with the recorded events. Nothing is changed."""
        return await desk.backtest(asked)

    return router
