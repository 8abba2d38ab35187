"""A deliberately bad challenger for drills: an honest-looking version that learned nothing, or the opposite."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from evergreen.domains.videos.names import TARGET
from evergreen.domains.videos.train import fit
from evergreen.ports.model import FittedModel

How = Literal["shuffled", "flipped"]


def fit_bad(table: pd.DataFrame, seed: int, how: How = "shuffled") -> FittedModel:
    """Trained like any version, on spoilt outcomes: `shuffled` among the videos (predicts the average), `flipped` about the median (predicts the contrary).

    Its signature, card and speed are those of a good one: only measuring it on held-out rows tells.
    """
    outcomes = table[TARGET].to_numpy(dtype=np.float64, copy=True)
    if how == "flipped":
        outcomes = 2.0 * np.nanmedian(outcomes) - outcomes
    else:
        np.random.default_rng(seed).shuffle(outcomes)
    return fit(table.assign(**{TARGET: outcomes}), seed)
