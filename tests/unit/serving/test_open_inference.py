"""Open Inference Protocol v2: every answer against the protocol's objects, as schemas written after its published specification
(kserve/open-inference-protocol, `inference_rest.md`), and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.protocols.open_inference import InferenceReader
from tests.support.serving_bench import SPEC, Bench

NAMES = list(SPEC.feature_names)
MODEL = f"/v2/models/{SPEC.name}"
READER = InferenceReader(["a", "b", "c"])

TEXT = {"type": "string"}
PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
DATATYPE = {"enum": ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]}


def obj(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": sorted(required), "additionalProperties": False}


def many(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


METADATA_TENSOR = obj({"name": TEXT, "datatype": DATATYPE, "shape": many({"type": "integer", "minimum": -1})})
TENSOR_DATA = many({"type": ["number", "boolean", "string", "array", "null"]})
OUTPUT_TENSOR = obj({"name": TEXT, "shape": many({"type": "integer", "minimum": 0}), "datatype": DATATYPE, "data": TENSOR_DATA}, parameters=PARAMETERS)
SCHEMAS = {
    "live": obj({"live": {"type": "boolean"}}),
    "ready": obj({"live": {"type": "boolean"}}, ready={"type": "boolean"}),
    "model_ready": obj({"name": TEXT, "ready": {"type": "boolean"}}),
    "server": obj({"name": TEXT, "version": TEXT, "extensions": many(TEXT)}),
    "model": obj({"name": TEXT, "platform": TEXT, "inputs": many(METADATA_TENSOR), "outputs": many(METADATA_TENSOR)}, versions=many(TEXT)),
    "response": obj({"model_name": TEXT, "outputs": many(OUTPUT_TENSOR)}, model_version=TEXT, id=TEXT, parameters=PARAMETERS),
    "error": obj({"error": {"type": "string", "minLength": 1}}),
}


def said(answer: httpx.Response, schema: str, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    jsonschema.validate(found, SCHEMAS[schema])
    return found


def tensor(name: str, *data: Any, shape: list[int] | None = None, datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data), 1] if shape is None else shape, "datatype": datatype, "data": list(data), **more}


def one_each(*data: Any) -> list[dict[str, Any]]:
    return [tensor(name, *data) for name in NAMES]


pytest_anyio = pytest.mark.anyio


@pytest_anyio
async def test_health_readiness_and_server_metadata(client: httpx.AsyncClient) -> None:
    assert said(await client.get("/v2/health/live"), "live") == {"live": True}
    assert said(await client.get("/v2/health/ready"), "ready") == {"live": True, "ready": True}
    for path in ("/v2", "/v2/"):
        assert said(await client.get(path), "server")["extensions"] == []


@pytest_anyio
async def test_readiness_ends_with_draining(running: Bench, client: httpx.AsyncClient) -> None:
    running.serving.draining = True
    assert said(await client.get("/v2/health/ready"), "ready", 503)["ready"] is False


@pytest_anyio
@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
async def test_metadata_names_an_input_per_feature_and_the_serving_version(client: httpx.AsyncClient, path: str) -> None:
    found = said(await client.get(path), "model")
    assert (found["name"], found["versions"], [one["name"] for one in found["inputs"]]) == (SPEC.name, ["1"], NAMES)
    assert {(one["datatype"], tuple(one["shape"])) for one in (*found["inputs"], *found["outputs"])} == {("FP64", (-1, 1))}
    assert said(await client.get(f"{path}/ready"), "model_ready") == {"name": SPEC.name, "ready": True}


@pytest_anyio
@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
async def test_inference_echoes_the_id_and_answers_a_column(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(f"{path}/infer", json={"id": "ä-42", "parameters": {"priority": 1}, "inputs": one_each(1.5, None)[::-1]})
    output = {"name": "predict", "shape": [2, 1], "datatype": "FP64", "data": [1.0, 1.0]}
    assert said(answer, "response") == {"model_name": SPEC.name, "model_version": "1", "id": "ä-42", "outputs": [output]}
    assert answer.headers["x-model-version"] == f"{SPEC.name}@1"


@pytest_anyio
@pytest.mark.parametrize("outputs", [None, [], [{"name": "predict"}], [{"name": "predict", "parameters": {"binary_data": False}}]])
async def test_outputs_may_be_named_or_left_out(client: httpx.AsyncClient, outputs: Any) -> None:
    body = {"inputs": one_each(1)} | ({} if outputs is None else {"outputs": outputs})
    found = said(await client.post(f"{MODEL}/infer", json=body), "response")
    assert (set(found), [one["name"] for one in found["outputs"]]) == ({"model_name", "model_version", "outputs"}, ["predict"])


@pytest_anyio
@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"{", "JSON", id="half-an-object"),
        pytest.param(b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', "null", id="nan"),
        pytest.param(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": ' + b"[" * 100_000, "JSON", id="too-deep"),
        pytest.param([], "object", id="a-list"),
        pytest.param({}, "inputs", id="no-inputs-key"),
        pytest.param({"inputs": []}, "at least one", id="no-inputs"),
        pytest.param({"inputs": one_each(1), "id": 5}, "id", id="a-number-as-id"),
        pytest.param({"inputs": one_each(1)[1:]}, "category_id", id="an-input-left-out"),
        pytest.param({"inputs": [*one_each(1), tensor("colour", 1)]}, "colour", id="an-unknown-input"),
        pytest.param({"inputs": [*one_each(1), tensor("hour", 1)]}, "twice", id="an-input-twice"),
        pytest.param({"inputs": [*one_each(1)[1:], tensor("category_id", 1, 2)]}, "rows", id="unequal-rows"),
        pytest.param({"inputs": one_each()}, "no rows", id="no-rows"),
        pytest.param({"inputs": [*one_each(1)[1:], tensor("category_id", 1, 2, shape=[1, 2])]}, "shape", id="two-columns"),
        pytest.param({"inputs": [tensor("x", *NAMES[:-1], shape=[1, len(NAMES) - 1])]}, "no inputs", id="too-few-columns-in-one"),
        pytest.param({"inputs": [tensor("x", 1, shape=[2, len(NAMES)])]}, "values", id="too-few-values"),
        pytest.param({"inputs": [tensor("x", shape=[-1, len(NAMES)])]}, "impossible", id="a-negative-size"),
        pytest.param({"inputs": [tensor("x", "abc", *[1] * (len(NAMES) - 1), shape=[1, len(NAMES)])]}, "FP64", id="text"),
        pytest.param({"inputs": [tensor("x", *[1] * len(NAMES), shape=[1, len(NAMES)], datatype="BYTES")]}, "BYTES", id="bytes"),
        pytest.param({"inputs": [tensor("x", *[1.5] * len(NAMES), shape=[1, len(NAMES)], datatype="INT64")]}, "INT64", id="a-fraction-as-integer"),
        pytest.param({"inputs": [tensor("x", *[300] * len(NAMES), shape=[1, len(NAMES)], datatype="UINT8")]}, "UINT8", id="too-large-an-integer"),
        pytest.param({"inputs": [tensor("x", *[1] * len(NAMES), shape=[1, len(NAMES)], datatype="BOOL")]}, "BOOL", id="a-number-as-truth"),
        pytest.param({"inputs": [tensor("x", *[True] * len(NAMES), shape=[1, len(NAMES)])]}, "FP64", id="a-truth-as-number"),
        pytest.param({"inputs": [{"name": "x", "shape": [1, len(NAMES)], "datatype": "FP64"}]}, "no data", id="no-data"),
        pytest.param({"inputs": [{"name": "x", "shape": [1, 22], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]}, "binary", id="binary-input"),
        pytest.param({"inputs": one_each(1), "outputs": [{"name": "predict", "parameters": {"binary_data": True}}]}, "binary", id="binary-output"),
        pytest.param({"inputs": one_each(1), "parameters": {"binary_data_output": True}}, "binary", id="binary-outputs"),
        pytest.param({"inputs": one_each(1), "outputs": [{"name": "probability"}]}, "probability", id="an-unknown-output"),
    ],
)
async def test_what_cannot_be_answered_is_400_with_an_error(client: httpx.AsyncClient, body: Any, words: str) -> None:
    sent = {"content": body, "headers": {"content-type": "application/json"}} if isinstance(body, bytes) else {"json": body}
    assert words in said(await client.post(f"{MODEL}/infer", **sent), "error", 400)["error"]


@pytest_anyio
@pytest.mark.parametrize("headers", [{"inference-header-content-length": "20"}, {"content-type": "application/octet-stream"}])
async def test_the_binary_extension_is_refused_by_its_headers(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    said(await client.post(f"{MODEL}/infer", content=b"{}", headers=headers), "error", 415)


@pytest_anyio
@pytest.mark.parametrize("model", ["nobody", f"{SPEC.name}/versions/2", f"{SPEC.name}/versions/01", f"{SPEC.name}/versions/x"])
async def test_what_does_not_serve_is_404(client: httpx.AsyncClient, model: str) -> None:
    for path in (f"/v2/models/{model}", f"/v2/models/{model}/ready"):
        said(await client.get(path), "error", 404)
    said(await client.post(f"/v2/models/{model}/infer", json={"inputs": one_each(1)}), "error", 404)


@pytest_anyio
async def test_after_a_promotion_the_old_version_is_404_and_the_new_one_answers(running: Bench, client: httpx.AsyncClient) -> None:
    await running.deployed(2)
    assert "version 2 does" in said(await client.post(f"{MODEL}/versions/1/infer", json={"inputs": one_each(1)}), "error", 404)["error"]
    assert said(await client.post(f"{MODEL}/versions/2/infer", json={"inputs": one_each(1)}), "response")["outputs"][0]["data"] == [2.0]


@pytest_anyio
async def test_without_a_champion_the_model_is_not_ready(bench: Bench) -> None:
    async with bench.client() as client:
        said(await client.get(MODEL), "error", 503)
        assert said(await client.get(f"{MODEL}/ready"), "model_ready", 503)["ready"] is False
        answer = await client.post(f"{MODEL}/infer", json={"inputs": one_each(1)})
        said(answer, "error", 503)
        assert answer.headers["retry-after"] == "5"


VALUES = st.lists(st.tuples(*[st.none() | st.floats(-1e9, 1e9)] * 3), min_size=1, max_size=6)


@given(rows=VALUES, order=st.permutations(["a", "b", "c"]), flat=st.booleans(), kind=st.sampled_from(["FP64", "FP32", "FP16"]))
def test_both_forms_flat_or_nested_say_the_same_matrix(rows: list[tuple[float | None, ...]], order: list[str], flat: bool, kind: str) -> None:
    import msgspec

    with np.errstate(over="ignore"):
        expected = np.array(rows, dtype={"FP64": "float64", "FP32": "float32", "FP16": "float16"}[kind]).astype("float64")
    columns = [list(column) for column in zip(*rows, strict=True)]
    each = [{"name": name, "shape": [len(rows)], "datatype": kind, "data": columns["abc".index(name)]} for name in order]
    if not flat:
        each = [{**one, "shape": [len(rows), 1], "data": [[value] for value in one["data"]]} for one in each]
    whole = {"name": "any", "shape": [len(rows), 3], "datatype": kind, "data": [value for row in rows for value in row] if flat else rows}
    for inputs in (each, [whole]):
        np.testing.assert_array_equal(READER.read(msgspec.json.encode({"inputs": inputs})).matrix, expected)


@given(values=st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), min_size=3, max_size=3))
def test_integers_are_taken_as_they_are(values: list[int | None]) -> None:
    import msgspec

    body = msgspec.json.encode({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "INT32", "data": values}]})
    np.testing.assert_array_equal(READER.read(body).matrix, np.array([values], dtype="float64"))
