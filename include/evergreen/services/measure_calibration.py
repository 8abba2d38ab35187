"""How far chances are from what came true. Seeded: the same rows give the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.calibration import Calibration
from evergreen.core.errors import EvergreenError
from evergreen.ports.model import Chances

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 500
SEED = 20250724
MAX_ROWS = 5000
_BINS, _ROWS_PER_BIN = 10, 20
_SURE = 1e-6
"""Nearer to 0 or 1 counts as this near: the surprise stays a number."""


def measure_calibration(chances: Chances) -> Calibration:
    """Over the newest rows whose outcome is known. Raises EvergreenError for what are no chances."""
    import numpy as np

    known = np.isfinite(chances.outcome)
    chance, outcome = chances.probability[known][-MAX_ROWS:], chances.outcome[known][-MAX_ROWS:]
    if not bool(((chance >= 0) & (chance <= 1)).all()):
        raise EvergreenError("chances outside 0 to 1, or none")
    if len(chance) == 0:
        return Calibration(0, 0.0, 0.0)
    safe = np.clip(chance, _SURE, 1 - _SURE)
    surprise = float((-(outcome - safe) * np.log(safe / (1 - safe))).mean())
    return Calibration(len(chance), _gap(chance, outcome), surprise)


def _gap(chance: NDArray[np.float64], outcome: NDArray[np.float64]) -> float:
    import numpy as np

    order = np.argsort(chance, kind="stable")
    chance, outcome = chance[order], outcome[order]
    bins = max(1, min(_BINS, len(chance) // _ROWS_PER_BIN))
    starts = np.linspace(0, len(chance), bins + 1).astype(np.intp)[:-1]

    def distance(came: NDArray[np.float64]) -> NDArray[np.float64]:
        distances: NDArray[np.float64] = np.abs(np.add.reduceat(came - chance, starts, axis=-1)).sum(axis=-1) / len(chance)
        return distances

    honest = np.random.default_rng(SEED).random((RESAMPLES, len(chance))) < chance
    return float(distance(outcome) - distance(honest.astype(np.float64)).mean())
