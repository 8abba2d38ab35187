"""What a domain's package brings: in `evergreen/domains/NAME/offers.py`, a function `offers(settings)` of such."""

from __future__ import annotations

from dataclasses import dataclass

from evergreen.ports.dataset import Dataset
from evergreen.ports.model import ModelSpec


@dataclass(frozen=True)
class Offer:
    spec: ModelSpec
    datasets: tuple[Dataset, ...]
    """That feed it."""
