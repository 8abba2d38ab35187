"""Every setting of the product, typed and built once per process by `load_settings`, then passed in.

Sources, strongest first: environment (`EVERGREEN_…`, nested with `__`), the running stack's `run/stack.env` in the home,
defaults. Nothing is read at import.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from evergreen.core.errors import UnsafeSettings
from evergreen.environment import CHECKOUT, chosen_home, stack_env_file
from evergreen.settings_auth import AuthSettings
from evergreen.settings_jobs import JobsSettings
from evergreen.settings_monitor import MonitorSettings
from evergreen.settings_notify import ChannelSettings, NotifySettings
from evergreen.settings_pool import PoolSettings
from evergreen.settings_rollout import RolloutSettings


class KafkaSettings(BaseModel):
    bootstrap_servers: str = "127.0.0.1:9092"
    replication_factor: int = Field(default=1, ge=1)
    delivery_timeout_seconds: float = Field(default=10.0, gt=0)


class PostgresSettings(BaseModel):
    dsn: SecretStr = SecretStr("")
    """libpq URI of role app_rw in database evergreen."""
    readonly_dsn: SecretStr = SecretStr("")
    """The same for role app_ro."""
    admin_dsn: SecretStr = SecretStr("")
    """The same for the role that owns the schema: migrations, backup and restore only, never a worker."""
    pool: PoolSettings = PoolSettings()


class RedisSettings(BaseModel):
    url: SecretStr = SecretStr("")
    timeout_seconds: float = Field(default=0.05, gt=0)
    """Per call on serving's hot path: a slow cache must not slow an answer."""


class MlflowSettings(BaseModel):
    tracking_uri: str = "http://127.0.0.1:5000"
    public_url: str = ""
    """Where a browser finds the UI when that differs from `tracking_uri`."""


class ServingSettings(BaseModel):
    host: str = "127.0.0.1"
    port: int = 8000
    min_workers: int = Field(default=2, ge=1)
    max_workers: int = Field(default=4, ge=1)
    min_confirmations: int = Field(default=1, ge=0)
    """Promotion needs at least this many live workers; 0 only for `airflow dags test`."""
    confirm_timeout_seconds: float = Field(default=30.0, gt=0)
    cache_ttl_seconds: int = Field(default=300, ge=1)
    max_streams: int = Field(default=5_000, ge=0)
    """Connections of one worker that wait for pushed lists."""
    max_streams_per_user: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _refuse_a_minimum_above_the_maximum(self) -> ServingSettings:
        if self.min_workers > self.max_workers:
            raise UnsafeSettings(f"EVERGREEN_SERVING__MIN_WORKERS={self.min_workers} is more than EVERGREEN_SERVING__MAX_WORKERS={self.max_workers}")
        return self

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class DashboardSettings(BaseModel):
    host: str = "127.0.0.1"
    port: int = 8501
    serving_url: str = ""
    """Default: this home's serving."""
    public_url: str = ""
    """Where people's browsers find it. Default: its host and port."""

    @property
    def url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


class RecommenderSettings(BaseModel):
    min_workers: int = Field(default=1, ge=1)
    max_workers: int = Field(default=3, ge=1, le=3)
    """More than a topic has partitions would have nothing to do."""

    @model_validator(mode="after")
    def _refuse_a_minimum_above_the_maximum(self) -> RecommenderSettings:
        if self.min_workers > self.max_workers:
            raise UnsafeSettings(f"EVERGREEN_RECOMMENDER__MIN_WORKERS={self.min_workers} is more than EVERGREEN_RECOMMENDER__MAX_WORKERS={self.max_workers}")
        return self


class ScalerSettings(BaseModel):
    kind: Literal["local", "kubernetes", "compose", "none"] = "local"
    """What runs the workers. `none`: a scale action fails and says so, which reaches people as an alert."""
    settle_seconds: float = Field(default=90.0, gt=0)
    """How long new workers may take until they run."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    """Of one call to the API server or the container engine."""
    api_url: str = "https://kubernetes.default.svc"
    namespace: str = ""
    """Default: the pod's own."""
    deployment: str = "serving"
    service_account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    """Folder with `token`, `ca.crt` and `namespace`, as Kubernetes mounts it."""
    compose_file: Path = CHECKOUT / "docker-compose.yml"
    compose_service: str = "serving"


class AirflowSettings(BaseModel):
    url: str = "http://127.0.0.1:8080"


class PolicySettings(BaseModel):
    path: Path = CHECKOUT / "policies" / "default.yaml"


class VideosSettings(BaseModel):
    region: str = "KR"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="EVERGREEN_", env_nested_delimiter="__", extra="ignore")

    home: Path = CHECKOUT / ".evergreen"
    cache: Path = CHECKOUT / ".evergreen" / "cache"
    """Jars and start-up archives: shared by every home, survives `make clean` of one of them."""
    port_offset: int = Field(default=0, ge=0, le=50000)
    environment: Literal["development", "production"] = "development"
    test_data: Path = CHECKOUT.parent / "shared" / "data"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    signing_key: SecretStr = SecretStr("")
    """Hex key (32 bytes) the training job signs artifact manifests with."""

    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    mlflow: MlflowSettings = MlflowSettings()
    serving: ServingSettings = ServingSettings()
    dashboard: DashboardSettings = DashboardSettings()
    recommender: RecommenderSettings = RecommenderSettings()
    scaler: ScalerSettings = ScalerSettings()
    airflow: AirflowSettings = AirflowSettings()
    policy: PolicySettings = PolicySettings()
    videos: VideosSettings = VideosSettings()
    notify: NotifySettings = NotifySettings()
    monitor: MonitorSettings = MonitorSettings()
    jobs: JobsSettings = JobsSettings()
    auth: AuthSettings = AuthSettings()
    rollout: RolloutSettings = RolloutSettings()

    @property
    def data_dir(self) -> Path:
        """Bronze, silver, gold and quarantined batches of this home."""
        return self.home / "data" / "lake"

    @property
    def channels(self) -> dict[str, ChannelSettings]:
        """Where notices go. None in production unless named."""
        unnamed = {"file": ChannelSettings(kind="file")} if self.environment == "development" else {}
        return self.notify.channels or unnamed

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Settings:
        if self.environment == "production":
            if self.serving.min_confirmations < 1:
                raise UnsafeSettings("EVERGREEN_SERVING__MIN_CONFIRMATIONS=0 promotes without a server's word; it is for `airflow dags test` only")
            if self.port_offset == 0 and self.serving.host not in {"127.0.0.1", "::1"} and not self.signing_key.get_secret_value():
                raise UnsafeSettings("EVERGREEN_SIGNING_KEY is needed where serving listens beyond loopback")
            if self.auth.oidc.plain:
                raise UnsafeSettings("EVERGREEN_AUTH__OIDC__PLAIN fetches keys that anybody on the way may change; it is for development only")
        return self


def load_settings(home: Path | None = None, *, with_stack: bool = True) -> Settings:
    """Settings of one home (default: `EVERGREEN_HOME`, else the checkout's `.evergreen`).

    `with_stack=False` leaves out what a running stack wrote: only what the caller set himself remains."""
    home = (home or chosen_home() or CHECKOUT / ".evergreen").resolve()
    return Settings(_env_file=stack_env_file(home) if with_stack else None, home=home)
