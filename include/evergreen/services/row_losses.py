"""What a model's metric is the mean of, row by row: monitoring, gates and baselines resample these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.errors import EvergreenError
from evergreen.ports.model import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def row_losses(spec: ModelSpec, predicted: NDArray[np.float64], outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute errors in the target's units unless the spec says otherwise; (n,)."""
    import numpy as np

    if spec.losses is None:
        return np.asarray(np.abs(predicted - outcomes), dtype=np.float64)
    losses = np.asarray(spec.losses(predicted, outcomes), dtype=np.float64)
    if losses.shape != np.shape(outcomes):
        raise EvergreenError(f"{spec.name}: losses of shape {losses.shape} for {len(outcomes)} rows")
    return losses


def losses_on(spec: ModelSpec, predicted: NDArray[np.float64], rows: pd.DataFrame) -> NDArray[np.float64]:
    """The same on rows of the feature table, which hold the outcomes."""
    import numpy as np

    return row_losses(spec, predicted, rows[spec.target].to_numpy(dtype=np.float64))


def expected_losses(spec: ModelSpec, predicted: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """In proportion to the loss each prediction lets one expect: half its interval unless the spec says otherwise; (n,)."""
    import numpy as np

    found = (upper - lower) / 2.0 if spec.expected_losses is None else spec.expected_losses(predicted, lower, upper)
    return np.asarray(found, dtype=np.float64)
