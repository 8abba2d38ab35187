"""How a promotion takes over."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RolloutSettings(BaseModel):
    shadow_rows: int = Field(default=0, ge=0, le=5000)
    """Outcomes on which a version that passed the other gates is compared with the champion while it answers in the log only; 0: no trial."""
    shadow_hours: float = Field(default=48.0, gt=0, le=24 * 28)
    """Platform time after which the trial is over with what there is."""
    canary_share: float = Field(default=0.0, ge=0.0, le=0.5)
    """Of entities an approved version answers before it takes over; 0: it takes over at once."""
    canary_seconds: float = Field(default=60.0, gt=0, le=600)
    """Wall time it does so."""
    canary_requests: int = Field(default=100, ge=50)
    """With fewer answers by then the canary has shown nothing, which is recorded; it takes over all the same."""
