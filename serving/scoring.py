"""What the scoring protocols do between reading and answering: one call of the champion's primary head, measured and told to the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from evergreen.ports.serving import Champion, PredictionRecord
from evergreen.services.prediction_ids import Ids
from serving.dependencies import Serving
from serving.hot import Call
from serving.protocols.entities import MAX_BODY, entities_in

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

INLINE_ROWS = 256
"""More take milliseconds: they go to the pool, where numpy lets others run meanwhile."""
LOGGED_ROWS = 10
"""Of each request: enough to watch what is asked, and a large batch does not drown the log."""
NAMED_ROWS = 256
"""Of a request that says whom its rows are of: an outcome may come for each."""
_BOUNDS = ("prediction_lower", "prediction_upper")
_encode = msgspec.json.Encoder().encode
_ids = Ids()


async def score(serving: Serving, champion: Champion, matrix: NDArray[np.float64], call: Call) -> NDArray[np.float64]:
    """(n,) predictions, all of this champion. Raises TooManyRequests, before anything is computed."""
    if (predictions := score_at_once(serving, champion, matrix, call)) is not None:
        return predictions
    await serving.access.gate.charge(call.principal, len(matrix) - 1)
    begun = time.perf_counter()
    if _inline(champion, matrix):
        predictions = champion.loaded.score(matrix)
    else:
        predictions = await asyncio.get_running_loop().run_in_executor(serving.pool, champion.loaded.score, matrix)
    _tell(serving, champion, matrix, predictions, call, begun)
    return predictions


def score_at_once(serving: Serving, champion: Champion, matrix: NDArray[np.float64], call: Call) -> NDArray[np.float64] | None:
    """The same where nothing has to be waited for. None: nothing was counted, ask `score`."""
    if not _inline(champion, matrix) or not serving.access.gate.charge_at_once(call.principal, len(matrix) - 1):
        return None
    begun = time.perf_counter()
    predictions = champion.loaded.score(matrix)
    _tell(serving, champion, matrix, predictions, call, begun)
    return predictions


def _inline(champion: Champion, matrix: NDArray[np.float64]) -> bool:
    return champion.loaded.inline and len(matrix) <= INLINE_ROWS


def _tell(serving: Serving, champion: Champion, matrix: NDArray[np.float64], predictions: NDArray[np.float64], call: Call, begun: float) -> None:
    seconds = time.perf_counter() - begun
    serving.metrics.scored(champion.loaded.spec.name, champion.loaded.version, len(matrix), seconds)
    named = champion.loaded.spec.entity_column.encode() in call.body and len(call.body) <= MAX_BODY
    most = NAMED_ROWS if named else LOGGED_ROWS
    first, told = matrix[:most].copy(), predictions[:most].copy()
    whom = partial(entities_in, call.body, champion.loaded.spec.entity_column, len(matrix)) if named else _nobody
    serving.log.record(partial(_records, champion, first, told, seconds, serving.now(), call.traceparent, whom))


def _nobody() -> Sequence[str | None]:
    return [None] * LOGGED_ROWS


def _records(
    champion: Champion,
    matrix: NDArray[np.float64],
    predictions: NDArray[np.float64],
    seconds: float,
    now: datetime,
    traceparent: str,
    whom: Callable[[], Sequence[str | None]],
) -> list[PredictionRecord]:
    """Rows as predictions of whom the request names, else of nobody in particular."""
    names, records = champion.loaded.spec.feature_names, []
    rows = [{name: value for name, value in zip(names, row, strict=True) if isfinite(value)} for row in matrix.tolist()]
    entities = whom()
    bounds = _bounds(champion, rows) if any(entities) and champion.loaded.inline else [{}] * len(rows)
    for row, prediction, entity, bound in zip(rows, predictions.tolist(), entities, bounds, strict=False):
        if isfinite(prediction):
            given, answer = _encode(row), _encode({"prediction": prediction, **bound})
            records.append(PredictionRecord(_ids.next(), champion, entity, given, answer, given, seconds, False, now, traceparent))
    return records


def _bounds(champion: Champion, rows: Sequence[Mapping[str, float]]) -> Sequence[Mapping[str, float]]:
    """The intervals of named rows: the next candidate's answers are compared with them (gate `traffic`)."""
    return [{name: said[name] for name in _BOUNDS if name in said} for said in champion.loaded.answering.answer(rows)]
