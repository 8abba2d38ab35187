"""Joins services with adapters and domains. One `Parts` per process; each part is built when first asked for, so a light process
never imports what it does not use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from evergreen.core.errors import NotFound
from evergreen.environment import models_folder

if TYPE_CHECKING:
    from threading import Event

    from redis import Redis

    from evergreen.adapters.delta_lake import DeltaLake
    from evergreen.adapters.evidently_report import EvidentlyReports
    from evergreen.adapters.kafka import KafkaPublisher
    from evergreen.adapters.mlflow_registry import MlflowRegistry
    from evergreen.adapters.postgres.clock import PlatformClock
    from evergreen.adapters.postgres.store import PostgresStore
    from evergreen.adapters.redis_bloom import RedisSeenIndex
    from evergreen.bootstrap_access import AccessParts
    from evergreen.bootstrap_intake import IntakeParts
    from evergreen.bootstrap_jobs import JobParts
    from evergreen.bootstrap_monitor import MonitorParts
    from evergreen.bootstrap_notifier import NotifierParts
    from evergreen.bootstrap_people import PeopleParts
    from evergreen.bootstrap_recommender import RecommenderParts
    from evergreen.bootstrap_use_cases import UseCase
    from evergreen.contracts.actions import ActionKind
    from evergreen.domains.tabular.declared import Declared
    from evergreen.ports.dataset import Dataset
    from evergreen.ports.domain import Offer
    from evergreen.ports.model import ModelSpec
    from evergreen.ports.scaler import Scaler
    from evergreen.services.carry_out import CarryOut
    from evergreen.services.champion_projection import ChampionProjection
    from evergreen.services.check_performance import CheckPerformance
    from evergreen.services.deploy import Deploy
    from evergreen.services.drift_evidence import DriftEvidence
    from evergreen.services.index import IndexBatch
    from evergreen.services.quiescence import Quiescence
    from evergreen.services.record_stream import RecordStream
    from evergreen.services.retrain_report import RetrainReports
    from evergreen.services.scale import ScaleService
    from evergreen.services.shadow_trial import ShadowTrialStep
    from evergreen.settings import Settings


class Parts:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def store(self) -> PostgresStore:
        from evergreen.adapters.postgres.store import PostgresStore

        return PostgresStore(self.settings.postgres.dsn.get_secret_value())

    @cached_property
    def clock(self) -> PlatformClock:
        from evergreen.adapters.postgres.clock import PlatformClock

        return PlatformClock(self.store)

    @cached_property
    def carry_out(self) -> CarryOut:
        from evergreen.services.carry_out import CarryOut

        return CarryOut(self.store, self.clock)

    @cached_property
    def publisher(self) -> KafkaPublisher:
        from evergreen.adapters.kafka import KafkaPublisher

        return KafkaPublisher(self.settings.kafka)

    @cached_property
    def intake(self) -> IntakeParts:
        from evergreen.bootstrap_intake import IntakeParts

        return IntakeParts(self)

    @cached_property
    def monitor(self) -> MonitorParts:
        from evergreen.bootstrap_monitor import MonitorParts

        return MonitorParts(self)

    @cached_property
    def quiescence(self) -> Quiescence:
        return self.intake.quiescence

    @cached_property
    def registry(self) -> MlflowRegistry:
        from evergreen.adapters.artifacts import signing_key
        from evergreen.adapters.mlflow_registry import MlflowRegistry

        mlflow, key = self.settings.mlflow, signing_key(self.settings.signing_key.get_secret_value())
        return MlflowRegistry(mlflow.tracking_uri, cache=self.settings.home / "data" / "models", key=key, public_url=mlflow.public_url)

    @cached_property
    def specs(self) -> Mapping[str, ModelSpec]:
        """Every model this home knows, by name."""
        return {offer.spec.name: offer.spec for offer in self.offers}

    @cached_property
    def offers(self) -> Sequence[Offer]:
        """What the domains and the home's spec files offer."""
        from evergreen.bootstrap_domains import offers

        return offers(self.settings)

    def spec(self, model: str) -> ModelSpec:
        if model not in self.specs:
            raise NotFound(f"no model {model!r}; known: {', '.join(self.specs)}")
        return self.specs[model]

    def declared(self, model: str) -> Declared:
        """A model of this home's own spec files. Raises NotFound, SpecRefused (what is wrong with its file)."""
        from evergreen.domains.tabular.folder import declared_model

        return declared_model(models_folder(self.settings.home), model)

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every feed this home takes in, by the name events call it."""
        return {dataset.name: dataset for offer in self.offers for dataset in offer.datasets}

    @cached_property
    def lake(self) -> DeltaLake:
        from evergreen.adapters.delta_lake import DeltaLake

        return DeltaLake(self.settings.data_dir, self.datasets)

    @cached_property
    def redis(self) -> Redis:
        """For workers: patient. Serving has its own guarded way."""
        from redis import Redis

        return Redis.from_url(self.settings.redis.url.get_secret_value(), socket_timeout=5, socket_connect_timeout=2)

    @cached_property
    def seen_index(self) -> RedisSeenIndex:
        from evergreen.adapters.redis_bloom import RedisSeenIndex

        return RedisSeenIndex(self.redis)

    @cached_property
    def index_batch(self) -> IndexBatch:
        from evergreen.adapters.feature_copies import RedisFeatureCopies
        from evergreen.services.index import IndexBatch

        models = {name: [spec.name for spec in self.specs.values() if name in spec.datasets] for name in self.datasets}
        return IndexBatch(self.store, self.lake, self.datasets, models, self.seen_index, RedisFeatureCopies(self.redis))

    @cached_property
    def record_stream(self) -> RecordStream:
        from evergreen.services.record_stream import RecordStream

        return RecordStream(self.store, self.clock, self.specs)

    @cached_property
    def drift_evidence(self) -> DriftEvidence:
        from evergreen.services.drift_evidence import DriftEvidence

        return DriftEvidence(self.store, self.lake, self.registry, self.drift_pictures, self.spec)

    @cached_property
    def drift_pictures(self) -> EvidentlyReports:
        from evergreen.adapters.evidently_report import EvidentlyReports

        return EvidentlyReports(self.settings.home / "data" / "reports" / "drift", self.settings.home)

    @cached_property
    def retrain_reports(self) -> RetrainReports:
        from evergreen.services.retrain_report import RetrainReports

        return RetrainReports(self.store, self.registry, self.spec)

    @cached_property
    def projection(self) -> ChampionProjection:
        from evergreen.services.champion_projection import ChampionProjection
        from evergreen.services.examine_moved import ExamineMoved

        now = self.clock.now
        return ChampionProjection(self.store, self.registry, self.specs, now, ExamineMoved(self.store, self.registry, self.spec, now).run)

    @cached_property
    def deploy(self) -> Deploy:
        from evergreen.bootstrap_rollout import deploy

        return deploy(self)

    @cached_property
    def shadow_trials(self) -> ShadowTrialStep:
        from evergreen.bootstrap_rollout import shadow_trials

        return shadow_trials(self)

    @cached_property
    def notifier(self) -> NotifierParts:
        from evergreen.bootstrap_notifier import NotifierParts

        return NotifierParts(self)

    def scale_service(self, scaler: Scaler, stop: Event) -> ScaleService:
        """The scaler comes from above (`local_stack.scaling`): one of them is the local stack itself."""
        from evergreen.services.scale import ScaleService

        return ScaleService(self.store, self.clock, self.carry_out, scaler, settle_seconds=self.settings.scaler.settle_seconds, stop=stop)

    @cached_property
    def jobs(self) -> JobParts:
        from evergreen.bootstrap_jobs import JobParts

        return JobParts(self)

    @cached_property
    def people(self) -> PeopleParts:
        from evergreen.bootstrap_people import PeopleParts

        return PeopleParts(self)

    @cached_property
    def access(self) -> AccessParts:
        from evergreen.bootstrap_access import AccessParts

        return AccessParts(self)

    @cached_property
    def recommender(self) -> RecommenderParts:
        from evergreen.bootstrap_recommender import RecommenderParts

        return RecommenderParts(self)

    @cached_property
    def check_performance(self) -> CheckPerformance:
        from evergreen.services.check_performance import CheckPerformance

        return CheckPerformance(self.store, self.clock, self.carry_out, self.registry, self.spec)

    def use_case(self, kind: ActionKind) -> UseCase:
        """What carries out an action of this kind. It opens the transaction with the lease itself and completes the action in it."""
        from evergreen.bootstrap_use_cases import use_case

        return use_case(self, kind)
