"""Models trained elsewhere are taken apart before anything of them runs."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from evergreen.adapters.estimator_walk import check_estimator
from evergreen.adapters.mlmodel_file import check_files, skops_file
from evergreen.adapters.submitted_models import build_tried
from evergreen.core.errors import ArtifactRefused
from evergreen.ports.submissions import SubmittedModel
from tests.support.tiny import FEATURES, tiny_spec

TREES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})
ROWS = pd.DataFrame({"x": np.linspace(0, 1, 80), "group": np.arange(80) % 2.0})
Y = 2 * ROWS["x"]
MLMODEL = """\
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.skops
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.skops
    serialization_format: skops
    skops_trusted_types:
    - numpy.dtype
    sklearn_version: 1.9.1
mlflow_version: 3.17.2
"""


def test_an_honest_mlmodel_names_its_file() -> None:
    assert skops_file(MLMODEL.encode(), TREES) == "model.skops"
    check_files({"MLmodel", "model.skops", "conda.yaml", "input_example.json", "requirements.txt"})


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        pytest.param("serialization_format: skops", "serialization_format: cloudpickle", "only skops", id="cloudpickle"),
        pytest.param("serialization_format: skops", "", "only skops", id="no-format"),
        pytest.param("- numpy.dtype", "- builtins.eval", "asks to trust types that are not allowed: builtins.eval", id="widened-list"),
        pytest.param("skops_trusted_types:\n    - numpy.dtype", "skops_trusted_types: all", "asks to trust", id="list-that-is-none"),
        pytest.param("code: null", "code: code", "brings code along (code)", id="code"),
        pytest.param("predict_fn: predict", "code: code", "brings code along (code)", id="code-of-the-function"),
        pytest.param("predict_fn: predict", "model_code_path: m.py", "brings code along", id="model-from-code"),
        pytest.param("mlflow.sklearn\n", "os\n", "loader of its own", id="loader"),
        pytest.param("pickled_model: model.skops", "pickled_model: ../model.skops", "does not name one skops file", id="climbs"),
        pytest.param("pickled_model: model.skops", "pickled_model: model.pkl", "does not name one skops file", id="pickle"),
        pytest.param("model_path: model.skops", "model_path: model.pkl", "does not name one skops file", id="two-files"),
        pytest.param("  sklearn:", "  pytorch:", "only scikit-learn", id="another-flavor"),
        pytest.param("mlflow_version: 3.17.2", "a: &a [x, x]\nb: *a", "refers to itself", id="alias-bomb"),
        pytest.param("mlflow_version: 3.17.2", "a: !!python/object/apply:os.system [ls]", "cannot be read", id="yaml-code"),
        pytest.param("flavors:", "{" * 5000 + "\nflavors:", "cannot be read", id="depth"),
        pytest.param(MLMODEL, "[]", "not an object", id="no-object"),
        pytest.param(MLMODEL, "\x00", "cannot be read", id="no-text"),
    ],
)
def test_a_hostile_mlmodel_is_refused(was: str, now: str, said: str) -> None:
    assert was in MLMODEL
    with pytest.raises(ArtifactRefused) as refused:
        skops_file(MLMODEL.replace(was, now, 1).encode(), TREES)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["model.pkl", "code/evil.py", "evil.PY", "a/b.skops", "x.joblib", "lib.so"])
def test_a_folder_with_more_than_a_model_is_refused(name: str) -> None:
    with pytest.raises(ArtifactRefused, match="not taken"):
        check_files({"MLmodel", "model.skops", name})
    with pytest.raises(ArtifactRefused, match="no MLmodel"):
        check_files({"model.skops"})


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(LinearRegression(), id="linear"),
        pytest.param(make_pipeline(StandardScaler(), Ridge()), id="pipeline"),
        pytest.param(make_pipeline(PolynomialFeatures(3), RandomForestRegressor(5)), id="more-columns-inside"),
        pytest.param(HistGradientBoostingRegressor(max_iter=5), id="histogram-trees"),
        pytest.param(GradientBoostingRegressor(n_estimators=5), id="boosted-trees"),
    ],
)
def test_honest_estimators_pass(estimator: Any) -> None:
    check_estimator(estimator.fit(ROWS, Y), 2)


def _forward_jump(field: str, value: int) -> Callable[[], Any]:
    def made() -> Any:
        model = HistGradientBoostingRegressor(max_iter=3).fit(ROWS, Y)
        nodes = model._predictors[0][0].nodes
        nodes[field][np.flatnonzero(nodes["is_leaf"] == 0)[0]] = value
        return model

    return made


def _categories() -> Any:
    model = HistGradientBoostingRegressor(max_iter=3).fit(ROWS, Y)
    nodes = model._predictors[0][0].nodes
    at = np.flatnonzero(nodes["is_leaf"] == 0)[0]
    nodes["is_categorical"][at], nodes["bitset_idx"][at] = 1, 9
    return model


def _another_width() -> Any:
    """A forest for 60 columns that says it is for 2."""
    model = RandomForestRegressor(3).fit(np.random.default_rng(0).normal(size=(80, 60)), Y)
    model.n_features_in_ = 2
    return model


def _unsaid_behind_a_step() -> Any:
    model = make_pipeline(PolynomialFeatures(3), HistGradientBoostingRegressor(max_iter=3)).fit(ROWS, Y)
    del model.named_steps["histgradientboostingregressor"].n_features_in_
    return model


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(_forward_jump("left", 100_000), "point forward", id="beyond-the-tree"),
        pytest.param(_forward_jump("right", 0), "point forward", id="a-loop"),
        pytest.param(_forward_jump("feature_idx", 9), "columns beyond", id="beyond-the-row"),
        pytest.param(_categories, "categories it does not have", id="beyond-the-categories"),
        pytest.param(_another_width, "columns beyond the 2", id="another-width"),
        pytest.param(_unsaid_behind_a_step, "columns beyond", id="width-unsaid"),
        pytest.param(lambda: KNeighborsRegressor().fit(ROWS, Y), "KNeighborsRegressor, which is not taken", id="compiled-code-not-looked-through"),
        pytest.param(
            lambda: HistGradientBoostingRegressor(max_iter=2, categorical_features=[1]).fit(ROWS, Y),
            "functools.partial, which is not taken",
            id="own-categories",
        ),
        pytest.param(lambda: make_pipeline(FunctionTransformer(np.save), Ridge()), "which is not taken", id="a-function"),
    ],
)
def test_what_compiled_code_would_follow_blindly_is_refused(made: Callable[[], Any], said: str) -> None:
    with pytest.raises(ArtifactRefused) as refused:
        check_estimator(made(), 2)
    assert said in str(refused.value)


def _submitted(estimator: Any) -> SubmittedModel:
    return SubmittedModel(skops.io.dumps(estimator), "x")


def test_a_model_is_built_after_it_answered_in_a_child(tmp_path: Path) -> None:
    built = build_tried(tiny_spec(), _submitted(LinearRegression().fit(ROWS[list(FEATURES)], Y)), ROWS, tmp_path)
    assert np.abs(built.predict(ROWS) - Y).max() < 1e-9


def _nan() -> Any:
    model = LinearRegression().fit(ROWS, Y)
    model.coef_ = np.full(2, np.nan)
    return model


class Touch:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * (300 * 2**20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(lambda file: pickle.dumps(Touch(file)), "not a whole archive", id="pickle"),
        pytest.param(lambda _: _submitted(LinearRegression().fit(ROWS, Y)).body[:-30], "not a whole archive", id="truncated"),
        pytest.param(lambda _: _submitted(LinearRegression().fit(ROWS.assign(z=1.0), Y)).body, "does not answer the 2 features", id="width"),
        pytest.param(lambda _: _submitted(_nan()).body, "80 of 80 answers are not finite", id="nan"),
        pytest.param(lambda _: _submitted(HistGradientBoostingRegressor(max_iter=2).fit(ROWS, Y)).body, "not allowed", id="foreign-types"),
        pytest.param(lambda _: _bomb(), "unpacks to more than", id="zip-bomb"),
    ],
)
def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path: Path, body: Callable[[Path], bytes], said: str) -> None:
    touched = tmp_path / "touched"
    with pytest.raises(ArtifactRefused) as refused:
        build_tried(tiny_spec(), SubmittedModel(body(touched), "x"), ROWS, tmp_path)
    assert said in str(refused.value)
    assert not touched.exists()
