"""Table `shadow_trials`: candidates that answer beside the champion before they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class ShadowTrial:
    model: str
    version: int
    champion: int
    """Whose requests it answers too; a trial beside another champion is another trial."""
    started_time: datetime
    until_time: datetime
    ended_time: datetime | None = None
    found: Mapping[str, Any] | None = None
    """The numbers its gate is given."""

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


class ShadowTrials(Protocol):
    def start(self, trial: ShadowTrial) -> None:
        """Once; a repeat changes nothing."""

    def get(self, model: str, version: int, champion: int) -> ShadowTrial | None: ...

    def open(self) -> Sequence[ShadowTrial]: ...

    def answered(self, trial: ShadowTrial, until: datetime) -> tuple[int, int]:
        """(requests it was asked, of them without an answer)."""

    def end(self, trial: ShadowTrial, at: datetime, found: Mapping[str, Any]) -> None: ...

    def untold(self) -> Sequence[ShadowTrial]:
        """Over, and their evaluation was not asked for again yet."""

    def told(self, trial: ShadowTrial) -> None: ...
