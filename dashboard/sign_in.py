"""A person's name and password for a token of serving's."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio.to_thread
import httpx

from evergreen.core.access import Role

KEYS = {401: "common.wrong_credentials", 400: "common.wrong_credentials", 429: "common.too_many_tries"}


@dataclass(frozen=True)
class Token:
    token: str = field(repr=False)
    roles: frozenset[Role]
    seconds: float


class Refused(Exception):
    """`key`: what to say of it."""

    def __init__(self, key: str, status: int) -> None:
        super().__init__(key)
        self.key, self.status = key, status


async def signed_in(pool: httpx.Client, name: str, password: str) -> Token:
    """Raises Refused."""
    asked = {"grant_type": "password", "username": name, "password": password}
    try:
        answer = await anyio.to_thread.run_sync(lambda: pool.post("/auth/token", data=asked))
    except httpx.TransportError as error:
        raise Refused("common.away", 503) from error
    if answer.is_error:
        raise Refused(KEYS.get(answer.status_code, "common.away"), answer.status_code if answer.status_code in KEYS else 503)
    told = answer.json()
    return Token(told["access_token"], frozenset(Role(role) for role in told["scope"].split()), float(told["expires_in"]))
