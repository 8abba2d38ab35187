"""What the scheduler imports once, so that no task does: LocalExecutor's tasks are forks of it and inherit every module.

Measured on two cores: a task that trains pays 9 s of processor time for its imports alone, one that reads the lake 2 s; the fork is free.
Only imports, which start no thread that a fork would lose. Where tasks do not run as forks of the scheduler nothing is warmed."""

from __future__ import annotations

import gc
import importlib
import sys
import warnings

import structlog
from airflow.utils.deprecation_tools import DeprecatedImportWarning

OF_TASKS = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "evergreen.adapters.postgres.store",
    "evergreen.bootstrap",
    "evergreen.orchestration.assets",
    "evergreen.orchestration.forms",
    "evergreen.orchestration.sensor",
    "evergreen.orchestration.work",
)
OF_WORK = ("pandas", "pyarrow.parquet", "deltalake", "sklearn.ensemble", "skops.io")
log = structlog.get_logger(__name__)


def is_scheduler() -> bool:
    return sys.argv[1:2] == ["scheduler"]


def quiet_airflow() -> None:
    """skops looks every NumPy function up in every loaded module; Airflow's moved names answer each time with a warning, 1,200 at one import."""
    warnings.filterwarnings("ignore", category=DeprecatedImportWarning)


def warm() -> None:
    quiet_airflow()
    for name in (*OF_TASKS, *OF_WORK):
        try:
            importlib.import_module(name)
        except ImportError as error:  # an image may carry only a part of the product
            log.warning("not_warmed", module=name, error=str(error))
    gc.collect()
