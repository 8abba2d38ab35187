"""Measures a candidate for the gates: numbers here, verdicts in `core.evaluation`.

Guarantee: fail closed. A gate whose measuring raises, lacks data or gives no number is a failed gate that says so; only a part that does
not answer (Unavailable) or a lost lease (Fenced) is passed on, because then nothing was found out about the candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evergreen.contracts.events import GateResult
from evergreen.core import evaluation as verdict
from evergreen.core.calibration import CalibrationBounds, calibrated, without_chances
from evergreen.core.errors import EvergreenError, Fenced, Unavailable
from evergreen.core.relative_drop import relative_drop
from evergreen.ports.model import Chances, ModelSpec, Predictor
from evergreen.ports.registry import LoadedVersion
from evergreen.services.bootstrap_interval import paired
from evergreen.services.measure_calibration import measure_calibration
from evergreen.services.row_losses import losses_on

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Gate = Callable[[], GateResult]
REST = "the rest"
"""Name of the small segments together."""


@dataclass(frozen=True)
class Reference:
    """What the candidate is compared with: the champion, or the trivial method where there is none."""

    name: str
    predict: Callable[[pd.DataFrame], NDArray[np.float64]]
    trained_to: date | None = None
    chances: Callable[[pd.DataFrame], Mapping[str, Chances]] | None = None
    """Its heads' on the same rows; None: it has none."""


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
        return predicted_by(self._candidate.predictor, self.features)

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
            ("calibration", self._calibration),
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
        heads: Mapping[str, Sequence[str]] = self._candidate.card.get("features", {})
        foreign = {name for columns in heads.values() for name in columns} - set(self._spec.columns or self._spec.feature_names)
        if foreign:
            return verdict.gate("schema", False, f"its heads look at columns serving does not send: {', '.join(sorted(foreign))}")
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
        asked = {"margin": gates.non_inferiority_margin, "min_improvement": gates.min_improvement}
        measure = "error" if self._spec.direction == "lower" else self._spec.metric
        return verdict.better(relative, candidate, reference, **asked, measure=measure)

    def _segments(self) -> GateResult:
        gates = self._spec.gates
        if gates.segment_column is None:
            return verdict.gate("segments", True, "the model has none")
        groups = _segments_of(self._rows[gates.segment_column], gates.segment_min_rows)
        errors, theirs, direction = self.errors, self._reference_errors, self._spec.direction
        measured = [verdict.Segment(name, len(at), relative_drop(float(errors[at].mean()), float(theirs[at].mean()), direction)) for name, at in groups.items()]
        return verdict.segments(measured, margin=gates.segment_margin, min_rows=gates.segment_min_rows)

    def _coverage(self) -> GateResult:
        low, high = self._candidate.predictor.interval(self.features)
        actual = self._rows[self._spec.target].to_numpy(dtype="float64")
        return verdict.coverage(float(((low <= actual) & (actual <= high)).mean()), *self._spec.gates.interval_coverage)

    def _calibration(self) -> GateResult:
        if self._spec.chances is None:
            return without_chances()
        said = self._spec.chances(self._candidate.predictor, self._rows)
        champions = {} if self._reference.chances is None else self._reference.chances(self._rows)
        gates = self._spec.gates
        return calibrated(
            {head: measure_calibration(chances) for head, chances in said.items()},
            {head: measure_calibration(chances) for head, chances in champions.items()},
            CalibrationBounds(gates.max_calibration_gap, gates.max_surprise, gates.min_rows),
        )


def run_gates(gates: Sequence[tuple[str, Gate]]) -> list[GateResult]:
    return [_closed(name, measure) for name, measure in gates]


def _closed(name: str, measure: Gate) -> GateResult:
    try:
        return measure()
    except (Unavailable, Fenced):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a candidate makes the measuring raise refuses it
        return verdict.gate(name, False, f"could not be checked: {type(error).__name__}: {error}"[:300])


def predicted_by(predictor: Predictor, features: pd.DataFrame) -> NDArray[np.float64]:
    import numpy as np

    predicted = np.asarray(predictor.predict(features), dtype=np.float64)
    if predicted.shape != (len(features),):
        raise EvergreenError(f"predictions of shape {predicted.shape} for {len(features)} rows")
    return predicted


def _segments_of(column: pd.Series[Any], min_rows: int) -> dict[str, NDArray[np.intp]]:
    """Positions of each segment's rows; the small ones and what belongs to none are one together, so that no row goes unseen."""
    import numpy as np

    groups = {_plain(name): np.flatnonzero(column == name) for name in column.dropna().unique().tolist()}
    large = {name: at for name, at in groups.items() if len(at) >= min_rows}
    rest = np.setdiff1d(np.arange(len(column)), np.concatenate([np.empty(0, dtype=np.intp), *large.values()]))
    return large | ({REST: rest} if len(rest) else {})


def _plain(name: object) -> str:
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)
