"""Prediction jobs (docs/guides/jobs.md). Part of `evergreen.settings`."""

from __future__ import annotations

from pydantic import BaseModel, Field


class JobsSettings(BaseModel):
    max_upload_bytes: int = Field(default=2 * 2**30, ge=1)
    max_rows: int = Field(default=1_000_000, ge=1)
    max_running: int = Field(default=1, ge=0)
    """In the whole deployment, and at most one per serving worker. 0: this deployment takes jobs and runs none."""
    max_open_per_caller: int = Field(default=20, ge=1)
    """Queued or running."""
    keep_days: float = Field(default=7.0, gt=0)
    """Results are removed by maintenance after this."""
    lease_seconds: float = Field(default=30.0, gt=0)
    """A runner that is not heard of for so long loses its job to another."""
    poll_seconds: float = Field(default=2.0, gt=0)
    memory_mb: int = Field(default=2048, ge=256)
    """Of data a runner may hold: a file that wants more fails its job, not the machine."""
    chunk_rows: int = Field(default=65_536, ge=1)
    """Rows per checkpoint, about."""
