"""Airflow's environment for this folder's tests, set before any of them imports it: a home of its own, nothing of the user's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evergreen.environment import CHECKOUT, child_environment

_HOME = Path(tempfile.mkdtemp(prefix="eg-airflow-"))
_VARIABLES = {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
_patch = pytest.MonkeyPatch()
for _name, _value in _VARIABLES.items():
    _patch.setenv(_name, _value)


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    yield
    _patch.undo()
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> tuple[Path, dict[str, str]]:
    """For a process of one's own: where it is, and what must be in its environment."""
    return _HOME, dict(_VARIABLES)


@pytest.fixture(scope="session")
def described() -> dict[str, Any]:
    """The DAG folder as the dag-processor sees it, read by a fresh process."""
    environment = child_environment(_HOME) | _VARIABLES
    program = [sys.executable, str(Path(__file__).with_name("describe.py")), str(CHECKOUT / "dags")]
    done = subprocess.run(program, env=environment, cwd=_HOME, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
