"""MLflow's scoring protocol: `POST /invocations`, `POST /models/{model}/invocations`, `GET /ping`, `/health`, `/version`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evergreen.core.access import Need
from evergreen.core.errors import NoChampion
from evergreen.ports.serving import Champion
from serving.auth.depth import TooDeep
from serving.dependencies import Serving
from serving.hot import Call, HotRoute, Reply
from serving.protocols.frames import Unusable
from serving.protocols.mlflow_scoring import (
    BAD_REQUEST,
    NO_MODEL,
    NOT_NOW,
    VERSION,
    Fault,
    MlflowReader,
    UnsupportedType,
    fault_body,
    fault_of,
    predictions_body,
)
from serving.scoring import score, score_at_once

if TYPE_CHECKING:
    import numpy as np
    from fastapi import APIRouter
    from numpy.typing import NDArray

MODEL_PATH = "/models/{model}/invocations"


class MlflowScoring:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._readers: dict[str, MlflowReader] = {}

    def at_once(self, call: Call) -> Reply | None:
        model = call.params.get("model", self._serving.video_model)
        champion = self._serving.slots.at_once(model)
        if champion is None:
            return None
        try:
            matrix = self._reader(model).read(call.body, call.headers.get("content-type"))
        except (UnsupportedType, Unusable):
            return None
        predictions = score_at_once(self._serving, champion, matrix, call)
        return None if predictions is None else _predicted(champion, predictions)

    async def invocations(self, call: Call) -> Reply:
        """Predictions by the champion, as `mlflow models serve` answers them for the same model."""
        model = call.params.get("model", self._serving.video_model)
        if model not in self._serving.specs:
            return _refused(NO_MODEL, "there is no such model; GET /models lists them")
        try:
            champion = await self._serving.slots.champion(model)
            matrix = self._reader(model).read(call.body, call.headers.get("content-type"))
        except NoChampion as error:
            return _refused(NOT_NOW, str(error))
        except UnsupportedType as error:
            return Reply(str(error).encode(), 415, "text/plain; charset=utf-8")
        except Unusable as error:
            return _refused(fault_of(error), str(error))
        predictions = await score(self._serving, champion, matrix, call)
        return _predicted(champion, predictions)

    async def ping(self, _call: Call) -> Reply:
        """It answers. Whether it can predict says `/readyz`."""
        return Reply(b"\n")

    async def version(self, _call: Call) -> Reply:
        """Of the MLflow whose scoring protocol this is."""
        return Reply(VERSION.encode())

    def _reader(self, model: str) -> MlflowReader:
        reader = self._readers.get(model)
        if reader is None:
            spec = self._serving.specs[model]
            reader = self._readers[model] = MlflowReader(spec.feature_names, spec.codes)
        return reader


def _predicted(champion: Champion, predictions: NDArray[np.float64]) -> Reply:
    return Reply(predictions_body(predictions), headers={"x-model-version": champion.loaded.name}, cost=len(predictions))


def _refused(fault: Fault, message: str) -> Reply:
    return Reply(fault_body(fault, message), fault.status, headers={"retry-after": "5"} if fault is NOT_NOW else {})


def scoring_hot(serving: Serving) -> Sequence[HotRoute]:
    asked = MlflowScoring(serving)
    exact = {MODEL_PATH.format(model=model): {"model": model} for model in serving.specs}
    deep = _refused(BAD_REQUEST, str(TooDeep()))
    return [
        HotRoute("POST", "/invocations", asked.invocations, Need.PREDICT, {"/invocations": {}}, asked.at_once, too_deep=deep),
        HotRoute("POST", MODEL_PATH, asked.invocations, Need.PREDICT, exact, asked.at_once, too_deep=deep),
        HotRoute("GET", "/ping", asked.ping, Need.PUBLIC, {"/ping": {}}),
        HotRoute("GET", "/health", asked.ping, Need.PUBLIC, {"/health": {}}),
        HotRoute("GET", "/version", asked.version, Need.PUBLIC, {"/version": {}}),
    ]


def scoring_routes(serving: Serving) -> APIRouter:
    from fastapi import APIRouter

    from serving.documented import document
    from serving.routes.protocol_docs import invocations_doc, plain_doc

    router = APIRouter(tags=["MLflow's scoring protocol"])
    for route in scoring_hot(serving):
        document(router, route, **(invocations_doc(serving, route.template) if route.method == "POST" else plain_doc()))
    return router
