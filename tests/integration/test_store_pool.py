"""Connections of the store: kept, replaced when they died with their server, never shared with a forked child."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

import psycopg2
import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.settings import Settings

pytestmark = pytest.mark.connected


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    made = PostgresStore(postgres_settings.postgres.dsn.get_secret_value())
    yield made
    made.close()


def _backend(store: PostgresStore) -> int:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def test_a_connection_is_kept(store: PostgresStore) -> None:
    assert _backend(store) == _backend(store)


def test_every_kept_connection_may_die_and_the_next_call_works(store: PostgresStore, postgres_settings: Settings) -> None:
    with store.transaction(), store.transaction(), store.transaction():
        pass
    admin = psycopg2.connect(postgres_settings.postgres.admin_dsn.get_secret_value())
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'evergreen'")
    admin.close()
    assert _backend(store)


def _tell(store: PostgresStore, pipe: Connection) -> None:
    pipe.send(_backend(store))


def test_a_forked_child_opens_its_own(store: PostgresStore) -> None:
    ours = _backend(store)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_tell, args=(store, there))
    child.start()
    theirs = here.recv()
    child.join()
    assert theirs != ours
    assert _backend(store) == ours
