"""A declared model's head trained elsewhere."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from evergreen.adapters.estimator_walk import check_estimator
from evergreen.core.errors import ArtifactRefused
from evergreen.domains.tabular.inspect import Asked, inspect, sample
from evergreen.domains.tabular.loaders import load_rows
from evergreen.domains.tabular.spec import tabular_dataset, tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.ports.model import ModelSpec
from tests.support.strangers import sales, write_folder


def _table(folder: Path, target: str) -> tuple[ModelSpec, pd.DataFrame]:
    source = write_folder(folder, sales(40), drop="quick" if target == "Price" else "Price")
    declared = parse_spec(inspect(sample(source), "flats", Asked("Sold at", target)).render(), folder="flats")
    spec = tabular_spec(declared)
    silver = tabular_dataset(declared).validate(load_rows(source, declared).drop(columns="day"), date(2025, 12, 31)).clean
    table = spec.build_features(silver)
    return spec, table[table[spec.target].notna()]


@pytest.mark.parametrize(
    ("target", "right", "wrong"),
    [
        pytest.param("Price", RandomForestRegressor(10, random_state=0), RandomForestClassifier(3), id="regression"),
        pytest.param("quick", RandomForestClassifier(10, random_state=0), DummyRegressor(), id="classification"),
    ],
)
def test_it_answers_with_the_head_that_came(tmp_path: Path, target: str, right: Any, wrong: Any) -> None:
    spec, table = _table(tmp_path, target)
    assert spec.adopt is not None
    rows = table[list(spec.feature_names)]
    theirs = make_pipeline(SimpleImputer(keep_empty_features=True), right).fit(rows, table[spec.target])
    said = theirs.predict_proba(rows)[:, 1] if target == "quick" else theirs.predict(rows)
    check_estimator(theirs, len(spec.feature_names))
    adopted = spec.adopt(theirs, table, 0)
    predictor = spec.predictor(adopted.estimators, adopted.card)
    assert np.abs(predictor.predict(rows) - said).max() < 1e-12
    assert predictor.answer([{}])
    assert sum(adopted.card["importances"].values()) == pytest.approx(1.0)
    other = make_pipeline(SimpleImputer(keep_empty_features=True), wrong).fit(rows, (table[spec.target] > table[spec.target].median()).astype(float))
    with pytest.raises(ArtifactRefused, match="the target"):
        spec.adopt(other, table, 0)
