"""Every tag a DAG may carry, and what it tells the reader of the DAG list."""

from __future__ import annotations

from enum import StrEnum


class Tag(StrEnum):
    LOOP = "loop"
    """A step of the loop: rung by an action of the DAG's name, never by a cron."""
    DATA = "data"
    """Reads or writes the lake."""
    MODELS = "models"
    """Makes or judges a model version."""
    SERVING = "serving"
    """Changes which version serves: a red run here is looked at first."""
    WATCH = "watch"
    """Measures; changes nothing by itself."""
    UPKEEP = "upkeep"
    """Housekeeping: may wait until tomorrow."""
