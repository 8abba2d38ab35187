"""What only FastAPI's routes use: built with its application, after the worker answers its hot routes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from evergreen.adapters.access_rows import AccountRows
from evergreen.adapters.alert_rows import AlertRows
from evergreen.adapters.cache_generations import PostgresGenerations
from evergreen.adapters.drift_records import PostgresDriftRecords
from evergreen.adapters.job_desk import PostgresJobDesk
from evergreen.adapters.jobs.files import JobFolders
from evergreen.adapters.kafka_topics import KafkaTopics
from evergreen.adapters.log_lines import LogFolder
from evergreen.adapters.loop_records import LoopRecords
from evergreen.adapters.online_features import OnlineFeatureStore
from evergreen.adapters.overview_rows import PostgresOverview
from evergreen.adapters.passwords import NOBODYS, Argon2
from evergreen.adapters.redis_audience import RedisAudience
from evergreen.adapters.redis_cache import RedisIdempotencyKeys
from evergreen.adapters.redis_lists import RedisLists, RedisPushes
from evergreen.adapters.redis_tickets import RedisTickets
from evergreen.adapters.redis_wakeups import RedisWakeUps
from evergreen.adapters.system_readings import SystemReadings
from evergreen.adapters.token_mint import TokenMint
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
)
from evergreen.core.access import Role
from evergreen.core.clock import wall_now
from evergreen.core.explanation import About
from evergreen.ports.access import Tickets
from evergreen.ports.experiments import ExperimentRow
from evergreen.services.clear_cache import ClearCache
from evergreen.services.experiments import NewExperiment
from evergreen.services.feedback import TakeFeedback
from evergreen.services.issue_token import CheckCredentials
from evergreen.services.jobs import Jobs
from evergreen.services.once import Keyed
from evergreen.services.overview import ShowOverview
from evergreen.services.quiescence import GROUPS
from evergreen.services.recommend import Recommend
from evergreen.services.show_drift import ShowDrift
from evergreen.services.show_profiles import ShowProfiles
from evergreen.services.show_system import ShowSystem
from evergreen.services.similar_users import SimilarUsers
from evergreen.services.submissions import Submission
from evergreen.services.take_interactions import TakeInteractions
from evergreen.services.told_events import TellEvents
from evergreen.settings import Settings
from serving.admin_desk import AdminDesk, build_admin_desk
from serving.auth.build import Access
from serving.candidates import Candidates
from serving.catalogue import Catalogue, build_catalogue, category_names
from serving.dependencies import Joined, Links, video_model
from serving.experiment_desk import ExperimentDesk
from serving.exposures import ExposureLog
from serving.job_starter import JobStarter
from serving.list_answers import ListAnswers
from serving.model_desk import ModelDesk
from serving.own_store import OwnStore
from serving.own_tastes import OwnTastes
from serving.policy_desk import PolicyDesk
from serving.push import PushHub
from serving.system_desk import SystemDesk, build_system_desk

FEEDBACK_THREADS = 10


class Records(Protocol):
    async def models(self) -> list[ModelState]: ...
    async def history(self, model: str, limit: int, cursor: str | None) -> DeploymentPage: ...
    async def events(self, wanted: EventFilter) -> EventPage: ...
    async def event(self, event_id: str) -> EventRecord: ...
    async def decisions(self, wanted: DecisionFilter) -> DecisionPage: ...
    async def decision(self, model: str, seq: int) -> DecisionRecord: ...
    async def actions(self, wanted: ActionFilter) -> ActionPage: ...
    async def explain(self, name: str, about: About | None = None) -> Explanation: ...


class Submissions(Protocol):
    async def submit(self, asked: Submission) -> UUID: ...


class ExperimentsDesk(Protocol):
    async def start(self, asked: NewExperiment, keyed: Keyed | None) -> ExperimentSaid: ...
    async def stop(self, name: str, *, who: str, reason: str) -> ExperimentRow: ...
    async def get(self, name: str) -> ExperimentRow: ...
    async def newest(self, limit: int, model: str | None) -> Sequence[ExperimentRow]: ...


@dataclass(frozen=True)
class Cold:
    feedback: TakeFeedback
    interactions: TakeInteractions
    pushes: PushHub
    list_answers: ListAnswers
    profiles: ShowProfiles
    clear_cache: ClearCache
    records: Records
    overview: ShowOverview
    drift: ShowDrift
    catalogue: Catalogue
    jobs: Jobs
    keep_results: timedelta
    credentials: CheckCredentials
    tokens: TokenMint
    token_seconds: int
    tickets: Tickets
    candidates: Submissions
    experiments: ExperimentsDesk
    system: SystemDesk
    admin: AdminDesk
    models: ModelDesk
    policy: PolicyDesk

    async def mint(self, subject: str, roles: Collection[Role]) -> str:
        return (await asyncio.to_thread(self.tokens.mint, subject, roles, self.token_seconds / 60)).token


def build_cold(settings: Settings, joined: Joined) -> Cold:
    parts, links, clock, listener, access = joined.parts, joined.links, joined.clock, joined.listener, joined.access
    tell = TellEvents(
        publisher=links.kafka,
        keys=RedisIdempotencyKeys(links.redis),
        now=clock.now,
        pool=ThreadPoolExecutor(FEEDBACK_THREADS, thread_name_prefix="feedback"),
    )
    stores = OwnStore(settings.postgres.dsn.get_secret_value())
    people = OnlineFeatureStore(links.postgres, links.redis, links.generations)  # its own: people must not crowd out videos
    return Cold(
        feedback=TakeFeedback(parts.specs, tell),
        interactions=TakeInteractions(tell),
        pushes=_pushes(settings, links, access),
        list_answers=_list_answers(joined, people),
        profiles=_profiles(settings, joined, people),
        clear_cache=ClearCache(PostgresGenerations(links.postgres), listener.learned, list(parts.specs)),
        records=LoopRecords(links.postgres, list(parts.specs), settings.airflow.url),
        overview=ShowOverview(PostgresOverview(links.postgres), list(parts.specs), wall_now),
        drift=ShowDrift(PostgresDriftRecords(links.postgres), parts.drift_pictures, {"category_id": category_names()}),
        catalogue=build_catalogue(links, joined.slots, parts.specs[video_model(parts.specs)], clock, joined.pool),
        jobs=_jobs(settings, links, joined.starter),
        keep_results=timedelta(days=settings.jobs.keep_days),
        credentials=CheckCredentials(AccountRows(links.postgres), Argon2(), NOBODYS),
        tokens=TokenMint(settings.auth, access.keys),
        token_seconds=settings.auth.token_minutes * 60,
        tickets=RedisTickets(links.redis),
        candidates=Candidates(stores, clock, parts.specs),
        experiments=ExperimentDesk(stores, clock, parts.specs),
        system=_system(settings, joined, stores),
        admin=build_admin_desk(stores, settings.kafka, clock),
        models=ModelDesk(stores, clock, parts.registry, parts.specs, settings.serving.min_confirmations),
        policy=PolicyDesk(stores, settings.policy.path),
    )


def _system(settings: Settings, joined: Joined, stores: OwnStore) -> SystemDesk:
    postgres, clock = joined.links.postgres, joined.clock
    system = ShowSystem(SystemReadings(postgres), clock.now, wall_now)
    topics, logs = KafkaTopics(settings.kafka.bootstrap_servers, GROUPS), LogFolder(settings.home / "logs")
    return build_system_desk(system, AlertRows(postgres), topics, logs, stores, clock)


def _list_answers(joined: Joined, features: OnlineFeatureStore) -> ListAnswers:
    links, slots, now = joined.links, joined.slots, joined.clock.now
    lists, pool = RedisLists(links.redis), ThreadPoolExecutor(1, thread_name_prefix="recommend")
    recommend = Recommend(lists=lists, traces=lists, features=features, models=slots, held=slots.held, now=now, pool=pool)
    return ListAnswers(recommend, lists, ExposureLog(links.telemetry), joined.listener.assigner.variant_of, now, joined.metrics.recommended)


def _profiles(settings: Settings, joined: Joined, features: OnlineFeatureStore) -> ShowProfiles:
    links, dsn = joined.links, settings.postgres.dsn.get_secret_value()

    def similar() -> SimilarUsers:
        profiles = joined.parts.recommender.profiles
        return SimilarUsers(profiles, OwnTastes(dsn, profiles))

    return ShowProfiles(
        audience=RedisAudience(links.redis, links.postgres),
        lists=RedisLists(links.redis),
        features=features,
        similar=similar,
        models=joined.slots,
        now=joined.clock.now,
        pool=ThreadPoolExecutor(1, thread_name_prefix="profiles"),
    )


def _pushes(settings: Settings, links: Links, access: Access) -> PushHub:
    return PushHub(
        RedisPushes(links.redis),
        RedisWakeUps(settings.redis.url.get_secret_value()),
        per_worker=settings.serving.max_streams,
        per_user=settings.serving.max_streams_per_user,
        still_counts=access.gate.authenticator.check_still,
    )


def _jobs(settings: Settings, links: Links, starter: JobStarter) -> Jobs:
    wanted, files = settings.jobs, JobFolders.of_home(settings.home)
    return Jobs(PostgresJobDesk(links.postgres), files, max_open=wanted.max_open_per_caller, max_bytes=wanted.max_upload_bytes, poke=starter.poke)
