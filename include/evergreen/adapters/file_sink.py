"""A channel that is a file: one JSON line for each notice, for this user only, bounded. What a stack without configured channels shows."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from evergreen.core.clock import wall_now
from evergreen.core.notices import Language, Notice
from evergreen.ports.notifier import NotDelivered

MOST_BYTES = 5 * 1024 * 1024


class FileSink:
    """The file and one older one beside it (`….1`) are kept."""

    def __init__(self, file: Path, language: Language, most_bytes: int = MOST_BYTES) -> None:
        self._file = file
        self._language = language
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def send(self, notice: Notice) -> None:
        facts = {**notice.facts(self._language), "delivered_at": wall_now().isoformat()}
        line = json.dumps(facts, ensure_ascii=False).encode() + b"\n"
        try:
            with self._lock:
                self._make_room(len(line))
                self._append(line)
        except OSError as error:
            raise NotDelivered(f"{self._file.name} cannot be written: {error.strerror}") from None

    def _make_room(self, size: int) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists() and self._file.stat().st_size + size > self._most_bytes:
            self._file.replace(self._file.with_name(f"{self._file.name}.1"))

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
