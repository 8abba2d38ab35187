"""The online feature store as serving reads it: what this process keeps, Redis' copy, then Postgres, the truth; then what the catalogue knows
of a video.

Guarantee: what is said is never older than TTL_SECONDS behind Postgres, and after an indexed batch not older than the worker's next look
(`core.generations`). Failure: the generation rises while a row is on its way here. Remedy: only what was asked for and has come in one
generation is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from datetime import time as midnight
from typing import Any

import msgspec

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.feature_copies import KEEP, ROUND, copy_key
from evergreen.adapters.jitter import jittered
from evergreen.adapters.redis_link import Breaker, RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.generations import FEATURES, Generations
from evergreen.core.lru import Lru
from evergreen.ports.serving import UNKNOWN_SECONDS, StoredFeatures

TTL_SECONDS = 600
LOCAL_ENTRIES = 8192
_LOCAL_BYTES = 16 * 2**20
_ENTRY_BYTES = 512
"""Of an entry beside its text, roughly."""
_MAX_COPY_BYTES = 256 * 2**10
LONGEST_SECONDS = 1.0
"""A request waits for Postgres."""
_STORE = "SELECT entity, features, as_of FROM online_features WHERE model = $1 AND entity = ANY($2::text[])"
# The catalogue has no words for "no tags known", so it says nothing of them.
_CATALOGUE = """
SELECT video_id, title, channel_id, channel_title, category_id, duration, published_at, length(description) AS description_length,
       view_count, like_count, comment_count, first_seen AS list_date, last_seen
FROM videos WHERE video_id = ANY($1::text[])
"""


class _Copy(msgspec.Struct):
    features: dict[str, Any]
    as_of: datetime


_decode = msgspec.json.Decoder(_Copy).decode
_encode = msgspec.json.Encoder().encode
_Found = StoredFeatures | None


class OnlineFeatureStore:
    """A copy that cannot be read is passed over. While Postgres does not answer, few wait for it: the breaker lets one a second try."""

    def __init__(
        self, postgres: AsyncPostgres, link: RedisLink, generations: Generations | None = None, *, on_breaker: Callable[[bool], None] | None = None
    ) -> None:
        self._postgres = postgres
        self._link = link
        self._breaker = Breaker(on_breaker)
        self._generations = generations or Generations()
        self._local: Lru[tuple[str, str], tuple[float, int, _Found]] = Lru(LOCAL_ENTRIES, _LOCAL_BYTES)

    async def get(self, model: str, entity: str) -> StoredFeatures | None:
        generation = self._generations.of(FEATURES)
        kept = self._kept(model, entity, generation)
        if kept is not None:
            return kept[0]
        found = (await self._look_up(model, [entity])).get(entity)
        self._keep(model, entity, generation, found)
        return found

    async def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]:
        """What is not known here is asked of Redis in one turn, then of Postgres in one query per table."""
        generation = self._generations.of(FEATURES)
        kept = {entity: self._kept(model, entity, generation) for entity in entities}
        open_ = [entity for entity, one in kept.items() if one is None]
        found = {entity: one[0] for entity, one in kept.items() if one is not None}
        if open_:
            looked_up = await self._look_up(model, open_)
            for entity in open_:
                found[entity] = looked_up.get(entity)
                self._keep(model, entity, generation, found[entity])
        return {entity: one for entity, one in found.items() if one is not None}

    def _kept(self, model: str, entity: str, generation: int) -> tuple[_Found] | None:
        kept = self._local.get((model, entity))
        if kept is None or kept[1] != generation or (left := kept[0] - time.monotonic()) <= 0:
            return None
        return (None if kept[2] is None else StoredFeatures(kept[2].features, kept[2].as_of, left),)

    def _keep(self, model: str, entity: str, generation: int, found: _Found) -> None:
        seconds = jittered(UNKNOWN_SECONDS) if found is None else found.seconds_left
        if seconds > 0 and generation == self._generations.of(FEATURES):
            size = _ENTRY_BYTES if found is None else _ENTRY_BYTES + sum(len(str(value)) for value in found.features.values())
            self._local.put((model, entity), (time.monotonic() + seconds, generation, found), size)

    async def _look_up(self, model: str, entities: Sequence[str]) -> dict[str, StoredFeatures]:
        found, round_ = await self._copied(model, entities)
        missing = [entity for entity in entities if entity not in found]
        for row in await self._rows(_STORE, model, missing) if missing else ():
            seconds = _lifetime()
            found[row["entity"]] = StoredFeatures(row["features"], row["as_of"], float(seconds))
            if round_ is not None:
                self._copy(model, row["entity"], round_, _Copy(row["features"], row["as_of"]), seconds)
        unknown = [entity for entity in missing if entity not in found]
        for row in await self._rows(_CATALOGUE, unknown) if unknown else ():
            found[row["video_id"]] = _of_catalogue(row, _lifetime())
        return found

    async def _rows(self, query: str, *values: object) -> Any:
        if not self._breaker.admit():
            raise Unavailable("Postgres does not answer (breaker open)")
        asking = asyncio.ensure_future(self._postgres.fetch(query, *values))
        # Not a time-out around it: a query that is given up takes as long again to be taken back.
        await asyncio.wait([asking], timeout=LONGEST_SECONDS)
        if not asking.done():
            asking.add_done_callback(_looked_at)
            self._breaker.failed()
            raise Unavailable("Postgres does not answer in time")
        try:
            rows = asking.result()
        except Unavailable:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return rows

    async def _copied(self, model: str, entities: Sequence[str]) -> tuple[dict[str, StoredFeatures], bytes | None]:
        """The copies there are, and the round; None: nothing may be copied now."""
        keys = [copy_key(model, entity) for entity in entities]
        commands = [command for key in keys for command in (("GETRANGE", key, 0, _MAX_COPY_BYTES), ("PTTL", key))]
        try:
            *replies, round_ = await self._link.ask(*commands, ("GET", ROUND))
        except Unavailable:
            return {}, None
        found = {}
        for entity, body, milliseconds in zip(entities, replies[::2], replies[1::2], strict=True):
            copy = _read(body)
            if copy is not None and milliseconds > 0:
                found[entity] = StoredFeatures(copy.features, copy.as_of, min(milliseconds / 1000, TTL_SECONDS))
        return found, b"" if round_ is None else round_ if isinstance(round_, bytes) else None

    def _copy(self, model: str, entity: str, round_: bytes, copy: _Copy, seconds: int) -> None:
        """A short script, sent whole: one turn does. Where it is not heard, the next one asks Postgres again."""
        self._link.tell("EVAL", KEEP, 2, ROUND, copy_key(model, entity), round_, _encode(copy), seconds)


def _looked_at(asked: asyncio.Future[Any]) -> None:
    if not asked.cancelled():
        asked.exception()


def _read(body: Any) -> _Copy | None:
    try:
        copy = _decode(body) if isinstance(body, bytes) and 0 < len(body) <= _MAX_COPY_BYTES else None
    except msgspec.MsgspecError:
        return None
    return None if copy is None or copy.as_of.tzinfo is None else copy


def _of_catalogue(row: Mapping[str, Any], seconds: float) -> StoredFeatures:
    known = {name: _plain(value) for name, value in row.items() if value is not None and name not in {"last_seen", "video_id"}}
    return StoredFeatures(known, datetime.combine(row["last_seen"], midnight(), UTC), seconds)


def _lifetime() -> int:
    return int(jittered(TTL_SECONDS))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
