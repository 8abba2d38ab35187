"""Sizes of what serving takes, where the hot routes find them without the bodies."""

from __future__ import annotations

MAX_FEATURES = 200
MAX_TEXT = 20_000
