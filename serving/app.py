"""The application: routes, errors, edge. Thin: everything it does is in the services and in `Serving`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from serving import errors
from serving.dependencies import Serving
from serving.middleware import Edge
from serving.routes.feedback import feedback_routes
from serving.routes.predict import predict_routes
from serving.routes.probes import probe_routes
from serving.routes.records import records_routes

TITLE = "Video Social Analytics API"


class App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = errors.problem_media(super().openapi())
        return self.openapi_schema


def create_app(serving: Serving) -> App:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await serving.start()
        yield
        await serving.stop()

    app = App(
        title=TITLE,
        version="1",
        description="Predictions of how videos will do, by the champion of the moment, and the records of the loop that keeps it fresh.",
        lifespan=lifespan,
    )
    errors.install(app)
    app.add_middleware(Edge, metrics=serving.metrics, draining=lambda: serving.draining)
    for routes in (predict_routes, feedback_routes, records_routes, probe_routes):
        app.include_router(routes(serving))
    return app
