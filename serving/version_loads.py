"""Versions on their way into this process: one at a time, in a thread, so that nothing waits for them but those who asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from evergreen.core.errors import EvergreenError, Unavailable
from evergreen.ports.serving import LoadedModel
from serving.model_slot import Key, ModelSlots

_RETRY_SECONDS = 1.0
_RETRY_REFUSED_SECONDS = 30.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadFailure:
    reason: str
    refused: bool
    """The version itself is at fault; else what it is fetched from does not answer."""
    retry_at: float


class VersionLoads:
    def __init__(self, slots: ModelSlots, load: Callable[[str, int], LoadedModel], done: Callable[[], None]) -> None:
        self._slots = slots
        self._load = load
        self._done = done
        self._under_way: dict[Key, asyncio.Task[None]] = {}
        self._failures: dict[Key, LoadFailure] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")

    def ensure(self, wanted: Collection[Key]) -> None:
        """Start what is neither held nor under way, first things first. Failures of what nobody wants any more are forgotten."""
        self._failures = {key: failure for key, failure in self._failures.items() if key in wanted}
        for key in wanted:
            failure = self._failures.get(key)
            if self._slots.held(*key) is None and key not in self._under_way and (failure is None or time.monotonic() >= failure.retry_at):
                self._under_way[key] = asyncio.create_task(self._fetch(key))

    def failure(self, model: str, version: int) -> LoadFailure | None:
        return self._failures.get((model, version))

    async def stop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _fetch(self, key: Key) -> None:
        begun = time.monotonic()
        try:
            loaded = await asyncio.get_running_loop().run_in_executor(self._pool, self._load, *key)
        except Unavailable as error:
            self._fail(key, str(error), refused=False)
        except EvergreenError as error:
            self._fail(key, str(error), refused=True)
        except Exception as error:  # whatever breaks while a version is built: it is refused and the champion keeps answering
            log.exception("version_broke", version=f"{key[0]}@{key[1]}")
            self._fail(key, f"{type(error).__name__} while it was built", refused=True)
        else:
            self._failures.pop(key, None)
            self._slots.hold(loaded)
            log.info("version_loaded", version=loaded.name, seconds=round(time.monotonic() - begun, 3), inline=loaded.inline)
        finally:
            del self._under_way[key]
            self._done()

    def _fail(self, key: Key, reason: str, *, refused: bool) -> None:
        wait = _RETRY_REFUSED_SECONDS if refused else _RETRY_SECONDS
        self._failures[key] = LoadFailure(reason, refused, time.monotonic() + wait)
        log.warning("version_not_loaded", version=f"{key[0]}@{key[1]}", refused=refused, reason=reason)
