"""Table `ledger`: what a retrain turned out to be worth. Kept when the predictions it was worked out from are gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Worth:
    """Of one version in its bake, against the champion it was promoted over, on the same rows."""

    model: str
    version: int
    rows: int
    """Labelled predictions that both made."""
    realised: float | None = None
    """Relative drop against that champion: below zero the retrain was worth it. None: there is nothing to compare, as for the low and high of 95 %."""
    realised_low: float | None = None
    realised_high: float | None = None
    avoided: float | None = None
    """Loss avoided, summed over the rows, in the metric's units."""
    closed: datetime | None = None
    """None: it may still change."""


class Ledger(Protocol):
    def close(self, worth: Worth) -> None:
        """Once per version: the first word stays."""

    def of_model(self, model: str) -> Mapping[int, Worth]:
        """By version."""
