"""Pages of search results in two layers, this process' and Redis'. JSON behind a tag; whatever else lies under a key is a miss and is deleted."""

from __future__ import annotations

import time

from evergreen.adapters.jitter import jittered
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.lru import Lru

TTL_SECONDS = 180.0
_ENTRIES = 512
_BYTES = 4 * 2**20
_MAX_PAGE_BYTES = 512 * 2**10
_TAG = b"evergreen.search/1\n"


class LayeredSearchCache:
    def __init__(self, link: RedisLink, ttl_seconds: float = TTL_SECONDS) -> None:
        self._link = link
        self._ttl = ttl_seconds
        self._local: Lru[str, tuple[float, bytes]] = Lru(_ENTRIES, _BYTES)

    async def get(self, key: str) -> bytes | None:
        kept = self._local.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        try:
            body, milliseconds = await self._link.ask(("GETRANGE", key, 0, _MAX_PAGE_BYTES), ("PTTL", key))
        except Unavailable:
            return None
        if body == b"":
            return None
        if not isinstance(body, bytes) or len(body) > _MAX_PAGE_BYTES or milliseconds <= 0 or not body.startswith(_TAG + b"{") or not body.endswith(b"}"):
            self._link.tell("UNLINK", key)
            return None
        page = body.removeprefix(_TAG)
        self._keep(key, page, min(milliseconds / 1000, self._ttl))
        return page

    def put(self, key: str, page: bytes) -> None:
        seconds = jittered(self._ttl)
        self._keep(key, page, seconds)
        if len(page) >= _MAX_PAGE_BYTES or self._link.breaker.open:
            return
        self._link.tell("SET", key, _TAG + page, "PX", max(int(seconds * 1000), 1))

    def _keep(self, key: str, page: bytes, seconds: float) -> None:
        self._local.put(key, (time.monotonic() + seconds, page), len(key) + len(page))
