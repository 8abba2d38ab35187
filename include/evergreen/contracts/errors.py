"""The root of the error tree and the one error the contracts raise themselves; the rest is in `evergreen.core.errors`."""

from __future__ import annotations


class EvergreenError(Exception):
    """Base of every error this product raises on purpose. `str(error)` is fit to show to a user: what happened and what to do."""

    exit_code = 1


class InvalidEvent(EvergreenError):
    """A message that is not one of our events. `reason` is the closed word the dead letter carries."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
