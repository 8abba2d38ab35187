"""Joins services with adapters and domains. One `Parts` per process; each part is built when first asked for, so a light process
never imports what it does not use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import NotFound
from evergreen.settings import Settings

if TYPE_CHECKING:
    from evergreen.adapters.delta_lake import DeltaLake
    from evergreen.adapters.mlflow_registry import MlflowRegistry
    from evergreen.adapters.postgres.clock import PlatformClock
    from evergreen.adapters.postgres.store import PostgresStore
    from evergreen.ports.dataset import Dataset
    from evergreen.ports.model import ModelSpec
    from evergreen.ports.storage import ClaimedAction
    from evergreen.services.carry_out import CarryOut


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
    def registry(self) -> MlflowRegistry:
        from evergreen.adapters.artifacts import signing_key
        from evergreen.adapters.mlflow_registry import MlflowRegistry

        mlflow = self.settings.mlflow
        key = signing_key(self.settings.signing_key.get_secret_value())
        return MlflowRegistry(mlflow.tracking_uri, cache=self.settings.home / "data" / "models", key=key, public_url=mlflow.public_url)

    @cached_property
    def specs(self) -> Mapping[str, ModelSpec]:
        """Every model this home knows, by name."""
        from evergreen.domains.videos.spec import video_spec

        videos = video_spec(self.settings.videos.region)
        return {videos.name: videos}

    def spec(self, model: str) -> ModelSpec:
        if model not in self.specs:
            raise NotFound(f"no model {model!r}; known: {', '.join(self.specs)}")
        return self.specs[model]

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every feed this home takes in, by the name events call it."""
        from evergreen.domains.videos.dataset import video_dataset

        videos = video_dataset(self.settings.videos.region)
        return {videos.name: videos}

    @cached_property
    def lake(self) -> DeltaLake:
        from evergreen.adapters.delta_lake import DeltaLake

        return DeltaLake(self.settings.data_dir, self.datasets)

    def use_case(self, kind: ActionKind) -> Callable[[ClaimedAction], Mapping[str, Any]]:
        """What carries out an action of this kind. It opens the transaction with the lease itself and completes the action in it."""
        raise NotFound(f"no use case carries out {kind}")
