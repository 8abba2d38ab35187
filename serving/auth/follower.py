"""Follows what decides over tokens: the list of revoked ones, the keys, another issuer's keys.

Guarantee: a revocation, and a change of the keys, counts within a second in every worker. Failure: Postgres is away. Remedy: the list known
last stays; a worker that starts then takes the one remembered on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog

from evergreen.core.access import Revocations
from evergreen.core.errors import Unavailable
from serving.auth.authenticator import Authenticator

LOOK_SECONDS = 0.5
FIRST_LOOK_SECONDS = 2.0
log = structlog.get_logger(__name__)


class Look(Protocol):
    async def look(self) -> Revocations | None:
        """None: nothing has changed. Raises Unavailable."""


class Memory(Protocol):
    def read(self) -> Revocations: ...
    def keep(self, found: Revocations) -> None: ...


class Issuer(Protocol):
    def due(self) -> bool: ...
    def refresh(self) -> bool: ...


class AccessFollower:
    def __init__(
        self, authenticator: Authenticator, revoked: Look, memory: Memory, reload_keys: Callable[[], bool], issuer: Callable[[], Issuer | None]
    ) -> None:
        self._authenticator, self._revoked, self._memory = authenticator, revoked, memory
        self._reload_keys, self._issuer = reload_keys, issuer
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._authenticator.revoke(self._memory.read())
        self._task = asyncio.create_task(self._follow())

    async def settle(self) -> None:
        """Wait for the first look, a moment at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._looked.wait()

    async def stop(self) -> None:
        for task in (self._task, self._refreshing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        if await asyncio.to_thread(self._reload_keys):
            self._authenticator.forget()
            log.info("token_keys_changed")
        try:
            found = await self._revoked.look()
        except Unavailable:
            return
        if found is not None:
            self._authenticator.revoke(found)
            with suppress(OSError):
                await asyncio.to_thread(self._memory.keep, found)

    async def _follow(self) -> None:
        while True:
            await self.look()
            self._looked.set()
            issuer = self._issuer()
            if issuer is not None and issuer.due() and (self._refreshing is None or self._refreshing.done()):
                self._refreshing = asyncio.create_task(self._refresh(issuer))
            await asyncio.sleep(LOOK_SECONDS)

    async def _refresh(self, issuer: Issuer) -> None:
        if await asyncio.to_thread(issuer.refresh):
            self._authenticator.forget()
