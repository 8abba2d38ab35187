"""The word of a version that does not serve on the same requests: the previous champion's while a new one is in bake, a candidate's while it is
tried. For the log only: nobody waits for it.

Guarantee: however slow it is, it holds up no answer and costs the log no record. Failure: it takes longer than HOLD_UP_SECONDS. Remedy: from
then on it is asked in a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from typing import Any

import structlog

from evergreen.ports.serving import LoadedModel

HOLD_UP_SECONDS = 0.005
"""For one request: above it the event loop is no place for it."""
Asked = Sequence[tuple[LoadedModel | None, Mapping[str, Any]]]
log = structlog.get_logger(__name__)


class Shadows:
    def __init__(self) -> None:
        self._slow: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    async def words(self, asked: Asked) -> list[float | None]:
        """As `shadow_predictions`. A quick one answers sooner on the event loop: a thread that computes makes the loop wait for the interpreter."""
        shadows = {shadow.name: shadow for shadow, _ in asked if shadow is not None}
        if any(name in self._slow or not shadow.inline for name, shadow in shadows.items()):
            return await asyncio.get_running_loop().run_in_executor(self._pool, shadow_predictions, asked)
        begun = time.perf_counter()
        said = shadow_predictions(asked)
        if time.perf_counter() - begun > HOLD_UP_SECONDS * len(asked):
            self._slow |= shadows.keys()
        return said

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def shadow_predictions(asked: Asked) -> list[float | None]:
    """Primary prediction per (shadow, request), None without one. One vectorised call per shadow; where that fails, one for each request, so
    that what it cannot answer is told apart."""
    groups: dict[str, list[int]] = defaultdict(list)
    for at, (shadow, _) in enumerate(asked):
        if shadow is not None:
            groups[shadow.name].append(at)
    said: list[float | None] = [None] * len(asked)
    for places in groups.values():
        shadow = asked[places[0]][0]
        if shadow is None:
            continue
        requests = [asked[at][1] for at in places]
        for at, answer in zip(places, _together(shadow, requests) or [_alone(shadow, request) for request in requests], strict=True):
            said[at] = answer
    return said


def _together(shadow: LoadedModel, requests: Sequence[Mapping[str, Any]]) -> list[float | None] | None:
    """None: at least one of them cannot be answered."""
    try:
        return [_number(answer) for answer in shadow.answering.answer(requests)]
    except Exception:  # noqa: BLE001 - a version that breaks on requests must not cost the log of the one that answers
        return None


def _alone(shadow: LoadedModel, request: Mapping[str, Any]) -> float | None:
    try:
        [answer] = shadow.answering.answer([request])
        return _number(answer)
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("shadow_failed", version=shadow.name, error=f"{type(error).__name__}: {error}")
        return None


def _number(answer: Mapping[str, Any]) -> float | None:
    number = float(answer["prediction"])
    return number if isfinite(number) else None
