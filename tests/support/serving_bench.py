"""A serving worker of twins: everything real but the world around it and the model's arithmetic."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import numpy as np

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.drift_records import PostgresDriftRecords
from evergreen.adapters.evidently_report import EvidentlyReports
from evergreen.adapters.jobs.files import JobFolders
from evergreen.adapters.last_champions import LastChampions
from evergreen.adapters.memory.audience import MemoryAudience
from evergreen.adapters.memory.catalogue import MemorySearchCache, MemorySeenDays, MemoryVideos
from evergreen.adapters.memory.jobs import MemoryJobs
from evergreen.adapters.memory.lists import MemoryLists
from evergreen.adapters.memory.pushes import MemoryPushes
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.memory.serving import MemoryCache, MemoryFeatures, MemoryFleet, MemoryGenerations, MemoryKeys, MemoryPublisher, MemorySeenIndex
from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.overview_rows import PostgresOverview
from evergreen.contracts.api import DeploymentPage, ModelState
from evergreen.contracts.api_experiments import ExperimentSaid
from evergreen.contracts.api_records import (
    ActionFilter,
    ActionPage,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    EventFilter,
    EventPage,
    EventRecord,
    Explanation,
    Page,
)
from evergreen.core.access import Role
from evergreen.core.clock import ClockReading
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.explanation import About
from evergreen.core.generations import Generations
from evergreen.domains.videos.answers import score_of
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.experiments import ExperimentRow
from evergreen.ports.model import Answering, Rows
from evergreen.ports.profiles import Profiles
from evergreen.ports.serving import LoadedModel
from evergreen.services.clear_cache import ClearCache
from evergreen.services.experiments import NewExperiment, RunExperiments
from evergreen.services.explain_prediction import ExplainPrediction
from evergreen.services.feedback import TakeFeedback
from evergreen.services.jobs import Jobs
from evergreen.services.once import Keyed
from evergreen.services.overview import ShowOverview
from evergreen.services.predict import Predict
from evergreen.services.predict_batch import PredictBatch
from evergreen.services.recommend import Recommend
from evergreen.services.search import Search
from evergreen.services.show_catalogue import ShowHoldings, ShowMovers, ShowRankings
from evergreen.services.show_drift import ShowDrift
from evergreen.services.show_profiles import ShowProfiles
from evergreen.services.show_seen import ShowSeen
from evergreen.services.show_spread import Placing, ShowSpread
from evergreen.services.show_video import ShowVideo
from evergreen.services.similar_users import SimilarUsers
from evergreen.services.submissions import RequestSubmission, Submission
from evergreen.services.take_interactions import TakeInteractions
from evergreen.services.told_events import TellEvents
from evergreen.settings import Settings
from evergreen.settings_auth import AuthSettings
from serving.app import create_app
from serving.catalogue import Catalogue, category_names
from serving.champion_listener import ChampionListener
from serving.clock import PlatformTime
from serving.cold import Cold
from serving.dependencies import Serving
from serving.experiment_desk import started
from serving.exposures import ExposureLog
from serving.keyed import answered_once
from serving.list_answers import ListAnswers
from serving.metrics import Metrics
from serving.model_desk import ModelDesk
from serving.model_slot import ModelSlots
from serving.own_store import OwnStore
from serving.policy_desk import PolicyDesk
from serving.prediction_log import KafkaPredictionLog
from serving.push import PushHub
from tests.support.door import Door
from tests.support.watched_system import WatchedSystem
from tests.support.worked_desk import WorkedDesk

SPEC = video_spec("KR")
NO_POSTGRES = AsyncPostgres("")
NOW = datetime(2025, 7, 25, 0, 0, tzinfo=UTC)
HEARTBEAT_SECONDS = 0.05
MAX_OPEN_JOBS, MAX_UPLOAD_BYTES = 3, 200_000
STANDING = ClockReading("replay", NOW, NOW, 0.0, 1)
"""A replay clock that does not move."""


@dataclass
class Plain:
    """Answers that tell which version gave them and what it was asked."""

    version: int
    breaks: bool = False
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        if self.breaks:
            raise RuntimeError("SELECT secret FROM table at /srv/model.py")
        self.asked += requests
        return [self._one(request) for request in requests]

    def _one(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "prediction": float(self.version),
            "prediction_lower": self.version - 0.5,
            "prediction_upper": self.version + 0.5,
            "predicted_views": 10**self.version,
            "interval": {"lower": 1, "upper": 2, "coverage": 0.8},
            "confidence": 0.5,
            "performance_score": 60.0,
            "percentile": 40.0,
            "viral_probability": 0.3,
            "trend_prediction": "steady",
            "growth_potential": "medium",
            "predicted_growth": 0.1,
            "still_listed_probability": 0.9,
            "view_count": request.get("view_count"),
            "like_count": None,
            "comment_count": None,
            "engagement_rate": None,
            "key_factors": [],
            "features_used": sorted(request),
            "features_imputed": [],
        }


class Submitted:
    """What was asked for, in a store in memory."""

    def __init__(self, clock: PlatformTime) -> None:
        self.store = MemoryStore()
        self._clock = clock

    async def submit(self, asked: Submission) -> UUID:
        return RequestSubmission(self.store, self._clock, {SPEC.name: SPEC}).run(asked).id


class Tried:
    """Experiments in a store in memory."""

    def __init__(self, clock: PlatformTime) -> None:
        self.store = MemoryStore()
        self._service = RunExperiments(self.store, clock, {SPEC.name: SPEC})

    async def start(self, asked: NewExperiment, keyed: Keyed | None) -> ExperimentSaid:
        return answered_once(self.store, keyed, ExperimentSaid, lambda: started(self._service, asked))

    async def stop(self, name: str, *, who: str, reason: str) -> ExperimentRow:
        return self._service.stop(name, who=who, reason=reason)

    async def get(self, name: str) -> ExperimentRow:
        return self._service.get(name)

    async def newest(self, limit: int, model: str | None) -> Sequence[ExperimentRow]:
        return self._service.newest(limit, model)


class InMemory(OwnStore):
    """In place of a connection of one's own."""

    def __init__(self) -> None:
        super().__init__("")
        self.store = MemoryStore()

    async def use(self, work: Any) -> Any:
        return work(self.store)


class NoRecords:
    """The loop's records are read from real tables in the connected tests."""

    def __init__(self) -> None:
        self.away = False
        self.wanted: Page | None = None
        """What the last page was asked for with."""

    async def models(self) -> list[ModelState]:
        if self.away:
            raise Unavailable("Postgres does not answer")
        return []

    async def history(self, model: str, limit: int, cursor: str | None) -> DeploymentPage:
        raise NotFound(f"no model {model!r}")

    async def events(self, wanted: EventFilter) -> EventPage:
        self.wanted = wanted
        return EventPage(events=[], next_cursor=None)

    async def event(self, event_id: str) -> EventRecord:
        raise NotFound(f"no event {event_id}")

    async def decisions(self, wanted: DecisionFilter) -> DecisionPage:
        self.wanted = wanted
        return DecisionPage(decisions=[], next_cursor=None)

    async def decision(self, model: str, seq: int) -> DecisionRecord:
        raise NotFound(f"no decision {model}/{seq}")

    async def actions(self, wanted: ActionFilter) -> ActionPage:
        self.wanted = wanted
        return ActionPage(actions=[], next_cursor=None)

    async def explain(self, name: str, about: About | None = None) -> Explanation:
        raise NotFound(f"no {about} {name}")


class Bench:
    def __init__(self, folder: Path, *, max_log: int = 1000, auth: AuthSettings | None = None) -> None:
        self.settings = Settings(home=folder / "home", auth=auth or AuthSettings())
        self.door = Door(self.settings, on_degraded=lambda is_so: self.metrics.limiter_degraded.set(is_so))
        self.fleet, self.cache, self.features, self.seen = MemoryFleet(clock=STANDING), MemoryCache(), MemoryFeatures(), MemorySeenIndex()
        self.keys, self.publisher, self.records = MemoryKeys(), MemoryPublisher(), NoRecords()
        self.folder, self.jobs = folder, MemoryJobs({SPEC.name: 1})
        self.handed_in = Jobs(self.jobs, JobFolders(folder / "jobs"), max_open=MAX_OPEN_JOBS, max_bytes=MAX_UPLOAD_BYTES)
        self.videos, self.search_cache, self.seen_days = MemoryVideos(), MemorySearchCache(), MemorySeenDays()
        self.reference: dict[str, list[float]] = {"*": [step / 5 for step in range(41)]}
        self.usual: dict[str, float] = {"title_length": 10.0, "tag_count": 3.0}
        self.versions: dict[int, Answering | Exception] = {}
        self.loaded: list[int] = []
        self.hold = threading.Event()
        """Loads wait for it."""
        self.hold.set()
        self.generations, self.raised = Generations(), MemoryGenerations(self.fleet)
        self.metrics, self.slots, self.clock = Metrics(), ModelSlots(), PlatformTime()
        self.submitted, self.tried, self.system = Submitted(self.clock), Tried(self.clock), WatchedSystem(self.clock)
        self.admin = WorkedDesk(self.door.manage, self.clock)
        self.own = InMemory()
        self.pushes = MemoryPushes()
        still_counts = self.door.access.gate.authenticator.check_still
        self.hub = PushHub(self.pushes, self.pushes, per_worker=20, per_user=3, still_counts=still_counts, heartbeat_seconds=HEARTBEAT_SECONDS)
        self.lists = MemoryLists()
        self.audience = MemoryAudience(self.lists.tastes)
        listed: dict[str, Any] = {"lists": self.lists, "traces": self.lists, "features": self.features, "pool": ThreadPoolExecutor(1)}
        self.recommend = Recommend(models=self.slots, held=self.slots.held, now=self.clock.now, **listed)
        self.tell = TellEvents(publisher=self.publisher, keys=self.keys, now=self.clock.now)
        self.log = KafkaPredictionLog(self.publisher, on_drop=self.metrics.dropped, max_buffered=max_log)
        self.memory = LastChampions(folder / "champions.json")
        self.serving = self._serving()
        self.app = create_app(self.serving)

    def _serving(self) -> Serving:
        asked: dict[str, Any] = {"models": self.slots, "cache": self.cache, "features": self.features, "seen": self.seen}
        asked |= {"log": self.log, "now": self.clock.now, "generations": self.generations}
        listener = self.listener()
        return Serving(
            worker_id="serving-00:1:abc",
            video_model=SPEC.name,
            predict=Predict(**asked),
            predict_batch=PredictBatch(**asked),
            cold=lambda: self._cold(listener),
            access=self.door.access,
            slots=self.slots,
            listener=listener,
            log=self.log,
            metrics=self.metrics,
            specs={SPEC.name: SPEC},
            now=self.clock.now,
            pool=ThreadPoolExecutor(1),
        )

    def _cold(self, listener: ChampionListener) -> Cold:
        return Cold(
            feedback=TakeFeedback({SPEC.name: SPEC}, self.tell),
            interactions=TakeInteractions(self.tell),
            pushes=self.hub,
            list_answers=ListAnswers(
                self.recommend, self.lists, ExposureLog(self.publisher), listener.assigner.variant_of, self.clock.now, self.metrics.recommended
            ),
            profiles=self.profiles(),
            clear_cache=ClearCache(self.raised, listener.learned, [SPEC.name]),
            records=self.records,
            overview=ShowOverview(PostgresOverview(NO_POSTGRES), [SPEC.name], self.clock.now),
            drift=ShowDrift(PostgresDriftRecords(NO_POSTGRES), EvidentlyReports(self.folder, self.folder), {}),
            jobs=self.handed_in,
            keep_results=timedelta(days=7),
            credentials=self.door.credentials,
            tokens=self.door.mint,
            token_seconds=self.settings.auth.token_minutes * 60,
            tickets=self.door.tickets,
            candidates=self.submitted,
            experiments=self.tried,
            system=self.system,
            admin=self.admin,
            models=ModelDesk(self.own, self.clock, MemoryRegistry(self.folder), {SPEC.name: SPEC}, 1),
            policy=PolicyDesk(self.own, self.settings.policy.path),
            catalogue=self.catalogue(),
        )

    def profiles(self) -> ShowProfiles:
        told: dict[str, Any] = {"audience": self.audience, "lists": self.lists, "features": self.features, "models": self.slots}
        similar = SimilarUsers(cast(Profiles, self.audience), self.audience)
        return ShowProfiles(**told, similar=lambda: similar, now=self.clock.now, pool=ThreadPoolExecutor(1))

    def catalogue(self) -> Catalogue:
        placing, names = Placing(self.slots, SPEC.name), category_names()
        return Catalogue(
            search=Search(
                videos=self.videos,
                features=self.features,
                models=self.slots,
                model=SPEC.name,
                cache=self.search_cache,
                generations=self.generations,
            ),
            video=ShowVideo(self.videos, self.features, SPEC.name),
            spread=ShowSpread(self.videos, placing, names),
            seen=ShowSeen(self.seen_days, self.seen_days, self.clock.now),
            holdings=ShowHoldings(self.videos, names, self.generations, self.clock.now),
            rankings=ShowRankings(self.videos, placing, names),
            movers=ShowMovers(self.videos),
            explain=ExplainPrediction(self.slots, self.features, SPEC.name, score_of, ThreadPoolExecutor(1)),
        )

    def listener(self) -> ChampionListener:
        return ChampionListener(
            fleet=self.fleet,
            slots=self.slots,
            load=self.load,
            memory=self.memory,
            clock=self.clock,
            worker_id="serving-00:1:abc",
            pid=1,
            on_swap=self.metrics.swapped,
            on_canary_fault=self.metrics.canary_failed,
            generations=self.generations,
        )

    def load(self, model: str, version: int) -> LoadedModel:
        self.hold.wait(10)
        found = self.versions.get(version, NotFound(f"no version {model}@{version}"))
        if isinstance(found, Exception):
            raise found
        self.loaded.append(version)
        return LoadedModel(SPEC, version, found, "0" * 16, lambda matrix: np.full(len(matrix), float(version)), reference=self.reference, usual=self.usual)

    def client(self, *roles: Role, token: str | None = None, peer: str = "127.0.0.1", subject: str = "test") -> httpx.AsyncClient:
        """With a token of these roles, of operator and service by default; `token=""`: without any."""
        if token is None:
            token = self.door.token(*(roles or (Role.OPERATOR, Role.SERVICE)), subject=subject)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=(peer, 40_000)), base_url="http://serving", headers=headers)

    async def deployed(self, version: int, *, shadow: bool = False) -> UUID:
        """Prepared, flipped and answered with."""
        deployment = uuid4()
        self.versions.setdefault(version, Plain(version))
        self.fleet.prepare(deployment, SPEC.name, version)
        await self.until(lambda: ("prepared", deployment, "") in self.fleet.acks)
        self.fleet.flip(deployment, shadow=shadow)
        await self.until(lambda: ("serving", deployment, "") in self.fleet.acks)
        return deployment

    async def until(self, condition: Any, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any state of the twins, which tell nobody
                await asyncio.sleep(0.005)
