"""Serving's connections to Postgres (docs/guides/search.md). Part of `evergreen.settings`."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PoolSettings(BaseModel):
    """Of the whole deployment: shared out over `serving.max_workers`."""

    size: int = Field(default=20, ge=1)
    """Connections that stay open."""
    overflow: int = Field(default=30, ge=0)
    """More in a rush, closed after it."""
    recycle_seconds: float = Field(default=3600.0, gt=0)
    """An older connection is replaced before its next use."""
    reserve: int = Field(default=80, ge=0)
    """Of Postgres' `max_connections`, for Airflow, MLflow, the other workers, jobs and people."""
