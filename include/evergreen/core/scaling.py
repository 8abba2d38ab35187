"""How many workers a service should have. Decides; starts and stops nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STEP_UP = 2
STEP_DOWN = -1

Bound = Literal["minimum", "maximum"]


@dataclass(frozen=True)
class Bounds:
    minimum: int
    maximum: int

    def __contains__(self, number: int) -> bool:
        return self.minimum <= number <= self.maximum


@dataclass(frozen=True)
class Target:
    number: int
    bound: Bound | None
    """The bound it stands at: in this direction there is no more to be had."""


def target(asked: int, bounds: Bounds) -> Target:
    """What was asked for, as far as the bounds let it."""
    bound: Bound | None = "minimum" if asked <= bounds.minimum else "maximum" if asked >= bounds.maximum else None
    return Target(min(max(asked, bounds.minimum), bounds.maximum), bound)
