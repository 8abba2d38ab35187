"""A primary head trained elsewhere becomes a whole version."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from evergreen.adapters.estimator_walk import check_estimator
from evergreen.adapters.forest_build import checked_forest
from evergreen.core.errors import ArtifactRefused, NotCompilable
from evergreen.domains.videos.answers import COLUMNS
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.names import FEATURES, TARGET
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.domains.videos.train import fit

TABLE = build_features(simulate(date(2025, 4, 1), date(2025, 4, 25), 3), "KR")
KNOWN = TABLE[TABLE[TARGET].notna()]
KNOWN = KNOWN.assign(**{name: KNOWN[name].fillna(0.0) if KNOWN[name].isna().all() else KNOWN[name] for name in FEATURES})
"""As an author has it: nobody's trees are fitted on an empty column."""
SPEC = video_spec()


def _adopted(estimator: Any) -> Any:
    check_estimator(estimator, len(FEATURES))
    assert SPEC.adopt is not None
    return SPEC.adopt(estimator, TABLE, 0)


def _trees() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=20, random_state=1)


@pytest.mark.parametrize(
    ("estimator", "compiled"),
    [
        pytest.param(lambda: _trees().fit(KNOWN[list(FEATURES)], KNOWN[TARGET]), True, id="trees-by-name"),
        pytest.param(lambda: _trees().fit(KNOWN[list(FEATURES)].to_numpy(), KNOWN[TARGET]), True, id="trees-by-place"),
        pytest.param(lambda: fit(TABLE.head(400), 7).estimators["primary"], True, id="one-of-ours-from-elsewhere"),
        pytest.param(
            lambda: make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), Ridge()).fit(KNOWN[list(FEATURES)], KNOWN[TARGET]),
            False,
            id="linear",
        ),
    ],
)
def test_it_answers_with_the_head_that_came_and_with_all_of_ours(estimator: Any, compiled: bool) -> None:
    theirs = estimator()
    rows = KNOWN[list(FEATURES)].tail(60)
    said = theirs.predict(rows if hasattr(theirs, "feature_names_in_") else rows.to_numpy())
    adopted = _adopted(theirs)
    predictor = SPEC.predictor(adopted.estimators, adopted.card)
    assert np.abs(predictor.predict(KNOWN.tail(60)) - said).max() < 1e-12
    assert set(adopted.estimators) == set(fit(TABLE, 0).estimators)
    (answer,) = predictor.answer([{"title": "x", "category_id": 22}])
    assert answer["prediction_lower"] <= answer["prediction"] <= answer["prediction_upper"]
    assert sum(adopted.card["importances"].values()) == pytest.approx(1.0)
    if compiled:
        assert checked_forest(adopted.estimators, COLUMNS, None)[1] <= 1e-9
    else:
        with pytest.raises(NotCompilable):
            checked_forest(adopted.estimators, COLUMNS, None)


def test_a_pipeline_that_makes_other_columns_by_name_is_refused() -> None:
    changed = ColumnTransformer([("scaled", StandardScaler(), ["hour"])])
    foreign = ColumnTransformer([("known", "passthrough", ["hour", "view_count"])])
    for choice, rows in ((changed, KNOWN), (foreign, KNOWN.assign(view_count=1.0))):
        pipeline = Pipeline([("columns", choice), ("model", Ridge())]).fit(pd.DataFrame(rows), KNOWN[TARGET])
        with pytest.raises(ArtifactRefused, match="choice of this model's features"):
            _adopted(pipeline)
