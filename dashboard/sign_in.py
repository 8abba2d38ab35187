"""A person's name and password for a token of serving's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio.to_thread
import httpx

from evergreen.core.access import Role

KEYS = {401: "common.wrong_credentials", 400: "common.wrong_credentials", 429: "common.too_many_tries"}

MOST_HOPS = 18
"""Before the last one; serving looks at 20."""


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


def forwarded(client: str, chain: Sequence[str]) -> bytes:
    """`X-Forwarded-For` as every proxy hands it on: what came (`chain`: the headers), which anybody may write, and last the address it came from."""
    hops = [hop.strip() for said in chain for hop in said.split(",")][-MOST_HOPS:]
    return ", ".join([*hops, client]).encode("ascii", "replace")


async def signed_in(pool: httpx.Client, name: str, password: str, *, came_from: bytes = b"", secret: str = "") -> Token:
    """Serving's limit of attempts counts for `came_from` if it knows the secret; else everybody who signs in here shares one. Raises Refused."""
    headers = {b"X-Evergreen-Dashboard": secret.encode(), b"X-Forwarded-For": came_from} if secret else {}
    asked = {"grant_type": "password", "username": name, "password": password}
    try:
        answer = await anyio.to_thread.run_sync(lambda: pool.post("/auth/token", data=asked, headers=headers))
    except httpx.TransportError as error:
        raise Refused("common.away", 503) from error
    if answer.is_error:
        raise Refused(KEYS.get(answer.status_code, "common.away"), answer.status_code if answer.status_code in KEYS else 503)
    told = answer.json()
    return Token(told["access_token"], frozenset(Role(role) for role in told["scope"].split()), float(told["expires_in"]))
