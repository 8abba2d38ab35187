"""A declared model as the loop knows it: its `ModelSpec` and its `Dataset`. Light to import; pandas and scikit-learn come with the first call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from evergreen.domains.tabular.answers import TabularAnswers
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.row import AT, DAY, label_of, readings, row_of, silver_columns
from evergreen.ports.dataset import Checked, Dataset
from evergreen.ports.grid_search import Search
from evergreen.ports.model import Chances, Constant, FittedModel, GateThresholds, ModelSpec, Predictor, Season, Windows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})


def tabular_spec(declared: Declared) -> ModelSpec:
    return ModelSpec(
        name=declared.name,
        datasets=(declared.dataset,),
        entity_column=declared.entity.name,
        time_column=DAY,
        target=declared.target.name,
        metric=f"{'brier' if declared.classes else 'mae'}_{declared.target.name}",
        direction="lower",
        feature_names=declared.features,
        categorical_features=tuple(one.name for one in declared.categories),
        drift_features=tuple(one.name for one in declared.inputs if one.drift),
        label_of=partial(label_of, declared),
        build_features=partial(_build_features, declared=declared),
        fit=partial(_fit, declared=declared),
        predictor=partial(_predictor, declared=declared),
        baseline=partial(_baseline, declared=declared),
        trusted_types=TRUSTED_TYPES,
        gates=GateThresholds(segment_column=declared.segments, **declared.gates),  # type: ignore[arg-type]  # spec_knobs has their kinds
        windows=Windows(**declared.windows),  # type: ignore[arg-type]
        rollout=declared.rollout,
        search=_search(declared),
        adopt=partial(_adopt, declared=declared),
        answers=partial(TabularAnswers, declared=declared),
        request_facts=(declared.time.name,),
        request_texts=(declared.time.name, *(one.name for one in declared.categories if not one.whole)),
        request_row=partial(_request_row, by_feature=readings(declared)),
        chances=partial(_chances, declared=declared) if declared.classes else None,
        losses=_squared if declared.classes else None,
        season=None if declared.season is None else Season(declared.season, AT if declared.season == "hour" else DAY),
        codes={one.name: {value: float(at) for at, value in enumerate(one.values)} for one in declared.categories if not one.whole},
    )


def _search(declared: Declared) -> Search | None:
    grid = declared.search
    return None if grid is None else Search(grid.values, grid.trials, grid.seconds, partial(_fit_with, declared=declared))


def tabular_dataset(declared: Declared) -> Dataset:
    return Dataset(
        name=declared.dataset,
        table=declared.name,
        scope={},
        columns=silver_columns(declared),
        key=(declared.entity.name, DAY),
        day_column=DAY,
        entity_column=declared.entity.name,
        validate=partial(_validate, declared=declared),
        gold={},
        online=lambda _silver, _entities: (),
        catalogue=lambda _silver: (),
        seen=False,
        daily=declared.daily,
    )


def _request_row(request: Mapping[str, Any], by_feature: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row_of(request, by_feature).items() if value == value}


def _build_features(silver: pd.DataFrame, declared: Declared) -> pd.DataFrame:
    from evergreen.domains.tabular.features import build_features

    return build_features(silver, declared)


def _validate(received: pd.DataFrame, last_known: date, declared: Declared) -> Checked:
    from evergreen.domains.tabular.quality import validate

    return validate(received, last_known, declared)


def _fit(table: pd.DataFrame, seed: int, declared: Declared) -> FittedModel:
    from evergreen.domains.tabular.train import fit

    return fit(table, seed, declared)


def _fit_with(table: pd.DataFrame, seed: int, params: Mapping[str, float], declared: Declared) -> FittedModel:
    from evergreen.domains.tabular.train import fit

    return fit(table, seed, declared, params)


def _adopt(estimator: Any, table: pd.DataFrame, seed: int, declared: Declared) -> FittedModel:
    from evergreen.domains.tabular.adopt import adopt

    return adopt(estimator, table, seed, declared)


def _predictor(estimators: Mapping[str, Any], card: Mapping[str, Any], declared: Declared) -> Predictor:
    from evergreen.domains.tabular.model import TabularPredictor

    return TabularPredictor(estimators, card, declared)


def _baseline(table: pd.DataFrame, declared: Declared) -> Constant:
    """Median of a training table; of two classes the share of the second. Each is the best a constant can do by the metric."""
    target = table[declared.target.name]
    return Constant(float(target.mean() if declared.classes else target.median()))


def _squared(predicted: NDArray[np.float64], outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whose mean is the Brier score: a chance is judged by what it says, not by which side of a half it is on."""
    squared: NDArray[np.float64] = (predicted - outcomes) ** 2
    return squared


def _chances(predictor: Predictor, rows: pd.DataFrame, declared: Declared) -> Mapping[str, Chances]:
    outcomes = rows[declared.target.name].to_numpy(dtype="float64")
    return {"primary": Chances(predictor.predict(rows[list(declared.features)]), outcomes)}
