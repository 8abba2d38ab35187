"""A channel: where notices go."""

from __future__ import annotations

from typing import Protocol

from evergreen.core.errors import EvergreenError
from evergreen.core.notices import Notice


class NotDelivered(EvergreenError):
    """The channel did not take it; the message says why and names no secret. `permanent`: trying again would not help."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


class Notifier(Protocol):
    def send(self, notice: Notice) -> None:
        """Returns when the receiver took it. At least once: the same notice may come again, with the same id. Raises NotDelivered."""
