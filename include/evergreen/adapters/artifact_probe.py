"""Load and compile a version in a child process with bounded memory, time and files before this process uses it: what would hang, eat the
memory or crash the interpreter costs a child, and scikit-learn with all it brings along stays there."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen.adapters import artifacts
from evergreen.core.errors import ArtifactRefused
from evergreen.environment import child_environment
from evergreen.ports.model import ModelSpec

MEMORY_BYTES = 4 * 2**30
"""Of address space: scikit-learn's libraries alone reserve one."""
CPU_SECONDS = 60
WALL_SECONDS = 120.0
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True)
class Probed:
    figures: Mapping[str, float]
    """`seconds` to load, `peak_mb`; where a compiled form was made its `parity`: the largest difference to the pipeline, also of one too wrong to keep."""
    compiled: bytes
    """Packed; empty when it has no compiled form."""
    not_compilable: str


def probe_in_child(folder: Path, spec: ModelSpec, key: bytes, *, identity: str) -> Probed:
    """Raises ArtifactRefused with the child's reason."""
    asked = {"folder": str(folder), "types": sorted(spec.trusted_types), "key": key.hex(), "identity": identity}
    told = json.dumps(asked | {"columns": list(spec.columns or spec.feature_names)}).encode()
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__], input=told, capture_output=True, timeout=WALL_SECONDS, check=False, env=child_environment(folder)
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactRefused(f"{identity} did not load within {WALL_SECONDS:.0f} s") from error
    try:
        head = _LENGTH.size + _LENGTH.unpack(child.stdout[: _LENGTH.size])[0]
        answer: Mapping[str, Any] = json.loads(child.stdout[_LENGTH.size : head])
    except (ValueError, struct.error) as error:
        raise ArtifactRefused(f"the process that loaded {identity} died with status {child.returncode}") from error
    if "refused" in answer:
        raise ArtifactRefused(str(answer["refused"]))
    return Probed({name: float(value) for name, value in answer["figures"].items()}, child.stdout[head:], str(answer["not_compilable"]))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _probe(asked: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    begun = time.monotonic()
    folder, key = Path(asked["folder"]), bytes.fromhex(asked["key"])
    estimators, _ = artifacts.load_verified(folder, asked["types"], key, identity=asked["identity"])
    figures = {"seconds": time.monotonic() - begun}
    body, reason = _compile(estimators, asked["columns"], artifacts.read_golden(folder, key), figures)
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"figures": figures, "not_compilable": reason}, body


def _compile(estimators: Mapping[str, Any], columns: Sequence[str], golden: Any, figures: dict[str, float]) -> tuple[bytes, str]:
    from evergreen.adapters.compiled import pack
    from evergreen.adapters.forest_build import checked_forest
    from evergreen.core.errors import NotCompilable, NotExact

    try:
        forest, figures["parity"] = checked_forest(estimators, columns, golden)
    except NotExact as error:
        figures["parity"] = error.difference
        return b"", str(error)
    except NotCompilable as error:
        return b"", str(error)
    return pack(forest), ""


def main() -> None:
    asked = json.load(sys.stdin)
    _limit()
    body = b""
    try:
        answer, body = _probe(asked)
    except (ArtifactRefused, MemoryError) as error:
        answer = {"refused": str(error) or "out of memory"}
    head = json.dumps(answer).encode()
    sys.stdout.buffer.write(_LENGTH.pack(len(head)) + head + body)


if __name__ == "__main__":
    main()
