"""A tensor of the Open Inference Protocol: its values as a flat list, if they are what its shape and datatype say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import msgspec

from serving.protocols.frames import Unreadable

FLOATS: Mapping[str, str] = {"FP64": "float64", "FP32": "float32", "FP16": "float16"}
INTEGERS: Mapping[str, tuple[int, int]] = {
    f"{sign}INT{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for sign in ("", "U") for bits in (8, 16, 32, 64)
}
TEXTS = "BYTES"
_MAX_DIMENSIONS = 4


class Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


def values_of(tensor: Tensor) -> Sequence[float | None]:
    """Flat, in row-major order. Raises Unreadable."""
    if tensor.data is msgspec.UNSET:
        raise Unreadable(f"input {tensor.name!r} has no data")
    if len(tensor.shape) > _MAX_DIMENSIONS or any(size < 0 for size in tensor.shape):
        raise Unreadable(f"input {tensor.name!r} has an impossible shape")
    values = tensor.data
    if list in set(map(type, values)):
        values = list(_flat(values, tensor.shape, tensor.name))
    if len(values) != prod(tensor.shape):
        raise Unreadable(f"input {tensor.name!r} has {len(values)} values; its shape has {prod(tensor.shape)}")
    _check(tensor, values)
    return values


def _flat(values: Sequence[Any], shape: Sequence[int], name: str) -> Iterator[Any]:
    if not shape or len(values) != shape[0]:
        raise Unreadable(f"the nested data of input {name!r} do not have its shape")
    if len(shape) == 1:
        yield from values
        return
    for value in values:
        if not isinstance(value, list):
            raise Unreadable(f"the nested data of input {name!r} do not have its shape")
        yield from _flat(value, shape[1:], name)


def _check(tensor: Tensor, values: Sequence[Any]) -> None:
    kinds = set(map(type, values)) - {type(None)}
    if tensor.datatype in FLOATS:
        fits = kinds <= {int, float}
    elif tensor.datatype in INTEGERS:
        low, high = INTEGERS[tensor.datatype]
        fits = kinds <= {int} and all(value is None or low <= value <= high for value in values)
    elif tensor.datatype == "BOOL":
        fits = kinds <= {bool}
    elif tensor.datatype == TEXTS:
        fits = kinds <= {str}
    else:
        spoken = "FP64, FP32, FP16, INT*, UINT*, BOOL, and BYTES for texts"
        raise Unreadable(f"datatype {tensor.datatype[:20]!r} of input {tensor.name!r} is not spoken here: {spoken}")
    if not fits:
        raise Unreadable(f"a value of input {tensor.name!r} is no {tensor.datatype}")
