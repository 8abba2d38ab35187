"""Measures a candidate as serving would answer with it: the compiled form where there is one, else the pipeline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evergreen.contracts.events import GateResult
from evergreen.core import evaluation as verdict
from evergreen.core import served_form
from evergreen.core.errors import NotCompilable
from evergreen.core.served_form import Compiled, Replayed
from evergreen.ports.model import Answering, ModelSpec
from evergreen.ports.registry import CompiledVersion, LoadedVersion
from evergreen.ports.traffic import RecordedRequest
from evergreen.services.gates import Gate, predicted_by

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_WARM_UPS = 3
_TIMED = 20


class ServedForm:
    """`compiled` raises NotCompilable where there is no such form; `probed` are the child process's figures, of which `parity` is its largest
    difference over all heads; `asked` are the champion's newest requests, `explained` why answers may differ from its."""

    def __init__(
        self,
        spec: ModelSpec,
        candidate: LoadedVersion,
        rows: pd.DataFrame,
        compiled: Callable[[], CompiledVersion],
        probed: Mapping[str, float],
        asked: Callable[[], Sequence[RecordedRequest]],
        explained: Callable[[], str],
    ) -> None:
        self._spec = spec
        self._candidate = candidate
        self._features = rows[list(spec.feature_names)]
        self._compiled_of = compiled
        self._probed = probed
        self._asked = asked
        self._explained = explained

    def gates(self) -> list[tuple[str, Gate]]:
        return [("parity", self._parity), ("latency", self._latency), ("traffic", self._traffic)]

    @cached_property
    def _compiled(self) -> CompiledVersion | str:
        """The form, or why there is none."""
        if self._spec.answers is None:
            return "the model answers by its predictor alone"
        try:
            return self._compiled_of()
        except NotCompilable as reason:
            return str(reason)

    @property
    def _answering(self) -> Answering:
        if self._spec.answers is None or isinstance(self._compiled, str):
            return self._candidate.predictor
        return self._spec.answers(self._compiled.heads, self._compiled.card)

    def _parity(self) -> GateResult:
        import numpy as np
        import pandas as pd

        golden = self._candidate.golden
        if golden is None:
            return verdict.gate("parity", False, "it has no golden rows to compare with")
        rows = pd.DataFrame(golden.rows, columns=list(golden.columns), dtype="float64")
        said = predicted_by(self._candidate.predictor, rows)
        largest = float(np.abs(said - np.asarray(golden.predicted)).max()) if len(rows) else 0.0
        return served_form.parity(len(rows), largest, self._compared(rows, said))

    def _compared(self, golden: pd.DataFrame, said: NDArray[np.float64]) -> Compiled:
        """The compiled primary head with the pipeline on golden and held-out rows, and what the child found over all heads."""
        import numpy as np

        proven = self._probed.get("parity", 0.0)
        if isinstance(self._compiled, str):
            return Compiled(proven, missing=self._compiled)
        matrix = np.concatenate([golden[list(self._spec.feature_names)].to_numpy(dtype=np.float64), self._features.to_numpy(dtype=np.float64)])
        pipeline = np.concatenate([said, predicted_by(self._candidate.predictor, self._features)])
        difference = np.abs(self._compiled.score(matrix) - pipeline) / (1.0 + np.abs(pipeline))
        return Compiled(max(proven, float(difference.max())) if np.isfinite(difference).all() else math.nan, len(matrix))

    def _latency(self) -> GateResult:
        """The fastest of several single answers, warmed up and on one thread as in serving: what the model costs, not what else the
        machine does meanwhile. A busy machine must not refuse a good model."""
        from threadpoolctl import threadpool_limits

        request = {name: value for name, value in zip(self._spec.feature_names, self._features.iloc[0].tolist(), strict=True) if value == value}
        answering, taken = self._answering, []
        with threadpool_limits(limits=1):
            for _ in range(_WARM_UPS + _TIMED):
                begun = time.perf_counter()
                answering.answer([request])
                taken.append(time.perf_counter() - begun)
        return verdict.bounded("latency", 1000.0 * min(taken[_WARM_UPS:]), self._spec.gates.max_latency_ms, "ms")

    def _traffic(self) -> GateResult:
        gates = self._spec.gates
        asked = self._asked()
        return served_form.traffic(
            replay(self._answering, asked) if asked else Replayed(0),
            max_disagreement=gates.max_disagreement,
            min_requests=gates.min_traffic,
            explained=self._explained(),
        )


def replay(answering: Answering, asked: Sequence[RecordedRequest]) -> Replayed:
    """One by one, as serving was asked them, so that a request that fails can be named; on one thread, as there."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _replay(answering, asked)


def _replay(answering: Answering, asked: Sequence[RecordedRequest]) -> Replayed:
    failed, first, comparable, disagreeing = 0, "", 0, 0
    for request in asked:
        try:
            said = _prediction(answering, request)
        except Exception as error:  # noqa: BLE001 - whatever a candidate raises here it would have raised for somebody who asked
            failed += 1
            first = first or f"request {request.prediction_id}: {type(error).__name__}: {error}"[:200]
            continue
        if request.lower is not None and request.upper is not None:
            comparable += 1
            disagreeing += abs(said - request.predicted) > (request.upper - request.lower) / 2
    return Replayed(len(asked), failed, first, comparable, disagreeing)


def _prediction(answering: Answering, request: RecordedRequest) -> float:
    (answer,) = answering.answer([dict(request.features)])
    said: Any = answer["prediction"]
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        raise ValueError(f"answered {said!r}")
    return float(said)
