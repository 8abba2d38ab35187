"""The images of docker-compose.yml: what is in them, who they run as, what they start."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from evergreen.environment import CHECKOUT


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (CHECKOUT / "Dockerfile").read_text()


def words_of(service: dict[str, Any]) -> list[str]:
    """Everything the container runs: its command and its health check."""
    commands = [service.get("command", []), service.get("healthcheck", {}).get("test", [])]
    return [word for command in commands for word in (command if isinstance(command, list) else shlex.split(command))]


def test_our_images_are_stages_of_the_dockerfile(services: dict[str, Any], dockerfile: str) -> None:
    stages = set(re.findall(r"^FROM runtime AS (\S+)$", dockerfile, re.MULTILINE))
    ours = [service for service in services.values() if "build" in service]
    assert {service["build"]["target"] for service in ours} == stages == {"worker", "serving", "airflow", "dashboard"}
    assert {(service["build"]["target"], service["image"].split(":")[0]) for service in ours} == {(stage, f"evergreen/{stage}") for stage in stages}


def test_our_containers_run_without_root_and_without_capabilities(services: dict[str, Any], dockerfile: str) -> None:
    assert "USER 10001:10001" in dockerfile.split(" AS runtime")[1].split("FROM ")[0]
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if "build" in service:
            assert service["cap_drop"] == ["ALL"], name
            assert "user" not in service, name


def test_what_the_containers_start_exists(services: dict[str, Any], dockerfile: str) -> None:
    started = []
    for name, service in services.items():
        words = words_of(service)
        for word in (each for each in words if each.startswith("deploy/")):
            assert (CHECKOUT / word).is_file(), name
            assert word in dockerfile, f"{word} is not in the image"
        started += [words[place + 1] for place, word in enumerate(words) if word == "-m"]
    workers = {f"evergreen.workers.{name}" for name in ("intake", "indexer", "recommender", "monitor")}
    assert workers | {"serving", "airflow", "dashboard", "uvicorn"} == set(started)
    assert all(find_spec(module) for module in started)


def test_the_dashboards_image_has_its_extra_and_no_driver_of_a_database_or_a_broker(dockerfile: str) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=! ]", line)[0] for line in project["optional-dependencies"]["dashboard"]}
    [installed] = re.findall(r"uv pip install (streamlit .+) -c requirements.txt$", dockerfile, re.MULTILINE)
    assert set(shlex.split(installed)) - names == {"cloudevents", "pydantic", "pydantic-settings", "structlog", "uuid6"}
    assert names <= set(shlex.split(installed))


def test_the_dashboard_imports_nothing_that_its_image_lacks() -> None:
    """Its pages, and its health check, without the packages the other parts have."""
    lacking = ("mlflow", "sklearn", "confluent_kafka", "psycopg2", "asyncpg", "redis", "deltalake", "fastapi", "alembic", "jwt")
    code = f"""
import sys
sys.modules.update(dict.fromkeys({lacking!r}))
import dashboard.__main__
from dashboard.pages import PAGES
assert all(callable(spec.load()) for spec in PAGES)
sys.path.insert(0, "deploy/compose")
import ready
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_build_context_holds_only_what_the_dockerfile_copies(dockerfile: str) -> None:
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    assert {source for line in copies for source in line.split()} == let_in


def test_each_image_installs_the_locked_versions(dockerfile: str) -> None:
    installs = re.findall(r"uv pip install (.+)$", dockerfile, re.MULTILINE)
    assert installs
    assert all("-c requirements.txt" in line or "--no-deps" in line for line in installs)
