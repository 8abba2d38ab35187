"""Measures a candidate for the gates: numbers here, verdicts in `core.evaluation`.

Guarantee: fail closed. A gate whose measuring raises, lacks data or gives no number is a failed gate that says so; only a part that does
not answer (Unavailable) or a lost lease (Fenced) is passed on, because then nothing was found out about the candidate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from evergreen.contracts.events import GateResult
from evergreen.core import evaluation as verdict
from evergreen.core.errors import EvergreenError, Fenced, Unavailable
from evergreen.core.relative_drop import relative_drop
from evergreen.ports.model import ModelSpec, Predictor
from evergreen.ports.registry import LoadedVersion
from evergreen.services.bootstrap_interval import paired
from evergreen.services.row_losses import losses_on

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Gate = Callable[[], GateResult]
_WARM_UPS = 3
_TIMED = 20


@dataclass(frozen=True)
class Reference:
    """What the candidate is compared with: the champion, or the median predictor where there is none."""

    name: str
    predict: Callable[[pd.DataFrame], NDArray[np.float64]]
    trained_to: date | None = None


class Trial:
    """One candidate on one held-out window."""

    def __init__(self, spec: ModelSpec, candidate: LoadedVersion, name: str, trained_to: date, rows: pd.DataFrame, reference: Callable[[], Reference]) -> None:
        self._spec = spec
        self._candidate = candidate
        self._name = name
        self._trained_to = trained_to
        self._rows = rows
        self._reference_of = reference

    @cached_property
    def _reference(self) -> Reference:
        return self._reference_of()

    @property
    def features(self) -> pd.DataFrame:
        return self._rows[list(self._spec.feature_names)]

    @cached_property
    def predicted(self) -> NDArray[np.float64]:
        return _predicted(self._candidate.predictor, self.features)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        return losses_on(self._spec, self.predicted, self._rows)

    @cached_property
    def _reference_errors(self) -> NDArray[np.float64]:
        return losses_on(self._spec, self._reference.predict(self.features), self._rows)

    def gates(self) -> list[tuple[str, Gate]]:
        return [
            ("rows", lambda: verdict.enough_rows(len(self._rows), self._spec.gates.min_rows)),
            ("held_out", self._held_out),
            ("schema", self._schema),
            ("predictions", self._predictions),
            ("improvement", self._improvement),
            ("segments", self._segments),
            ("coverage", self._coverage),
            ("parity", self._parity),
            ("latency", self._latency),
            ("size", lambda: verdict.bounded("size", self._candidate.size_bytes / 1e6, self._spec.gates.max_size_mb, "MB")),
        ]

    def _held_out(self) -> GateResult:
        trained = {self._name: self._trained_to}
        if self._reference.trained_to is not None:
            trained[self._reference.name] = self._reference.trained_to
        return verdict.held_out(self._rows[self._spec.time_column].dt.date.min(), trained)

    def _schema(self) -> GateResult:
        golden = self._candidate.golden
        same = golden is not None and tuple(golden.columns) == self._spec.feature_names
        return verdict.gate("schema", same, "the features serving sends" if same else "its features are not those serving sends")

    def _predictions(self) -> GateResult:
        import numpy as np

        finite = np.isfinite(self.predicted)
        spread = float(self.predicted[finite].std()) if finite.any() else 0.0
        return verdict.sane_predictions(len(self.predicted), int(finite.sum()), spread)

    def _improvement(self) -> GateResult:
        gates = self._spec.gates
        relative = paired(self.errors, self._reference_errors, self._spec.direction)
        candidate, reference = float(self.errors.mean()), float(self._reference_errors.mean())
        return verdict.better(relative, candidate, reference, margin=gates.non_inferiority_margin, min_improvement=gates.min_improvement)

    def _segments(self) -> GateResult:
        gates = self._spec.gates
        if gates.segment_column is None:
            return verdict.gate("segments", True, "the model has none")
        groups = self._rows.groupby(gates.segment_column).indices
        errors, theirs, direction = self.errors, self._reference_errors, self._spec.direction
        measured = [
            verdict.Segment(_plain(name), len(at), relative_drop(float(errors[at].mean()), float(theirs[at].mean()), direction)) for name, at in groups.items()
        ]
        return verdict.segments(measured, margin=gates.segment_margin, min_rows=gates.segment_min_rows)

    def _coverage(self) -> GateResult:
        low, high = self._candidate.predictor.interval(self.features)
        actual = self._rows[self._spec.target].to_numpy(dtype="float64")
        return verdict.coverage(float(((low <= actual) & (actual <= high)).mean()), *self._spec.gates.interval_coverage)

    def _parity(self) -> GateResult:
        import numpy as np
        import pandas as pd

        golden = self._candidate.golden
        if golden is None:
            return verdict.parity(0, 0.0)
        rows = pd.DataFrame(golden.rows, columns=list(golden.columns), dtype="float64")
        return verdict.parity(len(rows), float(np.abs(_predicted(self._candidate.predictor, rows) - np.asarray(golden.predicted)).max()))

    def _latency(self) -> GateResult:
        """The fastest of several single predictions, warmed up and on one thread as in serving: what the model costs, not what else the
        machine does meanwhile. A busy machine must not refuse a good model."""
        from threadpoolctl import threadpool_limits

        row = self.features.head(1)
        taken = []
        with threadpool_limits(limits=1):
            for _ in range(_WARM_UPS + _TIMED):
                begun = time.perf_counter()
                self._candidate.predictor.predict(row)
                taken.append(time.perf_counter() - begun)
        return verdict.bounded("latency", 1000.0 * min(taken[_WARM_UPS:]), self._spec.gates.max_latency_ms, "ms")


def run_gates(gates: Sequence[tuple[str, Gate]]) -> list[GateResult]:
    return [_closed(name, measure) for name, measure in gates]


def _closed(name: str, measure: Gate) -> GateResult:
    try:
        return measure()
    except (Unavailable, Fenced):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a candidate makes the measuring raise refuses it
        return verdict.gate(name, False, f"could not be checked: {type(error).__name__}: {error}"[:300])


def _predicted(predictor: Predictor, features: pd.DataFrame) -> NDArray[np.float64]:
    import numpy as np

    predicted = np.asarray(predictor.predict(features), dtype=np.float64)
    if predicted.shape != (len(features),):
        raise EvergreenError(f"predictions of shape {predicted.shape} for {len(features)} rows")
    return predicted


def _plain(name: object) -> str:
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)
