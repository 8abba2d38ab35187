"""`POST /predict/video`, past FastAPI."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from evergreen.contracts.limits import MAX_FEATURES, MAX_TEXT
from evergreen.core.access import Need
from evergreen.services.predict import Answer, Predict, Question
from serving.dependencies import Serving
from serving.hot import Call, HotRoute, Reply, Soon, says_json
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

    def soon(self, call: Call) -> Soon | None:
        asked = _read(call.body) if says_json(call.headers.get("content-type")) else None
        if asked is None or asked.features is None:
            return None
        call.read = question = self._question(asked, call)
        waited = self._predict.soon(question)
        return None if waited is None else Soon(waited.answered, lambda: None if (answer := waited.answer()) is None else self._said(answer))

    async def handle(self, call: Call) -> Reply:
        """How a video will do when it is first listed, from given features or, without any, from the feature store's."""
        if isinstance(call.read, Question):
            return self._said(await self._predict.run(call.read))
        is_json = says_json(call.headers.get("content-type"))
        answer = await self._predict.again(call.body, call.traceparent) if is_json else None
        if answer is None:
            asked = (_read(call.body) if is_json else None) or _read_slowly(call)
            if isinstance(asked, Reply):
                return asked
            answer = await self._predict.run(self._question(asked, call))
        return self._said(answer)

    def _question(self, asked: _Body | PredictVideoRequest, call: Call) -> Question:
        return Question(self._model, asked.video_id, asked.features, call.traceparent, call.body)

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
    if not _are_names(tuple(features)):
        return False
    for value in features.values():
        kind = type(value)
        if kind is str:
            if len(value) > MAX_TEXT or "\x00" in value:  # type: ignore[arg-type, operator]
                return False
        elif (kind is float or kind is int) and not -_WIDEST < value < _WIDEST:  # type: ignore[operator]
            return False
    return True


@lru_cache(maxsize=1024)
def _are_names(names: tuple[str, ...]) -> bool:
    """Callers send the same few again and again."""
    return all(_name(name) is not None for name in names)


def predict_video(serving: Serving) -> HotRoute:
    asked = PredictVideo(serving.predict, serving.video_model, serving.metrics)
    return HotRoute("POST", PATH, asked.handle, Need.PREDICT, {PATH: {}}, asked.at_once, asked.soon)
