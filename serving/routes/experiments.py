"""`/experiments`: what runs, what ran and what was found; starting and stopping one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from evergreen.contracts.api import ModelName
from evergreen.contracts.api_experiments import ExperimentList, ExperimentName, ExperimentRequest, ExperimentSaid, StopRequest
from evergreen.core.access import Need, by
from evergreen.core.experiment import Variant
from evergreen.ports.experiments import ExperimentRow
from evergreen.services.experiments import NewExperiment, experiment_said
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, NOT_FOUND, UNAVAILABLE
from serving.routes.idempotency import OnceKey, keyed

READ, ACT = requires(Need.READ), requires(Need.ACT)
Name = Annotated[ExperimentName, Path()]
CHANGES, ONE = responses(MALFORMED, NOT_FOUND, UNAVAILABLE), responses(NOT_FOUND, UNAVAILABLE)


def experiment_routes(cold: Cold) -> APIRouter:
    router, desk = APIRouter(tags=["experiments"]), cold.experiments

    @router.get("/experiments", openapi_extra=READ, responses=responses(UNAVAILABLE))
    async def experiments(limit: Annotated[int, Query(ge=1, le=100)] = 20, model: Annotated[ModelName | None, Query()] = None) -> ExperimentList:
        """Newest first, each with what was found at its newest look."""
        return ExperimentList(experiments=[_said(row) for row in await desk.newest(limit, model)])

    @router.get("/experiments/{name}", openapi_extra=READ, responses=ONE)
    async def experiment(name: Name) -> ExperimentSaid:
        """Its groups, their click-through rates, and whether one is better: valid whenever it is looked at."""
        return _said(await desk.get(name))

    @router.post("/experiments", status_code=201, openapi_extra=ACT, responses=responses(MALFORMED, NOT_FOUND, KEY_REUSED, UNAVAILABLE))
    async def start_experiment(asked: ExperimentRequest, request: Request, response: Response, key: OnceKey = None) -> ExperimentSaid:
        """One at a time for a model. Serving's workers follow within a second."""
        started = await desk.start(_wanted(asked, by(request.state.principal.subject)), keyed(request, key, asked))
        response.headers["Location"] = f"/experiments/{started.name}"
        return started

    @router.post("/experiments/{name}/stop", openapi_extra=ACT, responses=CHANGES)
    async def stop_experiment(name: Name, asked: StopRequest, request: Request) -> ExperimentSaid:
        """Everybody is shown what the champion says again; what was found stays. One that has ended stays as it is."""
        return _said(await desk.stop(name, who=by(request.state.principal.subject), reason=asked.reason))

    return router


def _wanted(asked: ExperimentRequest, who: str) -> NewExperiment:
    challengers = [Variant(one.name, one.weight, one.version, one.params.model_dump(exclude_none=True)) for one in asked.challengers]
    times = {"control_weight": asked.control_weight, "window_hours": asked.window_hours, "days": asked.days}
    return NewExperiment(asked.name, asked.model, challengers, asked.share, who, asked.reason, **times)


def _said(row: ExperimentRow) -> ExperimentSaid:
    return ExperimentSaid.model_validate(experiment_said(row))
