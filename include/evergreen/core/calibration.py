"""Whether chances mean what they say: the verdict on measured numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evergreen.contracts.events import GateResult
from evergreen.core.evaluation import gate


@dataclass(frozen=True)
class Calibration:
    """Of one head's chances on rows whose outcome is known. Both numbers are 0 for honest chances, at any number of rows."""

    n: int
    gap: float
    """Mean distance of chance and share in bins of equal size (adaptive ECE), less what honest chances would show by luck."""
    surprise: float
    """Log loss less the loss the chances themselves expect, in nats: a chance of 0 or 1 that proves wrong is a large one."""


@dataclass(frozen=True)
class CalibrationBounds:
    gap: float
    surprise: float
    min_rows: int


def calibrated(measured: Mapping[str, Calibration], reference: Mapping[str, Calibration], bounds: CalibrationBounds) -> GateResult:
    """Every head within the bounds, or as good as the reference's on the same rows: keeping the champion would not help then.

    A head with too few outcomes yet is passed over and named; when that is true of all, nothing was shown and the gate fails."""
    judged = {name: one for name, one in measured.items() if one.n >= bounds.min_rows}
    words, numbers, passed = [], dict[str, float](), bool(judged)
    for name, one in measured.items():
        if name not in judged:
            words.append(f"{name}: {one.n} outcomes known, {bounds.min_rows} needed")
            continue
        known = reference.get(name)
        known = known if known is not None and known.n >= bounds.min_rows else Calibration(0, 0.0, 0.0)
        good = one.gap <= max(bounds.gap, known.gap) and one.surprise <= max(bounds.surprise, known.surprise)
        passed = passed and good
        words.append(f"{name} {'fits' if good else 'does not fit'} {one.n} outcomes: off by {one.gap:.1%}, surprise {one.surprise:.2f}")
        numbers |= {f"{name}_gap": one.gap, f"{name}_surprise": one.surprise, f"{name}_n": one.n}
    return gate("calibration", passed, "; ".join(words) or "no head with chances answered", **numbers)


def without_chances() -> GateResult:
    return gate("calibration", True, "the model says no chances")
