"""MLflow's application with its database made first.

`mlflow server` makes the tables before it listens; the bare application makes them at the first request, and a second request that
comes meanwhile (a readiness probe's, say) makes them too: the two migrations then wait for each other for ever."""

from __future__ import annotations

from typing import Any

from mlflow.server.handlers import initialize_backend_stores


def create_app() -> Any:
    """For `uvicorn --factory`. The stores' addresses are in the environment (`local_stack/mlflow.py`)."""
    initialize_backend_stores()
    from mlflow.server.fastapi_app import app

    return app
