"""The parts' logs: their last lines, and all of them followed at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

TAIL_BYTES = 64 * 1024
POLL_SECONDS = 0.3


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; none where it is not there."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def last_line(log: Path) -> str:
    return next((line.strip() for line in reversed(tail(log, 20)) if line.strip()), "")


def log_files(folder: Path, services: list[str]) -> list[Path]:
    """The logs of these services (all when none is named); `serving` names all its processes."""
    files = sorted(folder.glob("*.log"))
    return [file for file in files if not services or any(file.stem == name or file.stem.startswith(f"{name}-") for name in services)]


def follow(files: Callable[[], list[Path]], stop: Event) -> Iterator[tuple[str, str]]:
    """New lines as `(service, line)` from now until `stop`; survives rotation and files that come later."""
    read = {file: file.stat().st_size for file in files()}
    while not stop.wait(POLL_SECONDS):
        for file in files():
            position = read.get(file, 0)
            size = file.stat().st_size
            if size < position:  # rotated
                position = 0
            if size == position:
                continue
            with file.open("rb") as opened:
                opened.seek(position)
                chunk = opened.read(TAIL_BYTES)
            whole = chunk[: chunk.rfind(b"\n") + 1]
            read[file] = position + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield file.stem, line
