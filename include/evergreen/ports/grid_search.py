"""What a model lets a retrain choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ports.model import FittedModel


@dataclass(frozen=True)
class Search:
    """A small grid of settings a retrain may look through (services/grid_search)."""

    grid: Mapping[str, Sequence[float]]
    """Values by setting: every combination is one trial."""
    trials: int
    """At most; the first is the model's own settings."""
    seconds: float
    """Wall time for all of them together."""
    fit: Callable[[pd.DataFrame, int, Mapping[str, float]], FittedModel]
    """As `ModelSpec.fit`, with settings; with none the same."""
