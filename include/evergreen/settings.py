"""Every setting of the product, typed and built once per process by `load_settings`, then passed in.

Sources, strongest first: environment (`EVERGREEN_…`, nested with `__`), the running stack's `run/stack.env` in the home,
defaults. Nothing is read at import.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from evergreen.core.errors import UnsafeSettings
from evergreen.settings_monitor import MonitorSettings
from evergreen.settings_notify import ChannelSettings, NotifySettings

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder with dags/, policies/ and requirements.txt: code finds its data files from here, never from the working directory."""


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

    @model_validator(mode="after")
    def _refuse_a_minimum_above_the_maximum(self) -> ServingSettings:
        if self.min_workers > self.max_workers:
            raise UnsafeSettings(f"EVERGREEN_SERVING__MIN_WORKERS={self.min_workers} is more than EVERGREEN_SERVING__MAX_WORKERS={self.max_workers}")
        return self

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


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
    scaler: ScalerSettings = ScalerSettings()
    airflow: AirflowSettings = AirflowSettings()
    policy: PolicySettings = PolicySettings()
    videos: VideosSettings = VideosSettings()
    notify: NotifySettings = NotifySettings()
    monitor: MonitorSettings = MonitorSettings()

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
        return self


def stack_env_file(home: Path) -> Path:
    """Where a running stack writes its endpoints and secrets (mode 0600) for every process of this home."""
    return home / "run" / "stack.env"


def chosen_home() -> Path | None:
    """The home the caller named by `EVERGREEN_HOME`, or None."""
    named = os.environ.get("EVERGREEN_HOME")
    return Path(named).resolve() if named else None


def use_home(home: Path) -> None:
    """Make `home` the one every later `load_settings` of this process and of its children acts on (the command line's `--home`)."""
    os.environ["EVERGREEN_HOME"] = str(home.resolve())


def load_settings(home: Path | None = None, *, with_stack: bool = True) -> Settings:
    """Settings of one home (default: `EVERGREEN_HOME`, else the checkout's `.evergreen`).

    `with_stack=False` leaves out what a running stack wrote: only what the caller set himself remains."""
    home = (home or chosen_home() or CHECKOUT / ".evergreen").resolve()
    return Settings(_env_file=stack_env_file(home) if with_stack else None, home=home)


def service_name(default: str) -> str:
    """How the supervisor calls this process, e.g. `serving-01`."""
    return os.environ.get("EVERGREEN_SERVICE", default)


def share_metrics(folder: Path) -> None:
    """Let the processes of one service add up their Prometheus metrics in `folder`. Before prometheus_client is imported: it decides then."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def use_one_thread() -> None:
    """Numeric libraries compute with one thread unless told otherwise: a request's arithmetic is too small to share. Before they are imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def user_name() -> str:
    """Who runs this process. A uid without an account (a container's) has no name: some parts cannot do without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        return "evergreen"


PASSED_ON = ("LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "COVERAGE_PROCESS_START")
"""What a part of the stack inherits from the shell that started it; nothing else, so that a start depends on the home alone."""


def child_environment(home: Path) -> dict[str, str]:
    """The environment every part of the stack starts from: the home, this environment's programs, time in UTC, no usage data sent."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {
        "EVERGREEN_HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home / "data" / "home"),
        "USER": (user := user_name()),
        "LOGNAME": user,
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "SPT_NOENV": "1",  # a process that renames itself keeps its environment readable: that is how its home is known
    }


def given_settings() -> dict[str, str]:
    """Every `EVERGREEN_…` variable the caller set: a stack keeps them for all its processes."""
    return {name: value for name, value in os.environ.items() if name.startswith("EVERGREEN_") and name not in {"EVERGREEN_HOME", "EVERGREEN_SERVICE"}}
