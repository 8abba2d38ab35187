"""A warm scheduler forks tasks that work: nothing it imported has a thread or a lock that a fork would lose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evergreen.environment import child_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

PROGRAM = """if True:
    import os, sys, threading
    from evergreen.orchestration.warm import OF_WORK, forks_tasks, warm
    assert not forks_tasks()
    sys.argv = ["airflow", "scheduler"]
    assert forks_tasks()
    warm()
    assert set(OF_WORK) <= set(sys.modules)
    assert threading.active_count() == 1, threading.enumerate()
    if (pid := os.fork()) == 0:
        import numpy as np, pandas as pd
        from deltalake import DeltaTable, write_deltalake
        from sklearn.ensemble import HistGradientBoostingRegressor
        frame = pd.DataFrame(np.arange(4000.0).reshape(-1, 4), columns=list("abcd"))
        write_deltalake("table", frame)
        frame = DeltaTable("table").to_pandas()
        HistGradientBoostingRegressor(max_iter=5).fit(frame[["a", "b"]], frame["c"]).predict(frame[["a", "b"]])
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
"""


def test_a_fork_of_a_warm_scheduler_reads_writes_and_trains(tmp_path: Path) -> None:
    environment = child_environment(tmp_path) | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "EVERGREEN_SIGNING_KEY": "00" * 32,
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    assert "not_warmed" not in done.stdout + done.stderr
