"""Trees as bit vectors say what the trained ensembles say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from evergreen.adapters import forest_build
from evergreen.adapters.compiled import pack, unpack
from evergreen.adapters.forest import Forest, logistic
from evergreen.adapters.forest_build import build_forest, checked_forest, parity_rows
from evergreen.core.errors import NotCompilable

COLUMNS = ("a", "b", "c", "d", "unused")


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(count, 5))
    values[draw.random(values.shape) < 0.1] = math.nan
    values[:, 2] = np.round(values[:, 2])  # ties and whole numbers
    return pd.DataFrame(values, columns=list(COLUMNS))


def pipeline(model: Any, columns: tuple[str, ...]) -> Pipeline:
    table = rows(600)
    target = np.nansum(table[["a", "c"]].to_numpy(), axis=1) + np.random.default_rng(1).normal(size=600)
    made = Pipeline([("columns", ColumnTransformer([("known", "passthrough", list(columns))])), ("model", model)])
    return made.fit(table, target > 0 if isinstance(model, HistGradientBoostingClassifier) else target)


@pytest.fixture(scope="module")
def heads() -> dict[str, Any]:
    return {
        "primary": pipeline(HistGradientBoostingRegressor(max_iter=40, max_leaf_nodes=15, random_state=0), ("a", "b", "c")),
        "chance": pipeline(HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=31, random_state=0), ("d", "a", "c")),
    }


@pytest.fixture(scope="module")
def forest(heads: dict[str, Any]) -> Forest:
    return checked_forest(heads, COLUMNS, None)[0]


def test_it_agrees_with_every_head_on_rows_made_to_tell(forest: Forest, heads: dict[str, Any]) -> None:
    told = np.array([*rows(500, 7).to_numpy(), *parity_rows(forest, 3, 1000)])
    frame = pd.DataFrame(told, columns=list(COLUMNS))
    said = forest.many(told)
    np.testing.assert_allclose(said["primary"], heads["primary"].predict(frame), rtol=0, atol=1e-12)
    np.testing.assert_allclose(said["chance"], heads["chance"].predict_proba(frame)[:, 1], rtol=0, atol=1e-12)


def test_one_row_and_many_say_the_same(forest: Forest) -> None:
    told = rows(300, 5).to_numpy()
    said = forest.many(told)
    for at, row in enumerate(told.tolist()):
        alone = forest.one(row)
        assert alone["primary"] == said["primary"][at]
        assert alone["chance"] == pytest.approx(said["chance"][at], abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(row=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=5, max_size=5))
def test_any_doubles_get_the_trees_answer(forest: Forest, heads: dict[str, Any], row: list[float]) -> None:
    finite = [max(min(value, 1e300), -1e300) if value == value else value for value in row]  # scikit-learn refuses infinities, the form does not
    assert forest.one(finite)["primary"] == pytest.approx(heads["primary"].predict(pd.DataFrame([finite], columns=list(COLUMNS)))[0], abs=1e-12)
    assert math.isfinite(forest.one(row)["primary"])


def test_one_head_alone_is_the_same_head(forest: Forest) -> None:
    told = rows(50).to_numpy()
    for head in ("primary", "chance"):
        np.testing.assert_array_equal(forest.only(head).many(told)[head], forest.many(told)[head])


def test_more_rows_than_a_chunk_and_none_at_all(forest: Forest) -> None:
    told = rows(5000, 9).to_numpy()
    np.testing.assert_array_equal(forest.many(told)["primary"][-100:], forest.many(told[-100:])["primary"])
    assert len(forest.many(np.empty((0, 5)))["primary"]) == 0


def test_it_survives_being_written_and_read(forest: Forest) -> None:
    again, told = unpack(pack(forest)), rows(100).to_numpy()
    assert (again.columns, again.heads, again.links) == (forest.columns, forest.heads, forest.links)
    for head in forest.heads:
        np.testing.assert_array_equal(again.many(told)[head], forest.many(told)[head])


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        pytest.param(LinearRegression().fit(rows(50).fillna(0), range(50)), "does not read a LinearRegression", id="no-trees"),
        pytest.param(HistGradientBoostingRegressor(max_iter=2).fit(rows(90).to_numpy(), range(90)), "only a choice of columns", id="nameless-columns"),
        pytest.param(
            Pipeline([("scale", StandardScaler()), ("model", HistGradientBoostingRegressor(max_iter=2))]).fit(rows(90), range(90)),
            "only a choice of columns",
            id="a-scaler-before-the-trees",
        ),
        pytest.param(pipeline(HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=200, min_samples_leaf=1), ("a", "b")), "leaves", id="too-many-leaves"),
        pytest.param(pipeline(RandomForestRegressor(3, random_state=0), ("a", "b")), "leaves, the limit", id="deep-forest"),
    ],
)
def test_what_it_cannot_say_exactly_is_left_to_the_pipeline(estimator: Any, reason: str) -> None:
    with pytest.raises(NotCompilable, match=reason):
        checked_forest({"primary": estimator}, COLUMNS, None)


def test_trees_without_a_pipeline_are_known_by_the_names_they_were_fitted_on() -> None:
    table = rows(300)
    bare = HistGradientBoostingRegressor(max_iter=5).fit(table[["c", "a"]], np.nansum(table[["a", "c"]].to_numpy(), axis=1))
    made, difference = checked_forest({"primary": bare}, COLUMNS, None)
    assert difference <= 1e-12
    np.testing.assert_allclose(made.many(table.to_numpy())["primary"], bare.predict(table[["c", "a"]]), atol=1e-12)


def test_columns_no_request_has_are_refused(heads: dict[str, Any]) -> None:
    with pytest.raises(NotCompilable, match="does not have: c"):
        checked_forest({"primary": heads["primary"]}, ("a", "b"), None)


def test_a_form_that_differs_is_refused(heads: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(*asked: Any) -> Forest:
        made = build_forest(*asked)
        made.leaves[3, 0] += 1e-3  # one leaf of one tree
        return made

    monkeypatch.setattr(forest_build, "build_forest", spoiled)
    with pytest.raises(NotCompilable, match="differs from its pipeline"):
        checked_forest(heads, COLUMNS, None)


def test_extreme_sums_stay_chances() -> None:
    assert (logistic(-1000.0), logistic(1000.0)) == (0.0, 1.0)
