"""The previous champion's word on the same requests while a new one is in bake. For the log only: nobody waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from evergreen.ports.serving import LoadedModel

log = structlog.get_logger(__name__)


def shadow_predictions(asked: Sequence[tuple[LoadedModel | None, Mapping[str, Any]]]) -> list[float | None]:
    """Primary prediction per (shadow, request), None without a shadow. One vectorised call per shadow; a shadow that fails is silent."""
    groups: dict[str, list[int]] = defaultdict(list)
    for at, (shadow, _) in enumerate(asked):
        if shadow is not None:
            groups[shadow.name].append(at)
    said: list[float | None] = [None] * len(asked)
    for places in groups.values():
        shadow = asked[places[0]][0]
        if shadow is None:
            continue
        try:
            answers = shadow.answering.answer([asked[at][1] for at in places])
        except Exception as error:  # noqa: BLE001 - an old version that breaks on new requests must not cost the log of the new one
            log.warning("shadow_failed", version=shadow.name, error=f"{type(error).__name__}: {error}")
            continue
        for at, answer in zip(places, answers, strict=True):
            said[at] = float(answer["prediction"])
    return said
