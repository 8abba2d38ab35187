"""What the monitor knows at the moment, for its metrics and between its threads. Parts of it are replaced as they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from evergreen.core.monitoring import Health
from evergreen.ports.monitoring import LoopFigures


@dataclass
class Snapshot:
    """Parts of it are replaced as they are measured."""

    states: Mapping[str, Health] = field(default_factory=dict)
    figures: LoopFigures = field(default_factory=LoopFigures)
    behind: Mapping[str, int] = field(default_factory=dict)
    every: Mapping[str, timedelta] = field(default_factory=dict)
    waiting: int = 0
