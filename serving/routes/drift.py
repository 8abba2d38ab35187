"""`/drift…` and `/quality`: what the checks found, and the evidence."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from evergreen.contracts.api_drift import PICTURE_POLICY, Distributions, DriftHeat, DriftPage, DriftReportSaid, Quality
from evergreen.core.access import Need
from evergreen.services.show_drift import ShowDrift
from serving.auth.needs import requires
from serving.errors import responses
from serving.problems import NOT_FOUND, UNAVAILABLE

READ = requires(Need.READ)
ONE, MANY = responses(NOT_FOUND, UNAVAILABLE), responses(UNAVAILABLE)
Name = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Feature = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$", description="`prediction`: what the model says of the rows")]
Dataset = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Windows = Annotated[int, Query(ge=1, le=60)]
Limit = Annotated[int, Query(ge=1, le=400)]


def drift_routes(drift: ShowDrift) -> APIRouter:
    router = APIRouter(tags=["records"])
    _checks(router, drift)
    _evidence(router, drift)
    return router


def _checks(router: APIRouter, drift: ShowDrift) -> None:
    @router.get("/drift", openapi_extra=READ, responses=MANY)
    async def drift_reports(model: Name | None = None, limit: Limit = 200) -> DriftPage:
        """Drift checks, newest window first: score, and which features drifted or lost values."""
        return DriftPage(**await drift.timeline(model, limit))

    @router.get("/drift/features", openapi_extra=READ, responses=MANY)
    async def drift_of_features(model: Name, windows: Windows = 26) -> DriftHeat:
        """How far each feature moved in a model's newest windows."""
        return DriftHeat(**await drift.heat(model, windows))

    @router.get("/quality", openapi_extra=READ, responses=MANY)
    async def quality(dataset: Dataset = None, limit: Limit = 100) -> Quality:
        """What was wrong with what was taken in: rows set aside, incidents, refused batches, with reasons."""
        return Quality(**await drift.quality(dataset, limit))


def _evidence(router: APIRouter, drift: ShowDrift) -> None:
    @router.get("/drift/reports/{report_id}", openapi_extra=READ, responses=ONE)
    async def drift_report(report_id: UUID) -> DriftReportSaid:
        """One check whole: every feature with its distance and its q value."""
        return DriftReportSaid(**await drift.report(report_id))

    @router.get("/drift/reports/{report_id}/distribution", openapi_extra=READ, responses=ONE)
    async def drift_distribution(report_id: UUID, feature: Feature) -> Distributions:
        """A feature's values in the training rows and in the window, in the training rows' mix of seasons."""
        return Distributions(**await drift.distribution(report_id, feature))

    @router.get("/drift/reports/{report_id}/picture", openapi_extra=READ, responses=ONE, response_class=Response)
    async def drift_picture(report_id: UUID) -> Response:
        """Evidently's report on a window that drifted: one HTML page, to be shown in a sandbox."""
        headers = {"Content-Security-Policy": PICTURE_POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(await drift.picture(report_id), media_type="text/html", headers=headers)
