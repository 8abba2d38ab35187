"""Bootstrap intervals of a relative difference of mean errors. Seeded: the same errors give the same interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.evaluation import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20250724
MAX_ROWS = 5000
"""Above this many rows a mean is exact enough; the newest are used, so the cost stays bounded."""


def paired(errors: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
    """mean(errors)/mean(reference) - 1 over the same rows, resampled row by row: what is hard for both cancels out."""
    import numpy as np

    errors, reference = errors[-MAX_ROWS:], reference[-MAX_ROWS:]
    at = np.random.default_rng(SEED).integers(0, len(errors), size=(RESAMPLES, len(errors)))
    return _interval(errors, reference, errors[at].mean(axis=1), reference[at].mean(axis=1))


def unpaired(errors: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
    """The same where the rows differ: both sides are resampled on their own, so a lucky reference counts as luck."""
    import numpy as np

    errors, reference = errors[-MAX_ROWS:], reference[-MAX_ROWS:]
    random = np.random.default_rng(SEED)
    ours = errors[random.integers(0, len(errors), size=(RESAMPLES, len(errors)))].mean(axis=1)
    theirs = reference[random.integers(0, len(reference), size=(RESAMPLES, len(reference)))].mean(axis=1)
    return _interval(errors, reference, ours, theirs)


def _interval(errors: NDArray[np.float64], reference: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Interval:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        relative = ours / theirs - 1.0
        point = float(errors.mean() / reference.mean() - 1.0)
    low, high = np.quantile(relative, [0.025, 0.975])
    return Interval(point, float(low), float(high))
