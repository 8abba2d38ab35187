"""The scoring protocols as OpenAPI: what is certain to be answered is described exactly, the protocols' further liberties in the guide."""

from __future__ import annotations

from typing import Any

from evergreen.contracts.api import Problem
from serving.dependencies import Serving
from serving.hot import HotRoute
from serving.protocols.mlflow_forms import CHAT
from serving.protocols.open_inference import BINARY, OUTPUT
from serving.protocols.tensors import FLOATS

Schema = dict[str, Any]
_VALUE: Schema = {"type": ["number", "null"], "minimum": -1e300, "maximum": 1e300, "description": "null: not known"}
_TEXT: Schema = {"type": "string"}
_EDGE: dict[int | str, Any] = {
    413: {"model": Problem, "description": "The body is larger than 1 MiB"},
    500: {"model": Problem, "description": "Something broke here"},
}


def object_of(properties: Schema, *optional: str, open_: bool = False) -> Schema:
    return {"type": "object", "properties": properties, "required": [name for name in properties if name not in optional], "additionalProperties": open_}


def invocations_doc(serving: Serving, template: str) -> dict[str, Any]:
    fault = object_of({"error_code": _TEXT, "message": _TEXT, "sqlstate": _TEXT, "error_class": _TEXT})
    answer = object_of({"predictions": {"type": "array", "items": {"type": "number"}}})
    return {
        "summary": "Predictions, as `mlflow models serve` answers",
        "responses": {
            200: _said("One prediction per row", answer, headers=_version_header()),
            400: _said("The body cannot be read, or is for another model (`error_code` says which)", fault),
            404: _said("There is no such model", fault),
            415: {"description": "Neither JSON nor CSV, or not UTF-8", "content": {"text/plain": {"schema": _TEXT}}},
            503: _said("No version of the model serves", fault),
            **_EDGE,
        },
        "openapi_extra": {"parameters": _parameters(serving, template), "requestBody": {"required": True, "content": _invocations_body(serving)}},
    }


def _invocations_body(serving: Serving) -> Schema:
    names = serving.specs[serving.video_model].feature_names
    row = {"type": "array", "items": _VALUE, "minItems": len(names), "maxItems": len(names)}
    named: Schema = {"propertyNames": {"enum": list(names)}, "minProperties": len(names), "maxProperties": len(names)}
    record = {"type": "object", **named, "additionalProperties": _VALUE}
    split = object_of({"columns": {"const": list(names), "description": "In any order"}, "data": {"type": "array", "items": row, "minItems": 1}})
    records = {"type": "array", "items": record, "minItems": 1}
    forms: Schema = {"dataframe_split": split, "dataframe_records": records, "instances": records, "inputs": record}
    params = {"description": "Taken and not used: the model has none"}
    never = dict.fromkeys((*forms, *CHAT), False)
    body = {"oneOf": [object_of({**never, name: form, "params": params}, *forms.keys() - {name}, *CHAT, "params", open_=True) for name, form in forms.items()]}
    lines = rf"^{','.join(names)}(\n[0-9]{{1,9}}(,[0-9]{{1,9}}){{{len(names) - 1}}}){{1,50}}$"
    return {"application/json": {"schema": body}, "text/csv": {"schema": {"type": "string", "pattern": lines}}}


def plain_doc() -> dict[str, Any]:
    return {"responses": {200: {"description": "As `mlflow models serve` answers", "content": {"application/json": {}}}, 500: _EDGE[500]}}


def inference_doc(serving: Serving, route: HotRoute) -> dict[str, Any]:
    error = object_of({"error": _TEXT})
    refusals: dict[int | str, Any] = {}
    if "{model}" in route.template:
        refusals = {404: _said("There is no such model, or this version does not serve", error), 503: _said("No version of the model serves", error)}
    if route.template.endswith("/ready"):
        refusals[503] = _said("Not ready", _answer_of(route.template))
    extra: Schema = {"parameters": _parameters(serving, route.template)}
    if route.method == "POST":
        refusals |= {400: _said("The request cannot be answered", error), 415: _said("Not JSON", error), 413: _EDGE[413]}
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request(serving)}}}
    headers = _version_header() if route.method == "POST" else {}
    answers: dict[int | str, Any] = {200: _said("As the protocol says", _answer_of(route.template), headers=headers), 500: _EDGE[500]}
    return {"responses": answers | refusals, "openapi_extra": extra}


def _answer_of(template: str) -> Schema:
    tensor = object_of({"name": _TEXT, "datatype": _TEXT, "shape": {"type": "array", "items": {"type": "integer"}}})
    if template.endswith("/infer"):
        data = {"type": "array", "items": {"type": ["number", "null"]}}
        output = object_of({**tensor["properties"], "data": data})
        return object_of({"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": {"type": "array", "items": output}}, "id")
    ready = {"type": "boolean"}
    by_path = {
        "/v2/health/live": object_of({"live": ready}),
        "/v2/health/ready": object_of({"live": ready, "ready": ready}),
        "/v2": object_of({"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}),
    }
    if template in by_path:
        return by_path[template]
    if template.endswith("/ready"):
        return object_of({"name": _TEXT, "ready": ready})
    tensors = {"type": "array", "items": tensor}
    return object_of({"name": _TEXT, "versions": {"type": "array", "items": _TEXT}, "platform": _TEXT, "inputs": tensors, "outputs": tensors})


def _request(serving: Serving) -> Schema:
    """One row in one tensor; what else may be sent has no simple schema."""
    width = len(serving.specs[serving.video_model].feature_names)
    parameters = {"type": ["object", "null"], "description": "Taken and not used", "properties": dict.fromkeys(BINARY, False)}
    data = {"type": "array", "items": _VALUE, "minItems": width, "maxItems": width, "description": "As many values as the shape says, flat or nested"}
    shape = {"const": [1, width], "description": "[rows, features] in the order of the model's metadata; or a tensor [rows] per feature, by name"}
    tensor = {"name": _TEXT, "shape": shape, "datatype": {"enum": sorted(FLOATS), "description": "Also INT*, UINT*, BOOL"}, "data": data}
    inputs = {"type": "array", "items": object_of({**tensor, "parameters": parameters}, "parameters", open_=True), "minItems": 1, "maxItems": 1}
    outputs = {"type": ["array", "null"], "items": object_of({"name": {"const": OUTPUT}, "parameters": parameters}, "parameters", open_=True)}
    return object_of(
        {"id": {"type": ["string", "null"]}, "parameters": parameters, "inputs": inputs, "outputs": outputs}, "id", "parameters", "outputs", open_=True
    )


def _parameters(serving: Serving, template: str) -> list[Schema]:
    schemas: Schema = {"model": {"enum": sorted(serving.specs), "type": "string"}, "version": {"type": "string", "examples": ["3"]}}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name, schema in schemas.items() if f"{{{name}}}" in template]


def _version_header() -> Schema:
    return {"x-model-version": {"description": "`name@version` of the model that answered", "schema": _TEXT}}


def _said(description: str, schema: Schema, *, headers: Schema | None = None) -> Schema:
    said: Schema = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**said, "headers": headers} if headers else said
