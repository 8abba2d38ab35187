"""What a version knows of its training data besides its trees: score distributions, interval widths, base rates. All plain JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.videos.names import FEATURES, TARGET, TIME
from evergreen.domains.videos.scales import CLIP, EVERY_CATEGORY, FREQUENT, STEPS, STRATA

Floats = NDArray[np.float64]

NOMINAL_COVERAGE = 0.8
FACTOR = 2.0
"""`confidence` is the chance that the true views lie within this factor of the predicted ones."""
_MIN_STRATUM = 40
_MIN_CATEGORY = 40
_QUANTILES = np.linspace(0.0, 1.0, STEPS + 1)


def describe_rows(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Training window, the views' distribution per category, each feature's median and spread."""
    numbers = rows[list(FEATURES)]
    categories, counts = np.unique(rows["category_id"].dropna().to_numpy(dtype=np.int64), return_counts=True)
    spread = (numbers.quantile(0.75) - numbers.quantile(0.25)).where(lambda width: width > 0, numbers.std())
    return {
        "rows": len(rows),
        "window": {"from": str(rows[TIME].min().date()), "to": str(rows[TIME].max().date())},
        "seed": seed,
        "distributions": _distributions(rows),
        "medians": _plain(numbers.median()),
        "spreads": _plain(spread),
        "category_shares": {str(name): count / len(rows) for name, count in zip(categories.tolist(), counts.tolist(), strict=True)},
    }


def _distributions(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Quantiles of log views in steps of 2.5 %, per category with enough rows and over all."""
    tables = {EVERY_CATEGORY: [float(value) for value in rows[TARGET].quantile(_QUANTILES)]}
    for category in rows["category_id"].dropna().unique().tolist():
        group = rows.loc[rows["category_id"] == category, TARGET]
        if len(group) >= _MIN_CATEGORY:
            tables[str(int(category))] = [float(value) for value in group.quantile(_QUANTILES)]
    return tables


def _plain(values: pd.Series[Any]) -> dict[str, float | None]:
    return {str(name): None if value != value else float(value) for name, value in values.items()}


def stratum(channel_videos: Floats) -> NDArray[np.int64]:
    """Index into STRATA: how much of the channel is known decides most of a prediction's error."""
    return np.where(channel_videos >= FREQUENT, 2, np.where(channel_videos >= 1.0, 1, 0)).astype(np.int64)


def interval_card(rows: pd.DataFrame, target: Floats, forward: Floats) -> dict[str, Any]:
    """Split conformal per stratum on the forward folds' errors. `coverage` is measured honestly: widths from the earlier folds, rows of the last one."""
    kinds = stratum(rows["channel_videos"].to_numpy(dtype=np.float64))
    errors = np.abs(target - forward)
    at = np.flatnonzero(np.isfinite(errors))
    earlier, last = at[: 2 * len(at) // 3], at[2 * len(at) // 3 :]
    trial = _widths(errors[earlier], kinds[earlier])
    covered = errors[last] <= np.array([trial[STRATA[kind]]["width"] for kind in kinds[last]])
    return {
        "nominal": NOMINAL_COVERAGE,
        "coverage": float(covered.mean()),
        "coverage_rows": len(last),
        "factor": FACTOR,
        "forward_mae": float(errors[at].mean()),
        "strata": _widths(errors[at], kinds[at]),
    }


def _widths(errors: Floats, kinds: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    widths: dict[str, dict[str, float]] = {}
    for index, name in enumerate(STRATA):
        own = errors[kinds == index]
        used = own if len(own) >= _MIN_STRATUM else errors
        rank = min(np.ceil((len(used) + 1) * NOMINAL_COVERAGE) / len(used), 1.0)  # the conformal quantile of a finite sample
        widths[name] = {"width": float(np.quantile(used, rank)), "confidence": float((used <= np.log10(FACTOR)).mean()), "n": len(used)}
    return widths


def growth_card(target: Floats, forward: Floats) -> dict[str, Any]:
    """Thirds of the predicted growth (log10 of the factor): a prediction is drawn to the middle, so its own thirds tell low from high."""
    known = target[np.isfinite(target)]
    if len(known) == 0:
        return {"median": None, "low": None, "high": None, "n": 0}
    seen = forward[np.isfinite(forward)]
    thirds = np.quantile(seen if len(seen) else known, [1 / 3, 2 / 3])
    return {"median": float(np.median(known)), "low": float(thirds[0]), "high": float(thirds[1]), "n": len(known)}


def logit(chance: Floats) -> Floats:
    safe = np.clip(chance, CLIP, 1 - CLIP)
    return np.asarray(np.log(safe / (1 - safe)), dtype=np.float64)
