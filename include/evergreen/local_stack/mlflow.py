"""MLflow's tracking server and registry as one process: its ASGI application under one uvicorn worker.

`mlflow server` is 15 processes, of which 14 outlive a killed parent and hold the port. The names below are how that command hands its
options to the application; a test holds them to the installed version.
"""

from __future__ import annotations

import sys
from functools import partial

from evergreen.local_stack import postgres
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import mlflow_answers


def environment(context: StackContext) -> dict[str, str]:
    return {
        "_MLFLOW_SERVER_FILE_STORE": database_url(context),
        "_MLFLOW_SERVER_REGISTRY_STORE": database_url(context),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(context.home.data / "mlflow-artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": context.credentials.mlflow_secret_key,
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "5",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "10",
    }


def database_url(context: StackContext) -> str:
    return postgres.sqlalchemy_url(context, "mlflow", context.credentials.mlflow_db, "mlflow")


def part(context: StackContext) -> Part:
    port = str(context.ports.of("mlflow"))
    url = f"http://127.0.0.1:{port}"
    uvicorn = (
        "-m",
        "uvicorn",
        "--factory",
        "evergreen.local_stack.mlflow_app:create_app",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--no-access-log",
        "--log-level",
        "warning",
    )
    return Part(
        name="mlflow",
        command=(sys.executable, *uvicorn),
        environment=environment(context),
        after=(context.listening("postgres"), context.step("mlflow")),
        probe=partial(mlflow_answers, url),
        url=url,
        settle_seconds=20,
    )
