"""Redeems tickets, for routes whose callers can send no header."""

from __future__ import annotations

from evergreen.core.access import Need, Principal
from evergreen.ports.access import Tickets
from serving.auth.authenticator import Authenticator
from serving.auth.gate import authorise
from serving.auth.refusals import Unauthorized

LONGEST_TICKET = 128


async def admit_by_ticket(tickets: Tickets, authenticator: Authenticator, ticket: str, need: Need) -> Principal:
    """Whom the ticket was given to, if that token still counts. Raises Unauthorized, Forbidden, Unavailable."""
    principal = await tickets.redeem(ticket) if 0 < len(ticket) <= LONGEST_TICKET else None
    if principal is None:
        raise Unauthorized("this ticket is unknown, used or too old")
    authenticator.check_still(principal)
    authorise(principal, need)
    return principal
