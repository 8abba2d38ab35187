"""Table `reference_profiles`, one row per version: what its training rows looked like, in counts."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from evergreen.core.drift_profile import Profile


class ReferenceProfiles(Protocol):
    def get(self, model: str, version: int) -> Profile | None:
        """None: not made yet, or by another method."""

    def keep(self, model: str, version: int, profile: Profile, time: datetime) -> None:
        """The newest replaces what was there."""
