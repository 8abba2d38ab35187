"""Single-use tickets of one process, on a clock that a test turns."""

from __future__ import annotations

import time
from collections.abc import Callable

from evergreen.adapters.redis_tickets import key_of, new_ticket
from evergreen.core.access import Principal
from evergreen.core.errors import Unavailable
from evergreen.ports.access import TICKET_SECONDS


class MemoryTickets:
    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._kept = seconds, dict[str, tuple[Principal, float]]()
        self.away = False

    async def issue(self, principal: Principal) -> str:
        self._answer()
        ticket = new_ticket()
        self._kept[key_of(ticket)] = (principal, self._seconds() + TICKET_SECONDS)
        return ticket

    async def redeem(self, ticket: str) -> Principal | None:
        self._answer()
        principal, until = self._kept.pop(key_of(ticket), (None, 0.0))
        return principal if self._seconds() < until else None

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("Redis does not answer")
