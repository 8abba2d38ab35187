"""Single-use tickets in Redis, by their hash."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from evergreen.adapters.redis_link import RedisLink
from evergreen.core.access import Principal, Role
from evergreen.core.errors import Unavailable
from evergreen.ports.access import TICKET_SECONDS


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    subject: str
    roles: list[Role]
    token_id: str
    issued_at: int
    expires_at: int


def new_ticket() -> str:
    return secrets.token_urlsafe(32)


def key_of(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode('utf-8', 'replace')).hexdigest()}"


class RedisTickets:
    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def issue(self, principal: Principal) -> str:
        ticket = new_ticket()
        stored = _Stored(principal.subject, sorted(principal.roles), principal.token_id, principal.issued_at, principal.expires_at)
        body = msgspec.json.encode(stored)
        try:
            await self._link.call(lambda client: client.set(key_of(ticket), body, ex=TICKET_SECONDS))
        except ResponseError as error:
            raise Unavailable("Redis does not keep a ticket") from error
        return ticket

    async def redeem(self, ticket: str) -> Principal | None:
        try:
            body: Any = await self._link.call(lambda client: client.getdel(key_of(ticket)))
        except ResponseError:  # something that is no ticket lies under the name
            return None
        try:
            found = None if body is None else msgspec.json.decode(body, type=_Stored)
        except msgspec.MsgspecError:
            return None
        return None if found is None else Principal(found.subject, frozenset(found.roles), found.token_id, found.issued_at, found.expires_at)
