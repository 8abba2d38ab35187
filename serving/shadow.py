"""The word of a version that does not serve on the same requests: the previous champion's while a new one is in bake, a candidate's while it is
tried. For the log only: nobody waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import structlog

from evergreen.ports.serving import LoadedModel

log = structlog.get_logger(__name__)


def shadow_predictions(asked: Sequence[tuple[LoadedModel | None, Mapping[str, Any]]]) -> list[float | None]:
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
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("shadow_failed", version=shadow.name, error=f"{type(error).__name__}: {error}")
        return None
    return _number(answer)


def _number(answer: Mapping[str, Any]) -> float | None:
    number = float(answer["prediction"])
    return number if isfinite(number) else None
