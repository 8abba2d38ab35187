"""How a promotion takes over."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RolloutSettings(BaseModel):
    canary_share: float = Field(default=0.0, ge=0.0, le=0.5)
    """Of entities an approved version answers before it takes over; 0: it takes over at once."""
    canary_seconds: float = Field(default=60.0, gt=0, le=600)
    """Wall time it does so."""
    canary_requests: int = Field(default=100, ge=50)
    """With fewer answers by then the canary has shown nothing, which is recorded; it takes over all the same."""
