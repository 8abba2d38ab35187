"""What training, adopting and judging a version work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evergreen.core.clock import Clock
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import ModelRegistry
from evergreen.services.carry_out import CarryOut
from evergreen.services.training import Silver


@dataclass(frozen=True)
class ModelWork:
    store: ModelStore
    clock: Clock
    carry_out: CarryOut
    registry: ModelRegistry
    lake: Silver
    spec_of: Callable[[str], ModelSpec]
