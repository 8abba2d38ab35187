"""Versions in their compiled form on this disk, beside the signed folder they were made from: `<model>/<version>.compiled`.

Guarantee: what is read was written by this home (HMAC-SHA256 with the training job's key) from the very files whose manifest lies in the
folder, and it holds arrays and JSON only: a forest's, or those the model's own form is made of. Failure: a cut or foreign file, an older
format, another manifest under the same number. Remedy: it counts as absent and is made again."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evergreen.adapters import artifacts
from evergreen.adapters.forest import Forest
from evergreen.core.errors import NotCompilable
from evergreen.ports.model import ArrayForm
from evergreen.ports.registry import CompiledVersion, GoldenRows

Content = TypeVar("Content")
FORMAT = 1
_SIGNATURE = 64
_MAX_BYTES = 128 * 2**20


def compiled_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.compiled")


def source_hash(folder: Path) -> str:
    return hashlib.sha256((folder / artifacts.MANIFEST).read_bytes()).hexdigest()


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Among all processes of this disk: the second finds what the first made. The kernel drops the lock of a process that dies."""
    descriptor = os.open(folder.with_name(f".{folder.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def pack(forest: Forest) -> bytes:
    """Arrays and a JSON head, as numpy's archive without pickles."""
    said = {"columns": forest.columns, "heads": forest.heads, "links": forest.links}
    body = io.BytesIO()
    np.savez(
        body,
        head=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
        thresholds=np.concatenate([np.empty(0), *forest.thresholds]),
        counts=np.array([len(values) for values in forest.thresholds]),
        masks=forest.masks,
        leaves=forest.leaves,
        starts=forest.starts,
        base=forest.base,
    )
    return body.getvalue()


def unpack(body: bytes) -> Forest:
    """Raises ValueError, KeyError, EOFError or BadZipFile for what `pack` did not write."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        said = json.loads(arrays["head"].tobytes())
        ends = np.cumsum(arrays["counts"])[:-1]
        return Forest(
            columns=tuple(said["columns"]),
            heads=tuple(said["heads"]),
            links=tuple(said["links"]),
            thresholds=tuple(np.split(arrays["thresholds"], ends)),
            masks=arrays["masks"],
            leaves=arrays["leaves"],
            starts=arrays["starts"],
            base=arrays["base"],
        )


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Of a form that is no forest."""
    body = io.BytesIO()
    np.savez(body, **arrays)  # type: ignore[arg-type]  # its own keyword is no name of an array
    return body.getvalue()


def unpack_arrays(body: bytes) -> dict[str, NDArray[Any]]:
    """Raises as `unpack`."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        return dict(arrays)


def write(folder: Path, key: bytes, *, body: bytes = b"", not_compilable: str = "") -> None:
    """In one step: a reader finds all or nothing. `not_compilable`: why there is no form, so that nobody tries again."""
    head = json.dumps({"format": FORMAT, "source": source_hash(folder), "not_compilable": not_compilable}).encode() + b"\n"
    signed = hmac.new(key, head + body, hashlib.sha256).hexdigest().encode() + head + body
    with tempfile.NamedTemporaryFile(dir=folder.parent, prefix=f".{folder.name}-", delete=False) as file:
        file.write(signed)
    Path(file.name).rename(compiled_file(folder))


def read(folder: Path, key: bytes, unpacked: Callable[[bytes], Content]) -> Content | None:
    """None: to be made. Raises NotCompilable when that was tried."""
    try:
        with compiled_file(folder).open("rb") as file:
            signed = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    signature, content = signed[:_SIGNATURE], signed[_SIGNATURE:]
    if len(signed) > _MAX_BYTES or not hmac.compare_digest(hmac.new(key, content, hashlib.sha256).hexdigest().encode(), signature):
        return None
    head, _, body = content.partition(b"\n")
    said: Mapping[str, Any] = json.loads(head)
    if said["format"] != FORMAT or said["source"] != source_hash(folder):
        return None
    if said["not_compilable"]:
        raise NotCompilable(said["not_compilable"])
    try:
        return unpacked(body)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):  # signed, but by another release
        return None


def read_version(folder: Path, key: bytes, form: ArrayForm | None) -> CompiledVersion | None:
    """As `read`, joined with what the folder says of itself."""
    if form is None:
        forest = read(folder, key, unpack)
        return None if forest is None else version_of(forest, *artifacts.read_described(folder, key))
    arrays = read(folder, key, unpack_arrays)
    return None if arrays is None else version_by(form, arrays, *artifacts.read_described(folder, key))


def version_of(forest: Forest, card: Mapping[str, Any], golden: GoldenRows | None) -> CompiledVersion:
    primary = forest.only("primary")
    return CompiledVersion(forest, lambda matrix: primary.many(matrix)["primary"], card, golden)


def version_by(form: ArrayForm, arrays: Mapping[str, NDArray[Any]], card: Mapping[str, Any], golden: GoldenRows | None) -> CompiledVersion:
    heads = form.heads(arrays, card)
    return CompiledVersion(heads, lambda matrix: heads.many(matrix)["primary"], card, golden)
