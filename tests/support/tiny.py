"""A model small enough to train in a millisecond: y = slope * x, whose slope changes on the day of the break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from evergreen.ports.model import Constant, FittedModel, GateThresholds, ModelSpec, Rows

FIRST_DAY = date(2025, 1, 1)
BREAK = date(2025, 3, 1)
PER_DAY = 20
NAME = "tiny"
FEATURES = ("x", "group")


class TinyPredictor:
    def __init__(self, estimators: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        self._model = estimators["primary"]
        self._width = float(card["width"])

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(self._model.predict(features[list(FEATURES)].fillna(0.0)), dtype=np.float64)

    def interval(self, features: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        predicted = self.predict(features)
        return predicted - self._width, predicted + self._width

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        predicted = self.predict(pd.DataFrame(list(requests), columns=list(FEATURES), dtype="float64"))
        return [{"prediction": float(value)} for value in predicted]


def _fit(table: pd.DataFrame, seed: int) -> FittedModel:
    model = LinearRegression().fit(table[list(FEATURES)].fillna(0.0), table["y"])
    errors = np.abs(model.predict(table[list(FEATURES)].fillna(0.0)) - table["y"])
    return FittedModel({"primary": model}, {"width": float(np.quantile(errors, 0.85)), "seed": seed})


def _adopt(estimator: Any, table: pd.DataFrame, seed: int) -> FittedModel:
    return FittedModel({"primary": estimator}, _fit(table, seed).card)


def _label(outcome: Mapping[str, Any]) -> float:
    if not isinstance(outcome.get("y"), int | float):
        raise ValueError("no y")
    return float(outcome["y"])


def tiny_spec(name: str = NAME) -> ModelSpec:
    return ModelSpec(
        name=name,
        datasets=("tiny.data",),
        entity_column="entity",
        time_column="day",
        target="y",
        metric="mae_y",
        direction="lower",
        feature_names=FEATURES,
        categorical_features=("group",),
        drift_features=("x",),
        label_of=_label,
        build_features=lambda silver: silver.sort_values(["day", "entity"]).drop_duplicates("entity").reset_index(drop=True),
        fit=_fit,
        adopt=_adopt,
        predictor=TinyPredictor,
        baseline=lambda table: Constant(float(table["y"].median())),
        trusted_types=frozenset({"numpy.dtype"}),
        gates=GateThresholds(segment_column="group"),
    )


def tiny_rows(days: int, first: date = FIRST_DAY, seed: int = 1) -> pd.DataFrame:
    """PER_DAY entities a day, slope 2 before the break and -1 after it, noise .1."""
    random = np.random.default_rng(seed)
    frames = []
    for number in range(days):
        day = first + timedelta(days=number)
        x = random.uniform(0.0, 1.0, PER_DAY)
        slope = 2.0 if day < BREAK else -1.0
        frames.append(
            pd.DataFrame(
                {
                    "day": pd.Timestamp(day),
                    "entity": [f"{day}-{at}" for at in range(PER_DAY)],
                    "x": x,
                    "group": (np.arange(PER_DAY) % 2).astype(float),
                    "y": slope * x + random.normal(0.0, 0.1, PER_DAY),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@dataclass
class FrameLake:
    """A lake of one frame, in any order."""

    rows: pd.DataFrame
    day_column: str = "day"
    aside: pd.DataFrame | None = None
    """Keys of rows set aside: entity and day."""

    def set_aside(self, dataset: str) -> pd.DataFrame:
        return self.rows.iloc[:0] if self.aside is None else self.aside

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        days = self.rows[self.day_column].dt.date
        chosen = self.rows
        if first_day is not None:
            chosen = chosen[days >= first_day]
        if last_day is not None:
            chosen = chosen[days <= last_day]
        return chosen.sample(frac=1.0, random_state=0)
