"""MLflow's scoring protocol (`mlflow models serve`, 3.17): bodies of `/invocations` as matrices, predictions and refusals as bodies.

Guarantee: for a model whose signature asks for every feature as a double, the same bodies are answered and the same refused, with the same
status and error code, as MLflow does; where we differ on purpose stands in docs/guides/scoring.md. The ordinary bodies are decoded straight
into typed lists; whatever does not fit these types is read the long way (`mlflow_forms`), which decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from serving.protocols.frames import Frames, Mismatched, Unusable
from serving.protocols.mlflow_csv import read_csv
from serving.protocols.mlflow_forms import Forms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.protocols.frames import Matrix

VERSION = "3.17.2"
"""Of the MLflow whose protocol this is; `/version` says so."""
_JSON, _CSV = "application/json", "text/csv"


@dataclass(frozen=True)
class Fault:
    """As MLflow tells its exceptions."""

    code: str
    status: int
    sqlstate: str
    error_class: str


BAD_REQUEST = Fault("BAD_REQUEST", 400, "KAM00", "INVALID_PARAMETER_VALUE")
SCHEMA = Fault("INVALID_PARAMETER_VALUE", 400, "KAM01", "SCHEMA_ENFORCEMENT_FAILED")
NO_MODEL = Fault("RESOURCE_DOES_NOT_EXIST", 404, "KAM00", "RESOURCE_NOT_FOUND")
NOT_NOW = Fault("TEMPORARILY_UNAVAILABLE", 503, "XXM00", "CLIENT_INTERNAL_ERROR")


class UnsupportedType(Exception):
    """415, told in plain text."""


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[str]
    data: list[list[float | None]]


class _Ordinary(msgspec.Struct, forbid_unknown_fields=True):
    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, float | None]] | None = None
    instances: list[dict[str, float | None]] | None = None
    inputs: dict[str, list[float | None]] | None = None


_ordinary = msgspec.json.Decoder(_Ordinary).decode
_encode = msgspec.json.Encoder().encode


class MlflowReader:
    """Of one model's requests."""

    def __init__(self, names: Sequence[str], codes: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._frames = Frames(names, codes)
        self._forms = Forms(self._frames)

    def read(self, body: bytes, content_type: str | None) -> Matrix:
        """Raises Unusable, UnsupportedType."""
        if content_type != _JSON and media_type(content_type) == _CSV:
            return read_csv(body, self._frames)
        try:
            asked = _ordinary(body)
        except (msgspec.DecodeError, RecursionError):
            return self._forms.read(body)
        rows = self._rows(asked)
        return self._forms.read(body) if rows is None else self._frames.of_rows(*rows)

    def _rows(self, asked: _Ordinary) -> tuple[Sequence[str], Sequence[Sequence[float | None]]] | None:
        """Columns and rows, or None when there is more to it."""
        split, frames = asked.dataframe_split, self._frames
        if [split, asked.dataframe_records, asked.instances, asked.inputs].count(None) != 3:
            return None
        if split is not None:
            return (split.columns, split.data) if set(map(len, split.data)) == {len(split.columns)} else None
        if asked.inputs is not None:
            whole = asked.inputs.keys() == frames.known and len(set(map(len, asked.inputs.values()))) == 1
            return (frames.columns, list(zip(*[asked.inputs[name] for name in frames.columns], strict=True))) if whole else None
        records = asked.instances if asked.instances is not None else asked.dataframe_records
        if not records or any(record.keys() != frames.known for record in records):
            return None
        return frames.columns, [[record[name] for name in frames.columns] for record in records]


def media_type(content_type: str | None) -> str:
    """Raises UnsupportedType. Letter by letter, as MLflow compares it."""
    kind, *parameters = [part.strip() for part in (content_type or "").split(";")]
    given = dict(part.partition("=")[::2] for part in parameters)
    if given.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedType("Only UTF-8 is understood.")
    if set(given) - {"charset"}:
        raise UnsupportedType("The content type may have no parameter but charset=utf-8.")
    if kind not in (_JSON, _CSV):
        raise UnsupportedType(f"The content type must be {_JSON} or {_CSV}.")
    return kind


def predictions_body(predictions: NDArray[np.float64]) -> bytes:
    values = predictions.tolist()
    encoded = _encode(values)
    if b"n" in encoded:  # null: not finite, which msgspec has no word for and MLflow says as Python does
        encoded = json.dumps(values).encode()
    return b'{"predictions": %b}' % encoded


def fault_body(fault: Fault, message: str) -> bytes:
    return _encode({"error_code": fault.code, "message": message, "sqlstate": fault.sqlstate, "error_class": fault.error_class})


def fault_of(error: Unusable) -> Fault:
    return SCHEMA if isinstance(error, Mismatched) else BAD_REQUEST


def example(names: Sequence[str]) -> Mapping[str, object]:
    """A body, for the documentation."""
    return {"dataframe_split": {"columns": list(names), "data": [[1.0] * len(names)]}}
