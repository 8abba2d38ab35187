"""Lifetimes that differ a little: entries of one burst must not all end in one moment."""

from __future__ import annotations

import random

_SHARE = 0.15


def jittered(seconds: float) -> float:
    """At most so long, at least 85 % of it."""
    return seconds * (1 - _SHARE * random.random())
