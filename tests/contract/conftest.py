"""Every implementation of the store, for suites that hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.ports.records import RecordStore
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.intake_bench import Bench


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
def store(request: pytest.FixtureRequest) -> Iterator[RecordStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    postgres = PostgresStore(settings.postgres.dsn.get_secret_value())
    yield emptied(postgres)
    postgres.close()


@pytest.fixture
def bench(store: RecordStore) -> Bench:
    return Bench(store)
