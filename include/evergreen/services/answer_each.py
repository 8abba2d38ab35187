"""A model asked many things at once, so that one it breaks on costs the others nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from evergreen.core.errors import EvergreenError
from evergreen.ports.serving import LoadedModel

log = structlog.get_logger(__name__)


class Broke(EvergreenError):
    """The model failed on this row alone."""


def answered(loaded: LoadedModel, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | Broke]:
    """One call for all; when it fails, one for each, so that a row which breaks the model fails alone."""
    try:
        return [*loaded.answering.answer(requests)]
    except Exception as error:  # noqa: BLE001 - a model's code is not ours: the rows it can answer are answered
        log.warning("batch_broke", version=loaded.name, rows=len(requests), error=type(error).__name__)
    return [_alone(loaded, request) for request in requests]


def _alone(loaded: LoadedModel, request: Mapping[str, Any]) -> dict[str, Any] | Broke:
    try:
        return loaded.answering.answer([request])[0]
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("row_broke", version=loaded.name, error=f"{type(error).__name__}: {error}")
        return Broke("the model failed on this row")
