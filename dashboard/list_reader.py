"""A user's lists as serving pushes them, read beside the view that shows them.

Guarantee: what arrived is there when the view looks, at most KEPT lists of it, and a reader ends by itself once no view has looked for
LEASE_SECONDS (a closed tab tells nobody). Failure: the stream breaks. Remedy: it is opened again behind the last list that came."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from dashboard.api_client import Api, ApiError
from evergreen.core.clock import wall_now

KEPT = 20
LEASE_SECONDS = 20.0
SILENCE_SECONDS = 40.0
"""Serving says something every 15 s."""
AGAIN_SECONDS = 2.0
MOST = 40
"""In this process: each keeps one of its connections to serving."""
State = Literal["connecting", "open", "waiting", "refused", "full", "ended"]
_seats = threading.BoundedSemaphore(MOST)


@dataclass(frozen=True)
class Arrived:
    at: datetime
    """Wall time."""
    said: dict[str, Any]
    """The list, as `GET /recommendations/{user_id}` answers it."""


class ListReader:
    def __init__(self, api: Api, user: str) -> None:
        self.user = user
        self.state: State = "connecting"
        self._api = api
        self._arrived: deque[Arrived] = deque(maxlen=KEPT)
        self._place = ""
        self._ended = threading.Event()
        self._looked = time.monotonic()
        threading.Thread(target=self._run, name="list-reader", daemon=True).start()

    def look(self) -> Sequence[Arrived]:
        """What came until now, newest first. Keeps the reader alive."""
        self._looked = time.monotonic()
        return tuple(reversed(self._arrived.copy()))

    def end(self) -> None:
        """Noticed at the stream's next word."""
        self._ended.set()

    @property
    def wanted(self) -> bool:
        return not self._ended.is_set() and time.monotonic() - self._looked < LEASE_SECONDS

    def _run(self) -> None:
        if not _seats.acquire(blocking=False):
            self.state = "full"
            return
        try:
            while self.wanted and self.state != "refused":
                self._read()
                self._ended.wait(AGAIN_SECONDS)
        finally:
            _seats.release()
            if self.state != "refused":
                self.state = "ended"

    def _read(self) -> None:
        headers = {"Last-Event-ID": self._place} if self._place else {}
        try:
            with self._api.lines(f"/recommendations/{quote(self.user, safe='')}/stream", silence_seconds=SILENCE_SECONDS, headers=headers) as lines:
                self.state = "open"
                self._take(lines)
            self.state = "waiting"
        except ApiError as error:
            self.state = "refused" if error.status in {401, 403, 404, 422} else "waiting"

    def _take(self, lines: Iterator[str]) -> None:
        """Server-sent events: `id:` before `data:`."""
        place = ""
        for line in lines:
            if not self.wanted:
                return
            if line.startswith("id: "):
                place = line[4:]
            elif line.startswith("data: "):
                self._arrived.append(Arrived(wall_now(), json.loads(line[6:])))
                self._place = place
