"""Work on artifacts in a child process with bounded memory, time and files: what would hang, eat the memory or crash the interpreter costs a
child. Asked over its standard input, answered over its output; it shares nothing else."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evergreen.core.errors import ArtifactRefused
from evergreen.environment import child_environment

MEMORY_BYTES = 4 * 2**30
"""Of address space: scikit-learn's libraries alone reserve one."""
CPU_SECONDS = 60
WALL_SECONDS = 120.0
_LENGTH = struct.Struct(">Q")
Handler = Callable[[Mapping[str, Any], bytes], tuple[Mapping[str, Any], bytes]]


def ask(module: str, asked: Mapping[str, Any], body: bytes = b"", *, home: Path, what: str) -> tuple[Mapping[str, Any], bytes]:
    """The answer of `module`, run as a program, and the bytes with it. Raises ArtifactRefused with the child's reason."""
    told = _packed(asked, body)
    try:
        child = subprocess.run([sys.executable, "-m", module], input=told, capture_output=True, timeout=WALL_SECONDS, check=False, env=child_environment(home))
    except subprocess.TimeoutExpired as error:
        raise ArtifactRefused(f"{what} did not load within {WALL_SECONDS:.0f} s") from error
    try:
        answer, rest = _unpacked(child.stdout)
    except (ValueError, struct.error) as error:
        raise ArtifactRefused(f"the process that loaded {what} died with status {child.returncode}") from error
    if "refused" in answer:
        raise ArtifactRefused(str(answer["refused"]))
    return answer, rest


def answer(handle: Handler) -> None:
    """The child's main."""
    asked, body = _unpacked(sys.stdin.buffer.read())
    _limit()
    rest = b""
    try:
        said, rest = handle(asked, body)
    except (ArtifactRefused, MemoryError) as error:
        said = {"refused": str(error) or "out of memory"}
    sys.stdout.buffer.write(_packed(said, rest))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _packed(head: Mapping[str, Any], body: bytes) -> bytes:
    said = json.dumps(head).encode()
    return _LENGTH.pack(len(said)) + said + body


def _unpacked(message: bytes) -> tuple[Mapping[str, Any], bytes]:
    end = _LENGTH.size + _LENGTH.unpack(message[: _LENGTH.size])[0]
    head: Mapping[str, Any] = json.loads(message[_LENGTH.size : end])
    return head, message[end:]
