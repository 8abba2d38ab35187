"""The application beside the loop: it asks for predictions and later tells the true outcome. A replay plays its part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Asked:
    """One prediction the app asked for."""

    entity: str
    model_version: str
    prediction_id: str | None = None
    """None: the scoring protocols name none."""


class PredictionApp(Protocol):
    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        """In order, what each was answered with; None where no champion serves yet or serving finds the request unfit.
        Raises Unavailable after its retries."""

    def tell(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """One `POST /feedback` each, with an idempotency key per entity; an unfit one is left out. Raises Unavailable after its retries."""


class DomainApp(Protocol):
    """How a domain turns rows into what an application sends."""

    def first_listed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of entities never seen in an earlier call."""

    def request(self, row: Mapping[str, Any]) -> dict[str, Any]: ...
    def outcome(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """None: there is nothing to tell."""
