"""What a stack is doing: a state per service, workers, models, clock, addresses and logins."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evergreen.core.errors import StackError
from evergreen.core.monitoring import check_every
from evergreen.local_stack.catalogue import HIDDEN, build_parts
from evergreen.local_stack.context import running_context
from evergreen.local_stack.home import Home
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.supervision import ProcessState, Supervisor
from evergreen.services.manage_access import FIRST

STARTING_SECONDS = 60
"""A part that runs but is not ready is starting for this long, and unhealthy afterwards."""

SILENT = "it runs but does not answer: nothing that ends is started again"


@dataclass
class ServiceStatus:
    state: str
    pid: int | None = None
    url: str | None = None
    workers: list[dict[str, Any]] | None = None
    """Those that run, or should: none that was scaled away."""
    limits: dict[str, int] | None = None
    """`min` and `max` of workers."""


@dataclass
class StackStatus:
    home: str
    services: dict[str, ServiceStatus]
    models: dict[str, dict[str, int]]
    clock: dict[str, Any] | None
    urls: dict[str, str]
    logins: dict[str, dict[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Without the logins: what scripts read ends up in logs."""
        services = {
            name: {key: value for key, value in asdict(status).items() if key not in ("workers", "limits") or value is not None}
            for name, status in self.services.items()
        }
        return {"home": self.home, "services": services, "models": self.models, "clock": self.clock, "urls": self.urls}


def state_of(process: ProcessState, ready: bool) -> str:
    """One of starting, healthy, unhealthy, stopped, gave_up."""
    if process.state == "FATAL":
        return "gave_up"
    if process.state in {"RUNNING", "STARTING"}:
        if ready:
            return "healthy"
        return "starting" if process.seconds < STARTING_SECONDS else "unhealthy"
    return "unhealthy" if process.state == "BACKOFF" else "stopped"


def stack_status(home: Path) -> StackStatus:
    """Asks every part. Raises `StackError` when no stack runs in the home."""
    context = running_context(home)
    manifest = json.loads(context.home.manifest_file.read_text())
    parts = [part for part in build_parts(context, frozenset(manifest["processes"])) if part.name not in HIDDEN]
    processes = _processes(context.home)
    with ThreadPoolExecutor(len(parts) + 1) as pool:
        ready = dict(zip((part.name for part in parts), pool.map(lambda part: part.probe(), parts), strict=True))
    if processes is None:
        services = {part.name: ServiceStatus("healthy" if ready[part.name] else "unhealthy", url=part.url) for part in parts}
        services["supervisor"] = ServiceStatus("unhealthy")
    else:
        services = {part.name: _service(part, [each for each in processes if each.group == part.name], ready[part.name], part.first) for part in parts}
    services |= {name: ServiceStatus("external", url=_external_url(context, name)) for name in manifest["external"]}
    urls = {name: status.url for name, status in services.items() if status.url and status.url.startswith("http")}
    database_answers = services.get("postgres", ServiceStatus("stopped")).state in {"healthy", "external"}
    models, clock = _records(context) if database_answers else ({}, None)
    accounts = context.credentials.serving_accounts
    people = {name: secret for name, secret in accounts.items() if FIRST[name][0] == "person"}
    known = {"dashboard": ("dashboard", people), "airflow-api": ("airflow", context.credentials.airflow_users), "serving": ("serving", accounts)}
    logins = {place: users for part, (place, users) in known.items() if part in services}
    return StackStatus(str(context.home.path), services, models, clock, urls, logins)


def _processes(home: Home) -> list[ProcessState] | None:
    """None where the supervisor does not answer: then only the parts themselves can be asked."""
    try:
        return Supervisor(home).processes()
    except StackError:
        return None


def _service(part: Part, processes: list[ProcessState], ready: bool, fewest: int) -> ServiceStatus:
    if not part.many:
        process = processes[0] if processes else None
        return ServiceStatus(state_of(process, ready) if process else "stopped", process.pid if process else None, part.url)
    running = [each for each in processes if each.state not in {"STOPPED", "STOPPING"}]  # one that drains is as good as gone
    workers = [{"pid": each.pid, "state": state_of(each, ready)} for each in running]
    states = {str(worker["state"]) for worker in workers}
    # A set of workers is as well as what it answers; one that gave up is worth a look, not an outage.
    state = next((state for state in ("healthy", "starting", "unhealthy", "gave_up") if state in states), "stopped")
    return ServiceStatus(state, None, part.url, workers, {"min": fewest, "max": part.processes})


def _external_url(context: StackContext, name: str) -> str:
    urls = {
        "kafka": context.settings.kafka.bootstrap_servers,
        "postgres": f"postgresql://{context.postgres_address}",
        "redis": context.settings.redis.url.get_secret_value().rpartition("@")[2],
        "mlflow": context.settings.mlflow.tracking_uri,
        "airflow": context.settings.airflow.url,
    }
    return urls[name]


def _records(context: StackContext) -> tuple[dict[str, dict[str, int]], dict[str, Any] | None]:
    """Champions and the platform clock, as the database has them; nothing where it has no such tables yet."""
    import psycopg2

    try:
        connection = psycopg2.connect(context.settings.postgres.readonly_dsn.get_secret_value() or context.settings.postgres.dsn.get_secret_value())
    except psycopg2.Error:
        return {}, None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT model, version, epoch FROM champions ORDER BY model")
            models = {model: {"version": version, "epoch": epoch} for model, version, epoch in cursor.fetchall()}
            cursor.execute("SELECT model, max(accepted_at) FROM actions WHERE kind = 'monitor' GROUP BY model")
            monitored = dict(cursor.fetchall())
            cursor.execute("SELECT mode, base + rate * (clock_timestamp() - set_at), clock_timestamp(), epoch FROM platform_clock")
            row = cursor.fetchone()
    except psycopg2.Error:
        return {}, None
    finally:
        connection.close()
    if row is None:
        return models, None
    mode, replayed, wall, epoch = row
    now, pace = replayed if mode == "replay" else wall, context.settings.monitor.pace
    for model, about in models.items():
        about["check_every_seconds"] = int(check_every(monitored.get(model), now, pace).total_seconds())
    return models, {"mode": mode, "now": now.isoformat(), "epoch": epoch}
