"""Load a version in a child process with bounded memory, time and files before this process loads it: what would hang, eat the memory or crash
the interpreter costs a child."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from evergreen.adapters import artifacts
from evergreen.core.errors import ArtifactRefused
from evergreen.settings import child_environment

MEMORY_BYTES = 4 * 2**30
"""Of address space: scikit-learn's libraries alone reserve one."""
CPU_SECONDS = 60
WALL_SECONDS = 120.0


def probe_in_child(folder: Path, trusted_types: Collection[str], key: bytes, *, identity: str) -> dict[str, float]:
    """Seconds to load and peak memory. Raises ArtifactRefused with the child's reason."""
    told = json.dumps({"folder": str(folder), "types": sorted(trusted_types), "key": key.hex(), "identity": identity})
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__], input=told, capture_output=True, text=True, timeout=WALL_SECONDS, check=False, env=child_environment(folder)
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactRefused(f"{identity} did not load within {WALL_SECONDS:.0f} s") from error
    try:
        answer: Mapping[str, float | str] = json.loads(child.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise ArtifactRefused(f"the process that loaded {identity} died with status {child.returncode}") from error
    if "refused" in answer:
        raise ArtifactRefused(str(answer["refused"]))
    return {name: float(value) for name, value in answer.items()}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    asked = json.load(sys.stdin)
    _limit()
    begun = time.monotonic()
    try:
        artifacts.load_verified(Path(asked["folder"]), asked["types"], bytes.fromhex(asked["key"]), identity=asked["identity"])
        answer: dict[str, float | str] = {
            "seconds": time.monotonic() - begun,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    except (ArtifactRefused, MemoryError) as error:
        answer = {"refused": str(error) or "out of memory"}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
