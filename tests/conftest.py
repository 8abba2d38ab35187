"""Real parts, started once per session, for tests marked `connected`."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.clock import wall_now
from evergreen.local_stack.testing import stack
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.last_words import homes, last_words


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure on real parts comes with what they said."""
    report = yield
    if report.failed:
        for home in homes(getattr(item, "funcargs", {})):
            report.sections += [(f"log of {name}", said) for name, said in last_words(home, wall_now().timestamp())]
    return report


@pytest.fixture(scope="session")
def postgres_settings() -> Iterator[Settings]:
    """Postgres alone, migrated."""
    with stack({"postgres"}) as settings:
        yield settings


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    """That Postgres, with nothing in it."""
    made = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield made
    made.close()


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
