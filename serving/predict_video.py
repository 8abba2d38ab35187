"""`POST /predict/video`, past FastAPI."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from evergreen.contracts.limits import MAX_FEATURES, MAX_TEXT
from evergreen.core.access import Need
from evergreen.services.predict import Answer, Predict, Question
from serving.dependencies import Serving
from serving.hot import Call, HotRoute, Reply, says_json
from serving.metrics import Metrics

if TYPE_CHECKING:
    from evergreen.contracts.api import PredictVideoRequest

PATH = "/predict/video"
_Value = bool | int | float | str | None
_WIDEST = 2**63
_video_id = re.compile(r"[!-~]{1,64}").fullmatch
_name = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}").fullmatch


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    video_id: str
    features: dict[str, _Value] | None = None


_decode = msgspec.json.Decoder(_Body).decode


class PredictVideo:
    """Guarantee: takes and refuses exactly what `PredictVideoRequest` does, with its faults: what the fast reader is not sure of goes there."""

    def __init__(self, predict: Predict, model: str, metrics: Metrics) -> None:
        self._predict = predict
        self._model = model
        self._metrics = metrics

    def at_once(self, call: Call) -> Reply | None:
        answer = self._predict.again_at_once(call.body, call.traceparent) if says_json(call.headers.get("content-type")) else None
        return None if answer is None else self._said(answer)

    async def handle(self, call: Call) -> Reply:
        """How a video will do when it is first listed, from given features or, without any, from the feature store's."""
        is_json = says_json(call.headers.get("content-type"))
        answer = await self._predict.again(call.body, call.traceparent) if is_json else None
        if answer is None:
            asked = (_read(call.body) if is_json else None) or _read_slowly(call)
            if isinstance(asked, Reply):
                return asked
            answer = await self._predict.run(Question(self._model, asked.video_id, asked.features, call.traceparent, call.body))
        return self._said(answer)

    def _said(self, answer: Answer) -> Reply:
        self._metrics.predicted(answer)
        return Reply(answer.body)


def _read(body: bytes) -> _Body | None:
    """None: not for sure what the contract takes as it is."""
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    features = found.features
    if _video_id(found.video_id) is None or (features is not None and not (len(features) <= MAX_FEATURES and _fit(features))):
        return None
    return found


def _read_slowly(call: Call) -> PredictVideoRequest | Reply:
    from evergreen.contracts.api import PredictVideoRequest  # a worker starts without pydantic
    from serving.reading import read

    return read(PredictVideoRequest, call)


def _fit(features: dict[str, _Value]) -> bool:
    for name, value in features.items():
        if not _is_name(name):
            return False
        kind = type(value)
        if kind is str:
            if len(value) > MAX_TEXT or "\x00" in value:  # type: ignore[arg-type, operator]
                return False
        elif (kind is float or kind is int) and not (-_WIDEST < value < _WIDEST and isfinite(value)):  # type: ignore[operator, arg-type]
            return False
    return True


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    return _name(name) is not None


def predict_video(serving: Serving) -> HotRoute:
    asked = PredictVideo(serving.predict, serving.video_model, serving.metrics)
    return HotRoute("POST", PATH, asked.handle, Need.PREDICT, {PATH: {}}, asked.at_once)
