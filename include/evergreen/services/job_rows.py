"""Predictions of a chunk: its matrix as it is, or a matrix made of its requests as single predictions would make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from evergreen.core.jobs import RowFault, fault
from evergreen.ports.jobs import Chunk, Scorer, StoredLookup
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import StoredFeatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = structlog.get_logger(__name__)


def scored(chunk: Chunk, spec: ModelSpec, scorer: Scorer, stored: StoredLookup) -> NDArray[np.float64]:
    """(rows,), NaN where a row has a fault; faults found here are added to the chunk's. Raises Unavailable (stored features)."""
    import numpy as np

    if chunk.matrix is None:
        requests = _related(_with_stored(chunk, spec, stored), spec, stored)
        chunk.matrix = _matrix(requests, spec, chunk.faults)
    try:
        return np.asarray(scorer.score(chunk.matrix), dtype=np.float64)
    except Exception as error:  # noqa: BLE001 - a model's code is not ours: the rows it can answer are answered
        log.warning("chunk_broke", rows=chunk.rows, error=type(error).__name__)
    return np.array([_alone(row, at, scorer, chunk.faults) for at, row in enumerate(chunk.matrix)])


def _alone(row: Any, at: int, scorer: Scorer, faults: dict[int, str]) -> float:
    try:
        return float(scorer.score(row.reshape(1, -1))[0])
    except Exception:  # noqa: BLE001 - as above
        faults.setdefault(at, fault(RowFault.MODEL, "the model failed on this row"))
        return float("nan")


def _with_stored(chunk: Chunk, spec: ModelSpec, stored: StoredLookup) -> list[Mapping[str, Any]]:
    """A row that is an id and nothing else stands for what is stored of it."""
    requests = [*(chunk.requests or ())]
    ids: Sequence[str | None] = chunk.ids.to_pylist() if chunk.ids is not None else [None] * chunk.rows
    bare = {at: name for at, (request, name) in enumerate(zip(requests, ids, strict=True)) if not request and name and at not in chunk.faults}
    if not bare:
        return requests
    found = _looked_up(stored, spec, bare.values())
    for at, name in bare.items():
        if name in found:
            requests[at] = found[name].features
        else:
            chunk.faults[at] = fault(RowFault.UNKNOWN, "no features are given and nothing is stored of it")
    return requests


def _related(requests: list[Mapping[str, Any]], spec: ModelSpec, stored: StoredLookup) -> list[Mapping[str, Any]]:
    if spec.related is None:
        return requests
    wanted = {at: related for at, request in enumerate(requests) if (related := spec.related(request)) is not None}
    found = _looked_up(stored, spec, (related.entity for related in wanted.values()))
    for at, related in wanted.items():
        known = found.get(related.entity)
        requests[at] = {**(related.unknown if known is None else known.features), **requests[at]}
    return requests


def _looked_up(stored: StoredLookup, spec: ModelSpec, names: Any) -> Mapping[str, StoredFeatures]:
    different = [name for name in dict.fromkeys(names) if "\x00" not in name]  # no text of Postgres, so nothing it has
    return stored.get_many(spec.name, different) if different else {}


def _matrix(requests: Sequence[Mapping[str, Any]], spec: ModelSpec, faults: Mapping[int, str]) -> NDArray[np.float64]:
    import numpy as np

    columns = {name: at for at, name in enumerate(spec.feature_names)}
    matrix = np.full((len(requests), len(columns)), np.nan)
    for at, request in enumerate(requests):
        if at in faults:
            continue
        row = request if spec.request_row is None else spec.request_row(request)
        for name, value in row.items():
            if name in columns and isinstance(value, int | float):
                matrix[at, columns[name]] = value
    return matrix
