"""Applications that never stop asking: some keep their connection, some open a new one each time. What fails is kept, a reset included."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

PACE_SECONDS = 0.004
"""Between two requests of one application: the machine has other work than answering."""


@dataclass
class Load:
    url: str
    body: Callable[[str], Mapping[str, Any]]
    headers: Mapping[str, str] = field(default_factory=dict)
    """A token."""
    answers: list[tuple[float, str]] = field(default_factory=list)
    """(when it was asked, monotonic; which version answered)"""
    failures: list[str] = field(default_factory=list)
    connections: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def versions_since(self, instant: float) -> set[str]:
        return {version for asked, version in list(self.answers) if asked >= instant}

    def keep_alive(self, name: str) -> None:
        with httpx.Client(base_url=self.url, timeout=20, headers=self.headers) as client:
            for at in self._rounds():
                self._ask(client, f"{name}-{at}")

    def afresh(self, name: str) -> None:
        for at in self._rounds():
            with httpx.Client(base_url=self.url, timeout=20, headers={**self.headers, "connection": "close"}) as client:
                self.connections += 1
                self._ask(client, f"{name}-{at}")

    def _rounds(self) -> Iterator[int]:
        at = 0
        while not self.stop.wait(PACE_SECONDS):
            yield at
            at += 1

    def _ask(self, client: httpx.Client, video: str) -> None:
        asked = time.monotonic()
        try:
            answer = client.post("/predict/video", json=dict(self.body(video)))
        except httpx.TransportError as error:
            self.failures.append(f"{video}: {type(error).__name__} {error}")
            return
        if answer.status_code == 200:
            self.answers.append((asked, answer.json()["model_version"]))
        else:
            self.failures.append(f"{video}: {answer.status_code} {answer.text[:200]}")


@contextmanager
def under_load(url: str, body: Callable[[str], Mapping[str, Any]], headers: Mapping[str, str], *, kept: int = 3, fresh: int = 2) -> Iterator[Load]:
    """Ends with the block; a failure of the applications themselves is raised there."""
    load = Load(url, body, headers)
    with ThreadPoolExecutor(kept + fresh) as pool:
        asking: list[Future[None]] = [pool.submit(load.keep_alive, f"kept{number}") for number in range(kept)]
        asking += [pool.submit(load.afresh, f"fresh{number}") for number in range(fresh)]
        try:
            yield load
        finally:
            load.stop.set()
            for one in asking:
                one.result(30)
