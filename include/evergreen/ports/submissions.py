"""Models trained elsewhere, on their way to the gates. Hostile until proven otherwise: what comes back was built within limits, from types our
own code allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ports.model import ModelSpec


@dataclass(frozen=True)
class SubmittedModel:
    body: bytes
    """The one skops file."""
    sha256: str


class SubmittedModels(Protocol):
    def fetch(self, spec: ModelSpec, uri: str) -> SubmittedModel:
        """Bounded; nothing is built. Raises InvalidRequest, NotFound, Unavailable, ArtifactRefused."""

    def build(self, spec: ModelSpec, submitted: SubmittedModel, rows: pd.DataFrame) -> Any:
        """The estimator, after a child process built it within limits and it predicted `rows` (the spec's features) there. Raises ArtifactRefused."""
