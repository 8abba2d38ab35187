"""What the scheduler imports once, so that no task does: LocalExecutor's tasks are forks of it and inherit every module.

Measured, processor seconds of a use case in a cold and in a warm process: ingest 0.9 and 0.4, drift_check 2.7 and 0.4, evaluate 3.6 and 0.6,
rollback 2.5 and 0.2; warming costs the scheduler 4 to 5 once. Only imports, which start no thread that a fork would lose (tested).
Where tasks are not forks of the scheduler nothing is warmed."""

from __future__ import annotations

import importlib
import sys
import warnings

import structlog
from airflow.sdk import conf
from airflow.utils.deprecation_tools import DeprecatedImportWarning

from evergreen.contracts.actions import DAG_KINDS
from evergreen.core.errors import EvergreenError
from evergreen.settings import load_settings

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
OF_WORK = (
    "deltalake",
    "evergreen.adapters.mlflow_log",
    "evergreen.domains.tabular.quality",
    "evergreen.domains.tabular.train",
    "evergreen.domains.videos.features",
    "evergreen.domains.videos.model",
    "evergreen.domains.videos.quality",
    "evergreen.domains.videos.train",
    "evergreen.services.drift_statistics",
    "mlflow.sklearn",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.ensemble",
    "skops.io",
)
log = structlog.get_logger(__name__)


def forks_tasks() -> bool:
    """Whether this process is a scheduler whose tasks are forks of it."""
    return sys.argv[1:2] == ["scheduler"] and "LocalExecutor" in conf.get("core", "executor")


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
    _rehearse()


def _rehearse() -> None:
    """What a task does before its work: an asset reads the list of providers, use cases import what they are made of. Nothing is connected."""
    from evergreen.bootstrap import Parts
    from evergreen.orchestration.assets import doorbell

    doorbell(DAG_KINDS[0])
    parts = Parts(load_settings())
    for kind in DAG_KINDS:
        try:
            parts.use_case(kind)
        except EvergreenError as error:
            log.warning("not_warmed", use_case=kind.value, error=str(error))
