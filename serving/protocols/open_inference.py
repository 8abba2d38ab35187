"""Open Inference Protocol v2 over JSON (KServe, Triton, MLServer): tensors in, tensors out.

A model's inputs are its features, one tensor each ([n] or [n, 1], in any order), or all of them in one tensor [n, features]. null is a value
that is not known. Its output is `predict`, FP64, shaped [n, 1] as MLServer shapes what scikit-learn answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from serving.protocols.frames import Frames, Mismatched, Unreadable, listed
from serving.protocols.tensors import FLOATS, TEXTS, Tensor, values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.protocols.frames import Matrix

OUTPUT = "predict"
PLATFORM = "sklearn"
SERVER = "evergreen"
BINARY = ("binary_data_size", "binary_data", "binary_data_output")


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_request = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Asked:
    matrix: Matrix
    id: str | None


class InferenceReader:
    """Of one model's requests."""

    def __init__(self, names: Sequence[str], codes: Mapping[str, Mapping[str, float]] | None = None, entity: str | None = None) -> None:
        """`entity`: a tensor of this name says whom the rows are of; the model is not asked with it."""
        self._frames = Frames(names, codes)
        self._entity = entity

    def read(self, body: bytes) -> Asked:
        """Raises Unusable."""
        try:
            request = _request(body)
        except msgspec.ValidationError as error:
            raise Unreadable(f"the body is not an inference request: {_where(error)}") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable("the body is not JSON; NaN is written null") from error
        _refuse_binary(request)
        _known_outputs(request.outputs or ())
        return Asked(self._matrix(request.inputs), request.id)

    def _matrix(self, inputs: Sequence[Tensor]) -> Matrix:
        frames = self._frames
        if len(inputs) > 1:
            inputs = [tensor for tensor in inputs if tensor.name != self._entity]
        if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].shape[1] == frames.width > 1:
            return self._whole(inputs[0])
        if not inputs:
            raise Unreadable("inputs must hold at least one tensor")
        columns = {tensor.name: tensor for tensor in inputs}
        if len(columns) != len(inputs):
            raise Unreadable("a tensor is given twice")
        if unknown := [name for name in columns if name not in frames.known]:
            raise Mismatched(f"the model has no inputs {listed(unknown)}; see its metadata, or send one tensor [n, {frames.width}]")
        if missing := [name for name in frames.names if name not in columns]:
            raise Mismatched(f"missing inputs: {listed(missing)}; what is not known is sent as null")
        _same_rows(inputs)
        return frames.of_rows(frames.columns, list(zip(*[self._values(columns[name]) for name in frames.columns], strict=True)))

    def _whole(self, tensor: Tensor) -> Matrix:
        rows, width = tensor.shape
        values = self._values(tensor)
        return self._frames.of_rows(self._frames.columns, [values[at : at + width] for at in range(0, rows * width, width)])

    def _values(self, tensor: Tensor) -> Sequence[float | None]:
        if tensor.datatype == TEXTS and tensor.name not in self._frames.codes:
            raise Unreadable(f"input {tensor.name!r} is a number: its datatype cannot be {TEXTS}")
        values = values_of(tensor)
        if tensor.datatype in ("FP32", "FP16"):  # what the datatype can say: neither more nor less
            rounded = self._frames.rounded(self._frames.numbers(values), FLOATS[tensor.datatype])
            return rounded.tolist()  # type: ignore[no-any-return]
        return values


def _same_rows(inputs: Sequence[Tensor]) -> None:
    for tensor in inputs:
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
            raise Mismatched(f"input {tensor.name!r} must have shape [n] or [n, 1]")
    if len({tensor.shape[0] for tensor in inputs}) != 1:
        raise Unreadable("the inputs have different numbers of rows")


def _refuse_binary(request: _Request) -> None:
    for parameters in (request.parameters, *(tensor.parameters for tensor in request.inputs), *(output.parameters for output in request.outputs or ())):
        if parameters and any(parameters.get(name) for name in BINARY):
            raise Unreadable("the binary tensor extension is not spoken here: send and ask for JSON data")


def _known_outputs(outputs: Sequence[_Output]) -> None:
    if unknown := [output.name for output in outputs if output.name != OUTPUT]:
        raise Mismatched(f"the model has no outputs {listed(unknown)}, only {OUTPUT!r}")


def _where(error: msgspec.ValidationError) -> str:
    """The place that is wrong, without what else msgspec says."""
    _, found, place = str(error).partition(" - at `$.")
    return f"see {place.rstrip('`')[:80]}" if found else "it must be an object with `inputs`"


def answer_body(model: str, version: int, predictions: NDArray[np.float64], asked_id: str | None) -> bytes:
    said = b"" if asked_id is None else b'"id":%b,' % _encode(asked_id)
    head = _encode({"name": OUTPUT, "shape": [len(predictions), 1], "datatype": "FP64"})[:-1]
    return b'{"model_name":%b,"model_version":"%d",%b"outputs":[%b,"data":%b}]}' % (_encode(model), version, said, head, _encode(predictions.tolist()))


def metadata(model: str, version: int, names: Sequence[str], texts: Collection[str] = ()) -> Mapping[str, Any]:
    """`texts`: the inputs that are asked for as texts."""
    tensors = [{"name": name, "datatype": TEXTS if name in texts else "FP64", "shape": [-1, 1]} for name in names]
    output = {"name": OUTPUT, "datatype": "FP64", "shape": [-1, 1]}
    return {"name": model, "versions": [str(version)], "platform": PLATFORM, "inputs": tensors, "outputs": [output]}
