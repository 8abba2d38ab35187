"""Videos by keyword or channel, each with what the champion says of it.

Guarantee: all predictions of a page come from one version, in one call of the model; a page is the same from the cache and without it, and
is looked up once for all who ask for it at the same time.
Failure: no version serves, stored features cannot be looked up, the model breaks. Remedy: the page comes without predictions, says
`degraded` and why, and is not cached. Without Postgres there is no page: Unavailable."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import msgspec
import structlog

from evergreen.core.errors import NoChampion, Unavailable
from evergreen.core.generations import FEATURES, Generations
from evergreen.core.keywords import keyword_of
from evergreen.ports.catalogue import SearchCache, Video, VideoSearch
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import Champion, FeatureStore, LoadedModel, ServedModels
from evergreen.services.prediction_request import with_related
from evergreen.services.single_flight import SingleFlight

INLINE_ROWS = 32
"""More than so many rows are computed beside the event loop."""
_encode = msgspec.json.Encoder().encode
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SearchFor:
    by: Literal["keyword", "channel"]
    words: str
    limit: int = 10
    cursor: str | None = None


class Search:
    def __init__(
        self,
        *,
        videos: VideoSearch,
        features: FeatureStore,
        models: ServedModels,
        model: str,
        cache: SearchCache,
        generations: Generations,
        pool: Executor | None = None,
    ) -> None:
        self._videos = videos
        self._features = features
        self._models = models
        self._model = model
        self._cache = cache
        self._generations = generations
        self._pool = pool
        self._flights: SingleFlight[tuple[bytes, bool]] = SingleFlight()

    async def run(self, wanted: SearchFor) -> bytes:
        """A JSON object, ready to send. Raises InvalidRequest, Unavailable."""
        started = time.perf_counter()
        keyword, champion = keyword_of(wanted.words), await self._champion()
        key = self._key(wanted, keyword, champion)
        (page, kept), own = await self._flights.run(key, lambda: self._kept_or_made(key, wanted, keyword, champion))
        said = {wanted.by: wanted.words, "cached": kept or not own, "processing_time": round(time.perf_counter() - started, 6)}
        return _encode(said)[:-1] + b"," + page[1:]

    async def _kept_or_made(self, key: str, wanted: SearchFor, keyword: str, champion: Champion | None) -> tuple[bytes, bool]:
        page = await self._cache.get(key)
        if page is not None:
            return page, True
        page, whole = await self._page(wanted, keyword, champion)
        if whole:
            self._cache.put(key, page)
        return page, False

    async def _champion(self) -> Champion | None:
        try:
            return await self._models.champion(self._model)
        except NoChampion:
            return None

    async def _page(self, wanted: SearchFor, keyword: str, champion: Champion | None) -> tuple[bytes, bool]:
        """The page, and whether nothing is missing from it."""
        look_up = self._videos.by_keyword if wanted.by == "keyword" else self._videos.by_channel
        found = await look_up(keyword, wanted.limit, wanted.cursor)
        predictions, reasons = await self._predictions(champion, [row["video_id"] for row in found.rows])
        page = {
            "results": [{**shown(row), "prediction": predictions.get(row["video_id"])} for row in found.rows],
            "total_count": found.total,
            "next_cursor": found.next_cursor,
            "model_version": None if champion is None else champion.loaded.name,
            "degraded": bool(reasons),
            "degraded_reasons": reasons,
        }
        return _encode(page), not reasons

    async def _predictions(self, champion: Champion | None, videos: Sequence[str]) -> tuple[Mapping[str, Any], list[str]]:
        """By video, of those with stored features."""
        if champion is None:
            return {}, ["no_champion"]
        try:
            requests = await self._requests(champion.loaded.spec, videos)
        except Unavailable:
            return {}, ["features_unavailable"]
        try:
            answers = await self._answers(champion.loaded, list(requests.values()))
        except Exception as error:  # noqa: BLE001 - the model's edge: a version that breaks on one of them must not cost the page
            log.warning("model_failed", version=champion.loaded.name, error=f"{type(error).__name__}: {error}")
            return {}, ["model_failed"]
        return dict(zip(requests, answers, strict=True)), []

    async def _requests(self, spec: ModelSpec, videos: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What the model is asked of each: its features and what the store knows of its channel."""
        stored = await self._features.get_many(spec.name, videos)
        found = [video for video in videos if video in stored]
        return dict(zip(found, await with_related(self._features, spec, [stored[video].features for video in found]), strict=True))

    async def _answers(self, loaded: LoadedModel, requests: Sequence[Mapping[str, Any]]) -> Sequence[dict[str, Any]]:
        if not requests:
            return []
        if self._pool is None or (loaded.inline and len(requests) <= INLINE_ROWS):
            return loaded.answering.answer(requests)
        return await asyncio.get_running_loop().run_in_executor(self._pool, loaded.answering.answer, requests)

    def _key(self, wanted: SearchFor, keyword: str, champion: Champion | None) -> str:
        """A promotion and an indexed batch make a new one."""
        version = "-" if champion is None else f"{champion.loaded.name}:{champion.epoch}:{champion.loaded.schema_hash}"
        asked = _encode([wanted.by, keyword, wanted.limit, wanted.cursor])
        return f"search:{version}:{self._generations.of(FEATURES)}:{hashlib.blake2b(asked, digest_size=20).hexdigest()}"


_SHOWN = (
    *("video_id", "title", "channel_id", "channel_title", "category_id", "published_at", "duration"),
    *("view_count", "like_count", "comment_count", "region", "first_seen", "last_seen"),
)


def shown(row: Video) -> dict[str, Any]:
    """A row of the catalogue in JSON's own values, with its engagement."""
    return {name: _plain(row[name]) for name in _SHOWN} | {"engagement_rate": engagement(row)}


def engagement(row: Video) -> float | None:
    """(likes + comments) / views; 0 without views; None where one of them is not known."""
    views, likes, comments = row["view_count"], row["like_count"], row["comment_count"]
    if views is None or likes is None or comments is None:
        return None
    return round((likes + comments) / views, 6) if views else 0.0


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
