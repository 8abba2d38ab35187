"""Open Inference Protocol v2: `/v2`, `/v2/health/…`, `/v2/models/{model}[/versions/{version}][/ready]` and `…/infer`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from evergreen.core.access import Need
from evergreen.core.errors import NoChampion, NotFound
from evergreen.ports.serving import Champion
from serving.auth.depth import TooDeep
from serving.dependencies import Serving
from serving.hot import Call, Handle, HotRoute, Reply
from serving.protocols.frames import Unusable
from serving.protocols.open_inference import SERVER, InferenceReader, answer_body, metadata
from serving.scoring import score

if TYPE_CHECKING:
    from fastapi import APIRouter

_MODEL = "/v2/models/{model}"
_VERSION = _MODEL + "/versions/{version}"


class OpenInference:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._readers: dict[str, InferenceReader] = {}

    async def infer(self, call: Call) -> Reply:
        """Predictions by the champion: one tensor per feature, or all of them in one tensor [n, features]."""
        if said := _unspoken(call):
            return _refused(415, said)
        try:
            champion = await self._champion(call)
            asked = self._reader(champion.loaded.spec.name).read(call.body)
        except NotFound as error:
            return _refused(404, str(error))
        except NoChampion as error:
            return _refused(503, str(error))
        except Unusable as error:
            return _refused(400, str(error))
        predictions = await score(self._serving, champion, asked.matrix, call)
        body = answer_body(champion.loaded.spec.name, champion.loaded.version, predictions, asked.id)
        return Reply(body, headers={"x-model-version": champion.loaded.name}, cost=len(asked.matrix))

    async def model(self, call: Call) -> Reply:
        """Inputs, outputs and the version that serves."""
        try:
            loaded = (await self._champion(call)).loaded
        except NotFound as error:
            return _refused(404, str(error))
        except NoChampion as error:
            return _refused(503, str(error))
        return _json(metadata(loaded.spec.name, loaded.version, loaded.spec.feature_names, loaded.spec.codes))

    async def model_ready(self, call: Call) -> Reply:
        """200 when the model, in this version where one is named, answers."""
        try:
            await self._champion(call)
        except NotFound as error:
            return _refused(404, str(error))
        except NoChampion:
            return _json({"name": call.params["model"], "ready": False}, 503)
        return _json({"name": call.params["model"], "ready": True})

    async def live(self, _call: Call) -> Reply:
        """The event loop turns."""
        return _json({"live": True})

    async def ready(self, _call: Call) -> Reply:
        """200 when this worker has every champion there is and takes part; why not, says `/readyz`."""
        ready = self._serving.listener.ready and not self._serving.draining
        return _json({"live": True, "ready": ready}, 200 if ready else 503)

    async def server(self, _call: Call) -> Reply:
        """Name and version of the server. It has none of the protocol's extensions."""
        return _json({"name": SERVER, "version": _release(), "extensions": []})

    async def _champion(self, call: Call) -> Champion:
        """Raises NotFound (no such model, or another version serves), NoChampion."""
        model, wanted = call.params["model"], call.params.get("version")
        if model not in self._serving.specs:
            raise NotFound("there is no such model; GET /models lists them")
        champion = await self._serving.slots.champion(model)
        if wanted is not None and wanted != str(champion.loaded.version):
            raise NotFound(f"this version of {model} does not serve; version {champion.loaded.version} does")
        return champion

    def _reader(self, model: str) -> InferenceReader:
        reader = self._readers.get(model)
        if reader is None:
            spec = self._serving.specs[model]
            reader = self._readers[model] = InferenceReader(spec.feature_names, spec.codes, spec.entity_column)
        return reader


def _unspoken(call: Call) -> str:
    if "inference-header-content-length" in call.headers:
        return "the binary tensor extension is not spoken here: send JSON data"
    kind = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return "" if kind == "application/json" else "the content type must be application/json"


def _json(said: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(said).encode(), status)


def _refused(status: int, said: str) -> Reply:
    return Reply(json.dumps({"error": said}).encode(), status, headers={"retry-after": "5"} if status == 503 else {})


@cache
def _release() -> str:
    try:
        return version("evergreen")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"


def inference_hot(serving: Serving) -> Sequence[HotRoute]:
    asked = OpenInference(serving)
    deep = _refused(400, f"the body is not JSON as it is taken here: {TooDeep()}")
    routes = [HotRoute("POST", f"{path}/infer", asked.infer, Need.PREDICT, _exact(serving, f"{path}/infer"), too_deep=deep) for path in (_MODEL, _VERSION)]
    shown: list[tuple[str, Handle]] = [(path, asked.model) for path in (_MODEL, _VERSION)]
    shown += [(f"{path}/ready", asked.model_ready) for path in (_MODEL, _VERSION)]
    routes += [HotRoute("GET", path, handle, Need.PREDICT, _exact(serving, path)) for path, handle in shown]
    return [
        *routes,
        HotRoute("GET", "/v2", asked.server, Need.PREDICT, {"/v2": {}, "/v2/": {}}),
        HotRoute("GET", "/v2/health/live", asked.live, Need.PUBLIC, {"/v2/health/live": {}}),
        HotRoute("GET", "/v2/health/ready", asked.ready, Need.PUBLIC, {"/v2/health/ready": {}}),
    ]


def _exact(serving: Serving, template: str) -> dict[str, dict[str, str]]:
    """Versions come and go: their paths are left to FastAPI."""
    return {} if "{version}" in template else {template.format(model=model): {"model": model} for model in serving.specs}


def inference_routes(serving: Serving) -> APIRouter:
    from fastapi import APIRouter

    from serving.documented import document
    from serving.routes.protocol_docs import inference_doc

    router = APIRouter(tags=["Open Inference Protocol"])
    for route in inference_hot(serving):
        document(router, route, **inference_doc(serving, route))
    return router
