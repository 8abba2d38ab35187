"""From a home and what the caller set to a context, and to the file every process of the stack reads its settings from."""

from __future__ import annotations

import json
from pathlib import Path

from evergreen.adapters.token_keys import ensure_key_file, key_file
from evergreen.core.errors import StackError
from evergreen.environment import given_settings
from evergreen.local_stack.credentials import Credentials, load_credentials
from evergreen.local_stack.home import Home, write_private
from evergreen.local_stack.part import StackContext
from evergreen.local_stack.ports import Ports
from evergreen.settings import Settings, load_settings


def new_context(path: Path, port_offset: int | None = None) -> StackContext:
    """For a start: endpoints and secrets are settled anew and written to the home's `run/stack.env`."""
    home = Home(path.resolve())
    home.make()
    given = load_settings(home.path, with_stack=False)
    ports = Ports(given.port_offset if port_offset is None else port_offset)
    credentials = load_credentials(home)
    if not given.auth.keys.get_secret_value():
        ensure_key_file(key_file(given))
    variables = _endpoints(given, ports, credentials) | given_settings() | {"EVERGREEN_PORT_OFFSET": str(ports.offset), "EVERGREEN_CACHE": str(given.cache)}
    write_private(home.env_file, "".join(f"{name}={value}\n" for name, value in sorted(variables.items())))
    return StackContext(home, ports, credentials, load_settings(home.path), external_parts(given))


def running_context(path: Path) -> StackContext:
    """Of the stack that runs (or was left half-started) in a home. Raises `StackError` when there is none."""
    home = Home(path.resolve())
    if not home.manifest_file.exists() or not home.env_file.exists():
        raise StackError(f"no stack runs in {home.path}; start one with `make up`")
    settings = load_settings(home.path)
    manifest = json.loads(home.manifest_file.read_text())
    offset = manifest.get("port_offset", settings.port_offset)  # as it runs, whatever the caller's environment says now
    return StackContext(home, Ports(offset), load_credentials(home), settings, frozenset(manifest["external"]))


def external_parts(given: Settings) -> frozenset[str]:
    """Parts the caller named by URL. Raises `StackError` where the stack could not set up an external database."""
    named = {
        "kafka": "bootstrap_servers" in given.kafka.model_fields_set,
        "postgres": "dsn" in given.postgres.model_fields_set,
        "redis": "url" in given.redis.model_fields_set,
        "mlflow": "tracking_uri" in given.mlflow.model_fields_set,
        "airflow": "url" in given.airflow.model_fields_set,
    }
    if named["postgres"] and not given.postgres.admin_dsn.get_secret_value():
        raise StackError("EVERGREEN_POSTGRES__DSN names an external Postgres: set EVERGREEN_POSTGRES__ADMIN_DSN too (a role that may create databases)")
    return frozenset(part for part, external in named.items() if external)


def _endpoints(given: Settings, ports: Ports, credentials: Credentials) -> dict[str, str]:
    postgres = f"127.0.0.1:{ports.of('postgres')}"
    variables = {
        "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{ports.of('kafka')}",
        "POSTGRES__DSN": f"postgresql://app_rw:{credentials.app_rw}@{postgres}/evergreen",
        "POSTGRES__READONLY_DSN": f"postgresql://app_ro:{credentials.app_ro}@{postgres}/evergreen",
        "POSTGRES__ADMIN_DSN": f"postgresql://postgres:{credentials.postgres}@{postgres}/evergreen",
        "REDIS__URL": f"redis://:{credentials.redis}@127.0.0.1:{ports.of('redis')}/0",
        "MLFLOW__TRACKING_URI": f"http://127.0.0.1:{ports.of('mlflow')}",
        "AIRFLOW__URL": f"http://127.0.0.1:{ports.of('airflow-api')}",
        "SERVING__PORT": str(ports.of("serving")),
        "DASHBOARD__PORT": str(ports.of("dashboard")),
        "MONITOR__PORT": str(ports.of("monitor")),
        "SIGNING_KEY": credentials.signing_key,
        "AUTH__DASHBOARD_SECRET": credentials.dashboard_secret,
    }
    return {f"EVERGREEN_{name}": value for name, value in variables.items()}
