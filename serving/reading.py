"""Bodies of hot routes. What a route's fast reader is not sure of is read here, as FastAPI would read it: the same rules, the same faults."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from serving.hot import Call, Reply, says_json
from serving.problems import REQUEST, invalid, problem

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], call: Call) -> Model | Reply:
    """The body, or the problem with it."""
    value = call.body if not call.body or not says_json(call.headers.get("content-type")) else _json(call)
    if isinstance(value, Reply):
        return value
    if value is None or value == b"":
        return _invalid(call, [{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        found: Model = _adapter(model).validate_python(value, from_attributes=True)
    except ValidationError as error:
        return _invalid(call, [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)])
    return found


def _invalid(call: Call, faults: Sequence[Mapping[str, Any]]) -> Reply:
    return invalid(faults, path=call.path, request_id=call.request_id)


@lru_cache(maxsize=64)
def _adapter(model: type[BaseModel]) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _json(call: Call) -> Any:
    try:
        return json.loads(call.body)
    except json.JSONDecodeError as error:
        return _invalid(call, [{"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error"}])
    except (ValueError, RecursionError):
        return problem(REQUEST, "the body cannot be read as JSON", path=call.path, request_id=call.request_id)
