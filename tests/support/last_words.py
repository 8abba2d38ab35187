"""What the processes of a test's stack logged last, in the report of a test that failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evergreen.settings import Settings

LINES = 25
SOON = 600.0
"""Seconds before the test's end; what fell silent earlier is left out."""


def homes(arguments: dict[str, Any]) -> set[Path]:
    """Of the fixtures a test asked for."""
    return {Path(value.home) for value in arguments.values() if isinstance(value, Settings)}


def last_words(home: Path, now: float) -> Iterator[tuple[str, str]]:
    """Name and end of each log that was written of late."""
    for log in sorted((home / "logs").glob("*.log")):
        if now - log.stat().st_mtime < SOON:
            yield log.name, "\n".join(line[:400] for line in log.read_text(errors="replace").splitlines()[-LINES:])
