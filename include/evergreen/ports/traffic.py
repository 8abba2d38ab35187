"""Requests serving answered, to be asked again of a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class RecordedRequest:
    prediction_id: str
    features: Mapping[str, Any]
    """All the model was asked with, and the feature row made of it."""
    predicted: float
    lower: float | None
    upper: float | None


class RecordedTraffic(Protocol):
    def newest(self, model: str, version: int, *, until: datetime, limit: int) -> Sequence[RecordedRequest]:
        """What this version answered, newest first, one per entity."""
