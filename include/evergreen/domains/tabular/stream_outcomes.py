"""What the outcomes of a made-up stream follow, and how much they must change for a wanted error of whoever knew only the old ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import erf, expit

Numbers = NDArray[np.float64]

NOISE = 0.6
"""Standard deviation of an outcome around what is expected of it."""
SPREAD = 0.6
"""Of the logarithm of a log-normal number."""
EASIER_MOVE = 1.5
"""How far x2 moves in a stream that becomes easier, in spreads."""
SHARES = np.array([0.40, 0.25, 0.18, 0.12, 0.05])
_NAMES = np.array(["red", "blue", "green", "white", "black"], dtype=object)
_EFFECTS = np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
_LOGIT = 1.5


def expected(rows: pd.DataFrame, classification: bool = False) -> Numbers:
    """What the best predictor of before any change says: the expected outcome, or its chance. A lost number counts as its middle."""
    x1, x2, x3 = (rows[name].fillna(0.0).to_numpy(dtype=np.float64) for name in ("x1", "x2", "x3"))
    x4 = rows["x4"].fillna(1.0).to_numpy(dtype=np.float64)
    effect = rows["c1"].map(dict(zip(_NAMES, _EFFECTS, strict=True))).fillna(0.0).to_numpy(dtype=np.float64)
    middle: Numbers = x1 + 0.7 * x2 - 0.5 * (np.abs(x3) - np.sqrt(2 / np.pi)) + 0.4 * np.log(x4) / SPREAD + effect
    return np.asarray(expit(_LOGIT * middle), dtype=np.float64) if classification else middle


def category(uniform: Numbers, shares: Numbers) -> NDArray[np.object_]:
    return np.asarray(_NAMES[np.minimum(np.searchsorted(np.cumsum(shares), uniform, side="right"), len(_NAMES) - 1)])


def step(factor: Numbers) -> Numbers:
    """By how much the outcome must go up and down with the sign of x1 for this mean |error|: that of a folded normal distribution."""
    steps = np.linspace(0.0, 20.0, 4_001)
    rise = np.exp(-(steps**2) / 2) + steps * np.sqrt(np.pi / 2) * erf(steps / np.sqrt(2))
    _check(factor, 1.0, float(rise[-1]))
    return np.asarray(NOISE * np.interp(factor, rise, steps))


def turned_above(factor: Numbers) -> Numbers:
    """Above which x1 outcomes must be turned round for this Brier score of the former chances."""
    sample = _sample()
    chance = expected(sample, classification=True)
    usual = chance * (1 - chance)
    order = np.argsort(-sample["x1"].to_numpy(), kind="stable")
    rise = 1.0 + np.cumsum((1.0 - 4.0 * usual)[order]) / usual.sum()
    _check(factor, 1.0, float(rise[-1]))
    return np.asarray(np.where(factor > 1, np.interp(factor, rise, sample["x1"].to_numpy()[order]), np.inf))


def surer(size: float) -> float:
    """Share of the rows whose likelier outcome must come true, once x2 has moved, for this Brier score."""
    before, after = (expected(sample, classification=True) for sample in (_sample(), _sample(EASIER_MOVE)))
    usual, sure = float((after * (1 - after)).mean()), float((np.minimum(after, 1 - after) ** 2).mean())
    wanted = size * float((before * (1 - before)).mean())
    _check(np.array([wanted]), sure, usual)
    return (usual - wanted) / (usual - sure)


def _sample(moved: float = 0.0) -> pd.DataFrame:
    """What chances are like: inputs of a fixed seed."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((20_000, 4)) + np.array([0.0, moved, 0.0, 0.0])
    numbers[:, 3] = np.exp(SPREAD * numbers[:, 3])
    return pd.DataFrame(numbers, columns=["x1", "x2", "x3", "x4"]).assign(c1=category(rng.random(20_000), SHARES))


def _check(factor: Numbers, low: float, high: float) -> None:
    if factor.min() < low or factor.max() > high:
        raise ValueError(f"no change makes an error factor of {factor.min():g} to {factor.max():g} here")
