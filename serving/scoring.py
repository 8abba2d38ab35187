"""What the scoring protocols do between reading and answering: one call of the champion's primary head, measured and told to the log."""

from __future__ import annotations

import asyncio
import time
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from evergreen.ports.serving import Champion, PredictionRecord
from evergreen.services.prediction_ids import Ids
from serving.dependencies import Serving
from serving.hot import Call

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INLINE_ROWS = 256
"""More take milliseconds: they go to the pool, where numpy lets others run meanwhile."""
LOGGED_ROWS = 10
"""Of each request: enough to watch what is asked, and a large batch does not drown the log."""
_encode = msgspec.json.Encoder().encode
_ids = Ids()


async def score(serving: Serving, champion: Champion, matrix: NDArray[np.float64], call: Call) -> NDArray[np.float64]:
    """(n,) predictions, all of this champion. Raises TooManyRequests, before anything is computed."""
    await serving.access.gate.charge(call.principal, len(matrix) - 1)
    loaded, begun, loop = champion.loaded, time.perf_counter(), asyncio.get_running_loop()
    if loaded.inline and len(matrix) <= INLINE_ROWS:
        predictions = loaded.score(matrix)
    else:
        predictions = await loop.run_in_executor(serving.pool, loaded.score, matrix)
    seconds = time.perf_counter() - begun
    serving.metrics.scored(loaded.spec.name, loaded.version, len(matrix), seconds)
    loop.call_soon(log_rows, serving, champion, matrix, predictions, call, seconds)  # after the answer
    return predictions


def log_rows(serving: Serving, champion: Champion, matrix: NDArray[np.float64], predictions: NDArray[np.float64], call: Call, seconds: float) -> None:
    """The first LOGGED_ROWS rows, as predictions of nobody in particular."""
    now, names = serving.now(), champion.loaded.spec.feature_names
    for row, prediction in zip(matrix[:LOGGED_ROWS].tolist(), predictions[:LOGGED_ROWS].tolist(), strict=True):
        if not isfinite(prediction):
            continue
        given = {name: value for name, value in zip(names, row, strict=True) if isfinite(value)}
        serving.log.record(
            PredictionRecord(
                prediction_id=_ids.next(),
                champion=champion,
                entity=None,
                given=given,
                answer=_encode({"prediction": prediction}),
                features=_encode(given),
                latency_seconds=seconds,
                cached=False,
                time=now,
                traceparent=call.traceparent,
            )
        )
