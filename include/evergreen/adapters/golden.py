"""Rows a trained model predicted before it was saved: what a loaded or compiled copy is compared with."""

from __future__ import annotations

import numpy as np

from evergreen.ports.registry import GoldenRows, NewVersion

GOLDEN_ROWS = 500
"""A compiled copy that is wrong on one row in ten passes a check of one row (facts); five hundred tell."""


def golden_rows(new: NewVersion) -> GoldenRows:
    """Evenly spread over the training rows, gaps included; the last row is all unknown."""
    names = list(new.spec.feature_names)
    features = new.example[names].astype("float64")
    at = np.unique(np.linspace(0, len(features) - 1, min(GOLDEN_ROWS - 1, len(features))).astype(int))
    chosen = features.iloc[at].reset_index(drop=True)
    chosen.loc[len(chosen)] = [np.nan] * len(names)
    predicted = new.spec.predictor(new.fitted.estimators, new.fitted.card).predict(chosen)
    rows = [[None if value != value else float(value) for value in row] for row in chosen.to_numpy()]
    return GoldenRows(names, rows, [float(value) for value in predicted])
