"""The application beside the loop: it asks for predictions and later tells the true outcome. A replay plays its part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Asked:
    """One prediction the app asked for."""

    entity: str
    prediction_id: str
    model_version: str


class PredictionApp(Protocol):
    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        """One `POST /predict/video` each, in order; None where no champion serves yet or serving finds the request unfit.
        Raises Unavailable after its retries."""

    def tell(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """One `POST /feedback` each, with an idempotency key per entity; an unfit one is left out. Raises Unavailable after its retries."""
