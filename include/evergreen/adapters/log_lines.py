"""Warnings and errors of this product's own parts, from the ends of their log files.

Guarantee: what is read and what is given out is bounded, whatever the logs hold: the last bytes of each file, lines of our own form alone,
no traceback. Secrets were taken out when a line was written (`evergreen.observability`); another part's lines, which were not, are passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evergreen.contracts.api_system import LogLine

PARTS = ("intake", "indexer", "recommender", "monitor", "serving", "dashboard")
LEVELS = ("warning", "error", "critical")
_MARKS = tuple(f'"{level}"'.encode() for level in LEVELS)
"""Most lines are info: they are not even parsed."""
BYTES = 512 * 1024
"""Of each file, at its end; of the one before too, where it was just begun anew."""
LONGEST, LONGEST_FIELD = 500, 200
_TOLD = frozenset({"at", "service", "level", "event", "logger", "exception", "stack_info"})


class LogFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kept(self) -> bool:
        return self._folder.is_dir()

    def newest(self, limit: int, *, level: str | None = None, part: str | None = None) -> list[LogLine]:
        """Newest first; `level`: this one alone. Blocks."""
        lines = [line for file in self._files(part) for line in _lines(file) if level in (None, line.level)]
        return sorted(lines, key=lambda line: line.at, reverse=True)[:limit]

    def _files(self, part: str | None) -> Iterator[Path]:
        for file in sorted(self._folder.glob("*.log")):
            name = file.stem.rpartition("-")[0] if file.stem.rpartition("-")[2].isdigit() else file.stem
            if name in PARTS and part in (None, name):
                yield file


def _lines(file: Path) -> Iterator[LogLine]:
    text = _end(file)
    if len(text) < BYTES:
        text = _end(file.with_name(f"{file.name}.1")) + text
    for raw in text.splitlines():
        if raw.startswith(b"{") and any(level in raw for level in _MARKS) and (line := _read(raw)) is not None:
            yield line


def _end(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - BYTES))
            return opened.read(BYTES)
    except OSError:
        return b""


def _read(raw: bytes) -> LogLine | None:
    """None for what is no warning of ours."""
    try:
        said = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("level") not in LEVELS or not all(isinstance(said.get(name), str) for name in ("at", "service", "event")):
        return None
    logger = said.get("logger")
    return LogLine(
        at=said["at"][:40],
        service=said["service"][:64],
        level=said["level"],
        event=said["event"][:LONGEST],
        logger=logger[:64] if isinstance(logger, str) else None,
        detail=_detail(said),
    )


def _detail(said: Mapping[str, Any]) -> str:
    fields = [f"{name}={str(value)[:LONGEST_FIELD]}" for name, value in said.items() if name not in _TOLD and value is not None]
    exception = said.get("exception")
    if isinstance(exception, str) and exception.strip():
        fields.append(exception.strip().splitlines()[-1][:LONGEST_FIELD])
    return ", ".join(fields)[:LONGEST]
