"""A candidate's answers while it is tried out: counted, and an error instead of what must not reach a caller.

Guarantee: whatever it does costs no caller his answer: it computes in the pool, never on the event loop, and where it raises or says a number
that is none, CanaryFailed makes the champion answer. Each process counts what it computed itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from evergreen.core.canary import CanaryTally
from evergreen.core.errors import CanaryFailed
from evergreen.ports.lists import Listed
from evergreen.ports.model import Rows
from evergreen.ports.profiles import Ranks
from evergreen.ports.recommending import Ranker
from evergreen.ports.serving import Canary, Champion, LoadedModel, Preparing

_SAID = ("prediction", "prediction_lower", "prediction_upper")


class WatchedAnswers:
    def __init__(self, loaded: LoadedModel, on_fault: Callable[[str, int], None]) -> None:
        self._loaded = loaded
        self._late_seconds = loaded.spec.gates.max_latency_ms / 1000
        self._on_fault = on_fault
        self._lock = threading.Lock()  # threads of the pool answer
        self.tally = CanaryTally()

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        begun = time.perf_counter()
        try:
            said = self._loaded.answering.answer(requests, rows)
            failed = sum(not _is_sound(one) for one in said) + len(requests) - len(said)
        except Exception as error:
            self._count(len(requests), len(requests), begun)
            raise CanaryFailed(f"{self._loaded.name}: {type(error).__name__}") from error
        self._count(len(requests), failed, begun)
        if failed:
            raise CanaryFailed(f"{self._loaded.name}: a number that is none")
        return said

    def _count(self, asked: int, failed: int, begun: float) -> None:
        late = asked if time.perf_counter() - begun > self._late_seconds else 0
        with self._lock:
            self.tally += CanaryTally(asked, failed, late)
        if failed:
            self._on_fault(self._loaded.spec.name, self._loaded.version)


class WatchedLists(WatchedAnswers):
    """Of a version of the recommender: its lists count too."""

    def __init__(self, loaded: LoadedModel, ranks: Ranks, on_fault: Callable[[str, int], None]) -> None:
        super().__init__(loaded, on_fault)
        self._ranks = ranks

    def ranker(self, version: str) -> Ranker:
        return self._ranks.ranker(version)

    def listed(self, make: Callable[[], list[Listed]], *, may_be_empty: bool) -> list[Listed]:
        begun = time.perf_counter()
        try:
            made = make()
        except Exception as error:
            self._count(1, 1, begun)
            raise CanaryFailed(f"{self._loaded.name}: {type(error).__name__}") from error
        sound = bool(made) or may_be_empty
        self._count(1, int(not sound), begun)
        if not sound:
            raise CanaryFailed(f"{self._loaded.name}: an empty list")
        return made


def _watched(loaded: LoadedModel, on_fault: Callable[[str, int], None]) -> WatchedAnswers:
    ranks = loaded.answering
    return WatchedLists(loaded, ranks, on_fault) if isinstance(ranks, Ranks) else WatchedAnswers(loaded, on_fault)


def _is_sound(answer: Mapping[str, Any]) -> bool:
    """What every model says; other heads may have too few labels to say anything."""
    return all(isfinite(answer[name]) for name in _SAID if answer.get(name) is not None) and answer.get("prediction") is not None


class Canaries:
    """Of this process, by deployment: the same object for as long as one lasts, whatever is looked at again meanwhile."""

    def __init__(self, on_fault: Callable[[str, int], None] | None = None) -> None:
        self._on_fault = on_fault or (lambda _model, _version: None)
        self._made: dict[tuple[Preparing, int], tuple[Canary, WatchedAnswers]] = {}

    def of(self, wanted: Preparing, loaded: LoadedModel, epoch: int) -> Canary:
        found = self._made.get((wanted, epoch))
        if found is None:
            watched = _watched(loaded, self._on_fault)
            champion = Champion(replace(loaded, answering=watched, inline=False), epoch)
            found = self._made[wanted, epoch] = Canary(champion, wanted.share, wanted.deployment_id), watched
        return found[0]

    def tally(self, wanted: Preparing) -> CanaryTally | None:
        """None: it does not answer here yet."""
        return next((watched.tally for (one, _), (_, watched) in self._made.items() if one == wanted), None)

    def forget(self, lasting: Sequence[Preparing]) -> None:
        self._made = {key: made for key, made in self._made.items() if key[0] in lasting}
