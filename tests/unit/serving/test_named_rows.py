"""Scoring requests that say whom their rows are of, and columns that may be texts."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.ports.serving import PredictionRecord
from serving.protocols.entities import entities_in
from serving.protocols.frames import Unusable
from serving.protocols.mlflow_scoring import MlflowReader
from serving.protocols.open_inference import InferenceReader, metadata
from serving.scoring import LOGGED_ROWS, NAMED_ROWS
from tests.support.serving_bench import SPEC, Bench

NAMES = list(SPEC.feature_names)
CODES = {"colour": {"red": 0.0, "true": 1.0}}


def logged(running: Bench, monkeypatch: pytest.MonkeyPatch) -> list[PredictionRecord]:
    found: list[PredictionRecord] = []
    monkeypatch.setattr(running.log, "record", lambda one: found.extend([one] if isinstance(one, PredictionRecord) else one()))
    return found


def named(count: int) -> dict[str, Any]:
    return {"dataframe_records": [{"video_id": f"v{at}", **dict.fromkeys(NAMES, 1.0)} for at in range(count)]}


@pytest.mark.anyio
async def test_named_rows_are_logged_by_their_names_and_answered_as_without(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    records = logged(running, monkeypatch)
    answer = await client.post("/invocations", json=named(2 * LOGGED_ROWS))
    assert answer.json() == {"predictions": [1.0] * 2 * LOGGED_ROWS}
    assert [record.entity for record in records] == [f"v{at}" for at in range(2 * LOGGED_ROWS)]
    assert json.loads(records[0].features) == dict.fromkeys(NAMES, 1.0), "the name is no feature"


@pytest.mark.anyio
async def test_of_a_very_large_request_only_the_first_are_logged(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    records = logged(running, monkeypatch)
    assert len((await client.post("/invocations", json=named(NAMED_ROWS + 5))).json()["predictions"]) == NAMED_ROWS + 5
    assert len(records) == NAMED_ROWS


@pytest.mark.anyio
async def test_open_inference_takes_the_name_as_a_tensor(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    records = logged(running, monkeypatch)
    tensors = [{"name": name, "shape": [2], "datatype": "FP64", "data": [1.0, 1.0]} for name in NAMES]
    whom = {"name": "video_id", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    answer = await client.post(f"/v2/models/{SPEC.name}/infer", json={"inputs": [*tensors, whom]})
    assert answer.status_code == 200, answer.text
    assert [record.entity for record in records] == ["a", "b"]
    other = {**whom, "name": "channel"}
    assert (await client.post(f"/v2/models/{SPEC.name}/infer", json={"inputs": [*tensors, other]})).status_code == 400


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"dataframe_split": {"columns": ["x", "id"], "data": [[1, "a"], [2, 7]]}}, ["a", "7"]),
        ({"dataframe_split": {"columns": ["x", "id"], "data": [[1, "a"], [2]]}}, ["a", None]),
        ({"dataframe_records": [{"id": "a"}, {"x": 1}]}, ["a", None]),
        ({"instances": [{"id": "a"}, {"id": "b c"}]}, ["a", None]),
        ({"instances": {"id": ["a", None]}}, ["a", None]),
        ({"inputs": {"id": ["a", True], "x": 1}}, ["a", None]),
        ({"inputs": [{"name": "id", "shape": [2, 1], "datatype": "BYTES", "data": [["a"], ["b"]]}]}, ["a", "b"]),
        ({"inputs": {"id": "a"}}, [None, None]),
        ({"inputs": {"id": ["a", "b", "c"]}}, [None, None]),
        ({"dataframe_records": {"id": {}}}, [None, None]),
        ({"inputs": [[1], [2]]}, [None, None]),
        ([1, 2], [None, None]),
        ({}, [None, None]),
        ("id", [None, None]),
    ],
)
def test_who_is_meant_is_found_in_every_form_and_never_guessed(body: object, found: list[str | None]) -> None:
    assert entities_in(json.dumps(body).encode(), "id", 2) == found


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.sampled_from(["id", "a"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "data", "columns", "name", "shape", "datatype", "x"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(form=st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "other"]), value=JSON, alone=st.booleans())
def test_nothing_in_a_body_breaks_the_log(form: str, value: object, alone: bool) -> None:
    found = entities_in(json.dumps(value if alone else {form: value}).encode(), "id", 2)
    assert len(found) == 2
    assert all(entity is None or entity for entity in found)


@pytest.mark.parametrize(
    ("body", "found"),
    [(b"x,id\n1,a\n\n2,b\n", ["a", "b"]), (b"x\n1\n2\n", [None, None]), (b"\xff", [None, None]), (b'id\n"a\n', [None, None]), (b"", [None, None])],
)
def test_in_csv_too(body: bytes, found: list[str | None]) -> None:
    assert entities_in(body, "id", 2) == found


FORMS: list[Any] = [
    {"dataframe_split": {"columns": ["colour", "x"], "data": [["red", 1], ["mars", 2], [None, None], [True, 3], ["", 4], [0, 5]]}},
    {"dataframe_records": [{"colour": colour, "x": x} for colour, x in zip(["red", "mars", None, True, "", 0], [1, 2, None, 3, 4, 5], strict=True)]},
    {"inputs": {"colour": ["red", "mars", None, True, "", 0], "x": [1, 2, None, 3, 4, 5]}},
    {"instances": {"colour": ["red", "mars", None, True, "", 0], "x": [1, 2, None, 3, 4, 5]}},
]
MATRIX = [[1, 0], [2, 2], [np.nan, np.nan], [3, 1], [4, np.nan], [5, 0]]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: next(iter(form)))
def test_texts_are_read_as_their_codes_in_every_form(form: Any) -> None:
    matrix = MlflowReader(["x", "colour"], CODES).read(json.dumps(form).encode(), "application/json")
    np.testing.assert_array_equal(matrix, np.array(MATRIX, dtype=float))


def test_texts_are_read_in_csv_and_in_tensors_of_bytes() -> None:
    matrix = MlflowReader(["x", "colour"], CODES).read(b"colour,x\nred,1\nmars,2\nNA,\n", "text/csv")
    np.testing.assert_array_equal(matrix, np.array(MATRIX[:3], dtype=float))
    colour = {"name": "colour", "shape": [3], "datatype": "BYTES", "data": ["red", "mars", None]}
    x = {"name": "x", "shape": [3], "datatype": "FP64", "data": [1, 2, None]}
    reader = InferenceReader(["x", "colour"], CODES)
    np.testing.assert_array_equal(reader.read(json.dumps({"inputs": [x, colour]}).encode()).matrix, np.array(MATRIX[:3], dtype=float))
    assert [tensor["datatype"] for tensor in metadata("m", 1, ["x", "colour"], CODES)["inputs"]] == ["FP64", "BYTES"]


def test_a_text_where_a_number_is_asked_for_is_refused_as_before() -> None:
    with pytest.raises(Unusable, match="column 'x' is neither a number"):
        MlflowReader(["x", "colour"], CODES).read(b'{"dataframe_records": [{"x": "red", "colour": "red"}]}', "application/json")
    tensors = [{"name": name, "shape": [1], "datatype": "BYTES", "data": ["1"]} for name in ("x", "colour")]
    with pytest.raises(Unusable, match="cannot be BYTES"):
        InferenceReader(["x", "colour"], CODES).read(json.dumps({"inputs": tensors}).encode())
