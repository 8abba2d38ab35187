"""How many connections to Postgres one serving worker may hold, so that all of them together fit."""

from __future__ import annotations

from dataclasses import dataclass

from evergreen.core.errors import UnsafeSettings

LINES = 1
"""Beside its pool a worker keeps one connection that listens."""


@dataclass(frozen=True)
class Share:
    kept: int
    """Stay open."""
    most: int
    """With those opened for a rush and closed after it."""


def share(size: int, overflow: int, workers: int) -> Share:
    """A deployment's pool in equal parts, at least one connection each."""
    kept = max(size // workers, 1)
    return Share(kept, kept + overflow // workers)


def check_budget(size: int, overflow: int, workers: int, reserve: int, max_connections: int) -> None:
    """Raises UnsafeSettings when all workers together could take what others of the same Postgres need."""
    needed = workers * (share(size, overflow, workers).most + LINES)
    if needed > max_connections - reserve:
        raise UnsafeSettings(
            f"{workers} serving workers may hold {needed} connections to Postgres, but it takes {max_connections} and {reserve} of them are kept for others: "
            f"lower EVERGREEN_POSTGRES__POOL__SIZE={size} or EVERGREEN_POSTGRES__POOL__OVERFLOW={overflow} or EVERGREEN_SERVING__MAX_WORKERS={workers}, "
            f"raise max_connections of Postgres, or lower EVERGREEN_POSTGRES__POOL__RESERVE={reserve} if nobody else needs it"
        )
