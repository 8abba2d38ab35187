"""Real parts, started once per session, for tests marked `connected`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evergreen.local_stack.testing import stack
from evergreen.settings import Settings


@pytest.fixture(scope="session")
def postgres_settings() -> Iterator[Settings]:
    """Postgres alone, migrated."""
    with stack({"postgres"}) as settings:
        yield settings


@pytest.fixture(scope="session")
def stack_settings() -> Iterator[Settings]:
    """Postgres, migrated, with Kafka and its topics, and Redis."""
    with stack({"postgres", "kafka", "redis"}) as settings:
        yield settings


@pytest.fixture(scope="session")
def mlflow_settings() -> Iterator[Settings]:
    """Postgres, migrated, and MLflow."""
    with stack({"postgres", "mlflow"}) as settings:
        yield settings
