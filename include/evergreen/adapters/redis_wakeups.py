"""One subscription per process: for whom there is a new list.

Guarantee: what is published while it stands is heard in its order; whenever it is made, everybody is woken, since nobody knows what was missed.
Failure: Redis goes away, or falls silent without a word. Remedy: a ping when nothing came for a while; without an answer the connection is dropped and made
anew, at growing intervals up to RETRY_MOST_SECONDS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hiredis
import structlog

from evergreen.adapters.redis_profiles import PUSH_CHANNEL
from evergreen.adapters.redis_wire import Address, Command

CONNECT_SECONDS = 2.0
PING_SECONDS = 5.0
RETRY_SECONDS, RETRY_MOST_SECONDS = 0.1, 2.0
_PING: Command = ("PING",)
_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)
Heard = Callable[[str | None], None]
log = structlog.get_logger(__name__)


class RedisWakeUps:
    def __init__(self, url: str) -> None:
        self._url = url

    async def follow(self, heard: Heard) -> None:
        wait, told = RETRY_SECONDS, False
        while self._url:
            subscription = _Subscription(Address.of(self._url), heard)
            try:
                await subscription.run()
            except (OSError, TimeoutError) as error:
                if not told:
                    log.warning("wake_ups_lost", error=type(error).__name__)
                told = True
            finally:
                subscription.drop()
            if subscription.stood:
                wait, told = RETRY_SECONDS, False
            await asyncio.sleep(wait)
            wait = min(wait * 2, RETRY_MOST_SECONDS)


class _Subscription(asyncio.Protocol):
    """Of one connection."""

    def __init__(self, address: Address, heard: Heard) -> None:
        self._address = address
        self._heard = heard
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._over = asyncio.Event()
        self._said = False
        """Anything, since the last look."""
        self.stood = False

    async def run(self) -> None:
        """Until it breaks. Raises OSError, TimeoutError."""
        loop, where = asyncio.get_running_loop(), self._address
        async with asyncio.timeout(CONNECT_SECONDS):
            if where.path:
                await loop.create_unix_connection(lambda: self, where.path)
            else:
                await loop.create_connection(lambda: self, where.host, where.port, ssl=where.context())
        pinged = False
        while True:
            self._said = False
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._over.wait()
                raise ConnectionResetError
            except TimeoutError:
                if not self._said and pinged:
                    raise
            pinged = not self._said
            if pinged and self._transport is not None:
                self._transport.write(_pack(_PING))

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        said = [*self._address.greeting(), ("SUBSCRIBE", PUSH_CHANNEL)]
        self._transport.write(b"".join(_pack(command) for command in said))

    def data_received(self, data: bytes) -> None:
        self._said = True
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._reply(reply)
        except hiredis.ProtocolError:
            self._over.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._over.set()

    def _reply(self, reply: Any) -> None:
        if isinstance(reply, Exception):  # it refuses this client, or is not ready
            self._over.set()
        elif isinstance(reply, list) and reply[0] == b"message":
            self._heard(reply[2].decode("utf-8", "replace"))
        elif isinstance(reply, list) and reply[0] == b"subscribe":
            self.stood = True
            self._heard(None)
