"""What the catalogue's routes use, joined once."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from evergreen.adapters.redis_bloom_question import AsyncRedisSeenIndex
from evergreen.adapters.redis_bloom_stats import RedisSeenStats
from evergreen.adapters.search_cache import LayeredSearchCache
from evergreen.adapters.video_catalogue import PostgresCatalogue
from evergreen.adapters.video_search import PostgresSearch
from evergreen.domains.videos.answers import score_of
from evergreen.domains.videos.categories import CATEGORIES
from evergreen.domains.videos.names import zone_of
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import ServedModels
from evergreen.services.explain_prediction import ExplainPrediction
from evergreen.services.search import Search
from evergreen.services.show_catalogue import ShowHoldings, ShowMovers, ShowRankings
from evergreen.services.show_seen import ShowSeen
from evergreen.services.show_spread import CategoryName, Placing, ShowSpread
from evergreen.services.show_video import ShowVideo
from serving.clock import PlatformTime
from serving.dependencies import Links


@dataclass(frozen=True)
class Catalogue:
    search: Search
    video: ShowVideo
    spread: ShowSpread
    seen: ShowSeen
    holdings: ShowHoldings
    rankings: ShowRankings
    movers: ShowMovers
    explain: ExplainPrediction


def category_names() -> dict[int, CategoryName]:
    return {number: CategoryName(*names) for number, names in CATEGORIES.items()}


def build_catalogue(links: Links, models: ServedModels, spec: ModelSpec, clock: PlatformTime, pool: Executor) -> Catalogue:
    model, zone = spec.name, zone_of(spec.datasets[0].partition(".")[2])
    catalogue, placing, names = PostgresCatalogue(links.postgres, zone), Placing(models, model), category_names()
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
        spread=ShowSpread(catalogue, placing, names),
        seen=ShowSeen(AsyncRedisSeenIndex(links.redis.run_script), RedisSeenStats(links.redis), clock.now),
        holdings=ShowHoldings(catalogue, names, links.generations, clock.now),
        rankings=ShowRankings(catalogue, placing, names),
        movers=ShowMovers(catalogue),
        explain=ExplainPrediction(models, links.features, model, score_of, pool),
    )
