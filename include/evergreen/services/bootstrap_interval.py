"""Bootstrap intervals of a relative drop between two means. Seeded: the same losses give the same interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.evaluation import Interval
from evergreen.core.relative_drop import Direction, relative_drop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20250724
MAX_ROWS = 5000
"""Above this many rows a mean is exact enough; the newest are used, so the cost stays bounded."""


def paired(losses: NDArray[np.float64], reference: NDArray[np.float64], direction: Direction = "lower") -> Interval:
    """Relative drop of mean(losses) against mean(reference) over the same rows, resampled row by row: what is hard for both cancels out."""
    import numpy as np

    losses, reference = losses[-MAX_ROWS:], reference[-MAX_ROWS:]
    at = np.random.default_rng(SEED).integers(0, len(losses), size=(RESAMPLES, len(losses)))
    return _interval(losses, reference, losses[at].mean(axis=1), reference[at].mean(axis=1), direction)


def unpaired(losses: NDArray[np.float64], reference: NDArray[np.float64], direction: Direction = "lower") -> Interval:
    """The same where the rows differ: both sides are resampled on their own, so a lucky reference counts as luck."""
    import numpy as np

    losses, reference = losses[-MAX_ROWS:], reference[-MAX_ROWS:]
    random = np.random.default_rng(SEED)
    ours = losses[random.integers(0, len(losses), size=(RESAMPLES, len(losses)))].mean(axis=1)
    theirs = reference[random.integers(0, len(reference), size=(RESAMPLES, len(reference)))].mean(axis=1)
    return _interval(losses, reference, ours, theirs, direction)


def _interval(
    losses: NDArray[np.float64], reference: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64], direction: Direction
) -> Interval:
    import numpy as np

    drops = np.array([relative_drop(one, other, direction) for one, other in zip(ours.tolist(), theirs.tolist(), strict=True)])
    low, high = np.quantile(drops, [0.025, 0.975])
    return Interval(relative_drop(float(losses.mean()), float(reference.mean()), direction), float(low), float(high), float(drops.std()))
