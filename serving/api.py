"""The FastAPI application: every route, documented. Thin: everything it does is in the services and in `Serving`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving import errors
from serving.auth.needs import described
from serving.cold import Cold
from serving.dependencies import Serving
from serving.push_socket import socket_route
from serving.routes.admin import admin_routes
from serving.routes.auth import auth_routes
from serving.routes.batch import batch_routes
from serving.routes.bloom import bloom_routes
from serving.routes.cache import cache_routes
from serving.routes.candidates import candidate_routes
from serving.routes.catalogue import catalogue_routes
from serving.routes.drift import drift_routes
from serving.routes.experiments import experiment_routes
from serving.routes.feedback import feedback_routes
from serving.routes.interactions import interaction_routes
from serving.routes.jobs import job_routes
from serving.routes.models import model_routes
from serving.routes.open_inference import inference_routes
from serving.routes.overview import overview_routes
from serving.routes.policy import policy_routes
from serving.routes.predict import predict_routes
from serving.routes.probes import probe_routes
from serving.routes.profiles import profile_routes
from serving.routes.push import push_routes
from serving.routes.recommendations import recommendation_routes
from serving.routes.records import records_routes
from serving.routes.scoring import scoring_routes
from serving.routes.search import search_routes
from serving.routes.system import system_routes
from serving.routes.videos import video_routes

TITLE = "Video Social Analytics API"


class Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = described(errors.problem_media(super().openapi()))
        return self.openapi_schema


def create_api(serving: Serving, cold: Cold) -> Api:
    api = Api(
        title=TITLE,
        version="1",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        description="Predictions of how videos will do, by the champion of the moment, and the records of the loop that keeps it fresh.",
    )
    errors.install(api)
    hot = (predict_routes(serving), scoring_routes(serving), inference_routes(serving))
    shelf = cold.catalogue
    catalogue = (search_routes(shelf.search), video_routes(shelf.video, shelf.spread), bloom_routes(shelf.seen), catalogue_routes(shelf))
    records = (feedback_routes(serving, cold), records_routes(cold), overview_routes(cold.overview), drift_routes(cold.drift))
    judged = (model_routes(cold.models), policy_routes(cold.policy))
    lists, metrics = cold.list_answers, serving.metrics
    people = (interaction_routes(cold.interactions), recommendation_routes(lists), push_routes(cold.pushes, lists, metrics), profile_routes(cold.profiles))
    others = (cache_routes(cold), candidate_routes(cold), experiment_routes(cold), probe_routes(serving), auth_routes(serving, cold))
    operating = (system_routes(cold), admin_routes(cold))
    for router in (*hot, batch_routes(serving), *catalogue, job_routes(serving, cold), *records, *judged, *operating, *people, *others):
        api.include_router(router)
    api.router.routes.append(socket_route(cold.pushes, lists, metrics))
    serving.when_draining(cold.pushes.drain)
    return api
