"""What the catalogue's routes use, joined once."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from evergreen.adapters.redis_bloom_question import AsyncRedisSeenIndex
from evergreen.adapters.redis_bloom_stats import RedisSeenStats
from evergreen.adapters.search_cache import LayeredSearchCache
from evergreen.adapters.video_catalogue import PostgresCatalogue
from evergreen.adapters.video_search import PostgresSearch
from evergreen.domains.videos.categories import CATEGORIES
from evergreen.ports.serving import ServedModels
from evergreen.services.search import Search
from evergreen.services.show_seen import ShowSeen
from evergreen.services.show_spread import CategoryName, ShowSpread
from evergreen.services.show_video import ShowVideo
from serving.clock import PlatformTime
from serving.dependencies import Links


@dataclass(frozen=True)
class Catalogue:
    search: Search
    video: ShowVideo
    spread: ShowSpread
    seen: ShowSeen


def category_names() -> dict[int, CategoryName]:
    return {number: CategoryName(*names) for number, names in CATEGORIES.items()}


def build_catalogue(links: Links, models: ServedModels, model: str, clock: PlatformTime, pool: Executor) -> Catalogue:
    catalogue = PostgresCatalogue(links.postgres)
    return Catalogue(
        search=Search(
            videos=PostgresSearch(links.postgres),
            features=links.features,
            models=models,
            model=model,
            cache=LayeredSearchCache(links.redis),
            generations=links.generations,
            pool=pool,
        ),
        video=ShowVideo(catalogue, links.features, model),
        spread=ShowSpread(catalogue, models, model, category_names()),
        seen=ShowSeen(AsyncRedisSeenIndex(links.redis.run_script), RedisSeenStats(links.redis), clock.now),
    )
