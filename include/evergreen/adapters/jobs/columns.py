"""Which columns of a file a model can use, and how their values become numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.core.errors import DataRejected
from evergreen.core.jobs import JobKind, RowFault, fault
from evergreen.ports.model import ModelSpec

MAX_COLUMNS = 2_000
_WORDS = {"true": 1.0, "false": 0.0}
_UNKNOWN = frozenset({"", "null", "NULL", "NA", "N/A", "#N/A", "None"})
"""Texts that mean: not known. (`NaN` is a number that means it.)"""


@dataclass(frozen=True)
class Plan:
    kind: JobKind
    entity: str | None
    """The column of ids, when the file has it."""
    features: tuple[str, ...]
    """Present ones, in the order of the model's."""
    facts: tuple[str, ...]
    """Present ones that are no features."""
    texts: frozenset[str]
    spec: ModelSpec

    @property
    def places(self) -> list[int]:
        return [self.spec.feature_names.index(name) for name in self.features]

    def matrix(self, rows: int) -> Any:
        return np.full((rows, len(self.spec.feature_names)), np.nan)


def plan(names: Sequence[str], spec: ModelSpec, kind: JobKind | None) -> Plan:
    """Raises DataRejected for columns nothing can be predicted from."""
    if len(names) > MAX_COLUMNS:
        raise DataRejected(f"{len(names)} columns, the limit is {MAX_COLUMNS}")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataRejected(f"the file has several columns named {doubled[0]!r}")
    present = set(names)
    entity = spec.entity_column if spec.entity_column in present else None
    features = tuple(name for name in spec.feature_names if name in present)
    facts = tuple(name for name in spec.request_facts if name in present)
    if not features and not facts and (entity is None or kind is JobKind.SCORE):
        raise DataRejected(f"no column is a feature of {spec.name}: it knows {', '.join((*spec.feature_names, *spec.request_facts))}")
    numbers = present <= {*features, entity} and not spec.codes.keys() & present  # a feature callers name by a text is read as a request is
    found = kind or (JobKind.SCORE if features and numbers else JobKind.ROWS)
    return Plan(found, entity, features, facts, frozenset(spec.request_texts), spec)


def number(value: Any) -> float | None:
    """NaN: not known. None: no number."""
    if value is None:
        return float("nan")
    if isinstance(value, str):
        text = value.strip()
        if text in _UNKNOWN:
            return float("nan")
        return _WORDS[text.lower()] if text.lower() in _WORDS else _float(text)
    return float(value) if isinstance(value, bool | int | float) else None


def _float(text: str) -> float | None:
    try:
        return float(text) if len(text) < 400 and "_" not in text else None
    except ValueError:
        return None


def fill(matrix: Any, place: int, name: str, values: Any, faults: dict[int, str]) -> None:
    """A column of any Arrow type into the matrix; values that are no numbers become faults of their rows."""
    try:
        numbers = values if pa.types.is_float64(values.type) else pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        one_by_one(matrix, place, name, values.to_pylist(), faults)
        return
    matrix[:, place] = numbers.to_numpy(zero_copy_only=False) if isinstance(numbers, pa.Array) else numbers.to_numpy()


def one_by_one(matrix: Any, place: int, name: str, values: Iterable[Any], faults: dict[int, str]) -> None:
    for row, value in enumerate(values):
        read = number(value)
        if read is None:
            faults.setdefault(row, fault(RowFault.INVALID_VALUE, f"{name} is not a number"))
        else:
            matrix[row, place] = read


def request_of(texts: Collection[str], names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """One row of a CSV file as a request: what is a number says so, facts that are texts stay texts, what is empty is not known."""
    request: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if value is None or value == "":
            continue
        read = None if name in texts else number(value)
        if read is None:
            request[name] = value
        elif read == read:
            request[name] = read
    return request
