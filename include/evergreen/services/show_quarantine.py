"""A quarantine as the registry's UI shows it."""

from __future__ import annotations

import structlog

from evergreen.core.errors import EvergreenError
from evergreen.ports.registry import ModelRegistry

log = structlog.get_logger(__name__)


def show_quarantine(registry: ModelRegistry, model: str, version: int, reason: str) -> None:
    """What counts is the table's row, so a registry that is away stops nothing."""
    try:
        registry.annotate(model, version, {"evergreen.quarantined": reason})
    except EvergreenError as error:
        log.warning("quarantine_not_shown", version=f"{model}@{version}", error=str(error))
