"""The model's published figures from silver alone, without the services: for a look by hand and for tests. The demo computes its own through the services."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.model import VideoPredictor
from evergreen.domains.videos.names import TARGET, TIME
from evergreen.domains.videos.train import VIRAL_QUANTILE, fit


def figures(silver: pd.DataFrame, region: str = "KR", seed: int = 0) -> dict[str, float]:
    """On lists of 2025-02-23…2026-02-28 with the break of 2025-07-24:

    calm_mae, calm_coverage  trained to 06-15, tested 06-16…07-23
    after_break_mae          the same version on 10-01…11-30
    retrained_mae            trained 07-24…09-23, tested 10-01…11-30
    top_quartile_auc         trained 07-24…11-30, tested 12-01…02-28
    """
    table = build_features(silver, region)
    first = _trained(table, region, "2025-02-23", "2025-06-15", seed)
    calm = _rows(table, "2025-06-16", "2025-07-23")
    autumn = _rows(table, "2025-10-01", "2025-11-30")
    low, high = first.interval(calm)
    train = _rows(table, "2025-07-24", "2025-11-30")
    winter = _rows(table, "2025-12-01", "2026-02-28")
    chances = [
        answer["viral_probability"]
        for answer in _predictor(train, region, seed).answer([{str(name): value for name, value in row.items()} for row in winter.to_dict("records")])
    ]
    return {
        "calm_mae": _mae(first, calm),
        "calm_coverage": float(calm[TARGET].between(pd.Series(low, calm.index), pd.Series(high, calm.index)).mean()),
        "after_break_mae": _mae(first, autumn),
        "retrained_mae": _mae(_trained(table, region, "2025-07-24", "2025-09-23", seed), autumn),
        "top_quartile_auc": float(roc_auc_score(winter[TARGET] >= train[TARGET].quantile(VIRAL_QUANTILE), chances)),
    }


def _rows(table: pd.DataFrame, first_day: str, last_day: str) -> pd.DataFrame:
    return table[table[TIME].between(pd.Timestamp(first_day), pd.Timestamp(last_day)) & table[TARGET].notna()]


def _trained(table: pd.DataFrame, region: str, first_day: str, last_day: str, seed: int) -> VideoPredictor:
    return _predictor(_rows(table, first_day, last_day), region, seed)


def _predictor(rows: pd.DataFrame, region: str, seed: int) -> VideoPredictor:
    fitted = fit(rows, seed)
    return VideoPredictor(fitted.estimators, fitted.card, region)


def _mae(predictor: VideoPredictor, rows: pd.DataFrame) -> float:
    return float(np.abs(predictor.predict(rows) - rows[TARGET].to_numpy(dtype=np.float64)).mean())
