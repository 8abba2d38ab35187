"""A declared model: training and serving see the same row, the compiled form says the same, training is deterministic."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.adapters.forest_build import checked_forest
from evergreen.core.errors import NotEnoughData
from evergreen.domains.tabular.coerce import coerced
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.features import build_features
from evergreen.domains.tabular.inspect import Asked, inspect, sample
from evergreen.domains.tabular.loaders import load_rows
from evergreen.domains.tabular.row import label_of, readings, row_of
from evergreen.domains.tabular.spec import tabular_dataset, tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.services.training import Candidate, train_candidate
from tests.support.strangers import sales, write_folder

MIXED = parse_spec(
    """name = "mixed"
kind = "classification"
[time]
column = "when"
[target]
column = "won"
classes = ["0", "1"]
[entity]
column = "id"
[numbers.x]
[numbers.flag]
[categories.colour]
values = ["red", "true", "7"]
[categories.code]
values = "whole numbers"
""",
    folder="mixed",
)


def flats(folder: Path, target: str) -> tuple[Declared, pd.DataFrame]:
    """(declared, silver) of a stranger's folder."""
    source = write_folder(folder, sales(60), drop="quick" if target == "Price" else "Price")
    declared = parse_spec(inspect(sample(source), "flats", Asked("Sold at", target)).render(), folder="flats")
    rows = load_rows(source, declared).drop(columns="day")
    checked = tabular_dataset(declared).validate(rows, date(2025, 12, 31))
    assert checked.quarantined.empty
    return declared, checked.clean


@pytest.fixture(scope="module", params=["Price", "quick"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Declared, pd.DataFrame, Candidate]:
    declared, silver = flats(tmp_path_factory.mktemp("flats"), request.param)
    return declared, silver, train_candidate(tabular_spec(declared), silver, datetime(2025, 7, 1, tzinfo=UTC))


def test_it_learns_what_matters(trained: tuple[Declared, pd.DataFrame, Candidate]) -> None:
    declared, _, candidate = trained
    metric = tabular_spec(declared).metric
    assert candidate.metrics[metric] < 0.5 * candidate.metrics[f"{metric}_median"]
    weights = candidate.fitted.card["importances"]
    assert sum(weights.values()) == pytest.approx(1.0)
    assert max(weights, key=weights.__getitem__) == "area_m2"
    assert 0.6 <= candidate.fitted.card["interval"]["coverage"] <= 1.0


def test_the_compiled_form_and_the_pipeline_say_the_same(trained: tuple[Declared, pd.DataFrame, Candidate]) -> None:
    declared, _, candidate = trained
    spec = tabular_spec(declared)
    forest, difference = checked_forest(candidate.fitted.estimators, spec.feature_names, None)
    assert difference <= 1e-9
    assert spec.answers is not None
    requests: list[dict[str, Any]] = [{"area_m2": 100, "age": "3", "district": "north", "balcony": True}, {"district": "mars"}, {}]
    compiled, pipeline = (
        spec.answers(forest, candidate.fitted.card).answer(requests),
        spec.predictor(candidate.fitted.estimators, candidate.fitted.card).answer(requests),
    )
    for ours, theirs in zip(compiled, pipeline, strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["prediction"] == pytest.approx(theirs["prediction"], abs=1e-9)
        assert ours["prediction_lower"] <= ours["prediction"] <= ours["prediction_upper"]
    assert spec.request_row is not None
    assert spec.answers(forest, candidate.fitted.card).answer(requests, [spec.request_row(request) for request in requests]) == compiled
    assert spec.answers(forest, candidate.fitted.card).answer(requests[:1])[0]["prediction"] == pytest.approx(compiled[0]["prediction"], abs=1e-9)


def test_training_is_deterministic_in_any_order_of_rows(trained: tuple[Declared, pd.DataFrame, Candidate]) -> None:
    declared, silver, candidate = trained
    spec, moment = tabular_spec(declared), datetime(2025, 7, 1, tzinfo=UTC)
    again = train_candidate(spec, silver.sample(frac=1.0, random_state=1), moment)
    assert again.fitted.card == candidate.fitted.card
    assert again.metrics == candidate.metrics


def test_with_too_little_to_learn_from_training_says_so(trained: tuple[Declared, pd.DataFrame, Candidate]) -> None:
    declared, silver, _ = trained
    spec = tabular_spec(declared)
    with pytest.raises(NotEnoughData, match="needs 50 rows"):
        spec.fit(spec.build_features(silver.head(40)), 0)
    with pytest.raises(NotEnoughData, match="not one feature"):
        spec.fit(spec.build_features(silver).assign(**dict.fromkeys(declared.features, math.nan)), 0)


def test_an_entity_that_comes_again_is_the_row_of_its_first_time() -> None:
    silver = coerced(pd.DataFrame({"id": ["a", "a"], "when": ["2025-03-02", "2025-03-01"], "won": ["1", "0"], "x": [2, 1]}), MIXED)
    table = build_features(silver, MIXED)
    assert table[["id", "x", "won"]].values.tolist() == [["a", 1.0, 0.0]]


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=True),
    st.text(max_size=6),
    st.sampled_from(["red", " red ", "true", "7", "7.0", "1e3", "-0", "1_000", "0x1f", "nan", "inf", "True", "no"]),
)


@settings(max_examples=300, deadline=None)
@given(x=CELLS, flag=CELLS, colour=st.one_of(st.none(), st.booleans(), st.text(max_size=6), st.sampled_from(["red", "true", "7"])), code=CELLS)
def test_training_and_serving_read_a_row_alike(x: Any, flag: Any, colour: Any, code: Any) -> None:
    received = pd.DataFrame({"id": ["a"], "when": ["2025-03-01"], "won": ["1"], "x": [x], "flag": [flag], "colour": [colour], "code": [code]}, dtype=object)
    table = build_features(coerced(received, MIXED), MIXED)
    served = row_of({"x": x, "flag": flag, "colour": colour, "code": code}, readings(MIXED))
    np.testing.assert_array_equal(table[list(MIXED.features)].to_numpy(dtype=float)[0], list(served.values()))


def test_labels_are_numbers_or_one_of_two_classes() -> None:
    assert label_of(MIXED, {"won": 1}) == label_of(MIXED, {"won": "1"}) == label_of(MIXED, {"won": 1.0}) == 1.0
    for wrong in ({}, {"won": 2}, {"won": None}, {"x": 1}):
        with pytest.raises(ValueError, match="must be one of 0, 1"):
            label_of(MIXED, wrong)
