"""Postgres behind the `Store` port: one pool per process, one connection per transaction, one repository per table family."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool

from evergreen.adapters.postgres.actions import PostgresActions
from evergreen.adapters.postgres.alerts import PostgresAlerts
from evergreen.adapters.postgres.batches import PostgresBatches
from evergreen.adapters.postgres.drift_tables import DriftTables
from evergreen.adapters.postgres.events import PostgresEvents
from evergreen.adapters.postgres.experiments import PostgresExperiments
from evergreen.adapters.postgres.features import PostgresFeatures
from evergreen.adapters.postgres.generations import PostgresGenerations
from evergreen.adapters.postgres.interactions import PostgresInteractions
from evergreen.adapters.postgres.jobs import PostgresJobs
from evergreen.adapters.postgres.ledger import PostgresLedger
from evergreen.adapters.postgres.model_tables import ModelTables
from evergreen.adapters.postgres.monitoring import MonitorRepositories
from evergreen.adapters.postgres.notify_tables import NotifyTables
from evergreen.adapters.postgres.outbox import PostgresOutbox
from evergreen.adapters.postgres.people import ForPeople
from evergreen.adapters.postgres.performance import PostgresPerformance
from evergreen.adapters.postgres.policy_tables import PolicyTables
from evergreen.adapters.postgres.redriven import PostgresRedriven
from evergreen.adapters.postgres.scalings import PostgresScalings
from evergreen.adapters.postgres.shadow_trials import PostgresShadowTrials
from evergreen.adapters.postgres.stream_records import PostgresStreamRecords
from evergreen.adapters.postgres.traffic import TrafficTable
from evergreen.adapters.postgres.upkeep import PostgresUpkeep
from evergreen.adapters.postgres.videos import PostgresIndexedBatches, PostgresVideos
from evergreen.adapters.postgres.work import PostgresWork
from evergreen.core.errors import Fenced, Unavailable
from evergreen.ports.storage import Lease

psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]


class PostgresTransaction(PolicyTables, ModelTables, NotifyTables, MonitorRepositories, ForPeople, TrafficTable, DriftTables):
    """Repositories on one connection. Others (events, champions, reports …) hang on `connection` the same way."""

    @cached_property
    def actions(self) -> PostgresActions:
        return PostgresActions(self.connection)

    @cached_property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.connection)

    @cached_property
    def events(self) -> PostgresEvents:
        return PostgresEvents(self.connection)

    @cached_property
    def alerts(self) -> PostgresAlerts:
        return PostgresAlerts(self.connection)

    @cached_property
    def redriven(self) -> PostgresRedriven:
        return PostgresRedriven(self.connection)

    @cached_property
    def work(self) -> PostgresWork:
        return PostgresWork(self.connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside is undone alone. Raises Unavailable when it is the server's fault: then the whole transaction is to be repeated."""
        with self.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one")
            try:
                yield
            except psycopg2.Error as error:
                if _servers_fault(error):
                    raise Unavailable("Postgres went away", inside=_first_line(error)) from error
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                raise
            except Exception:
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                raise
            cursor.execute("RELEASE SAVEPOINT one")

    @cached_property
    def batches(self) -> PostgresBatches:
        return PostgresBatches(self.connection)

    @cached_property
    def upkeep(self) -> PostgresUpkeep:
        return PostgresUpkeep(self.connection)

    @cached_property
    def videos(self) -> PostgresVideos:
        return PostgresVideos(self.connection)

    @cached_property
    def online_features(self) -> PostgresFeatures:
        return PostgresFeatures(self.connection)

    @cached_property
    def indexed_batches(self) -> PostgresIndexedBatches:
        return PostgresIndexedBatches(self.connection)

    @cached_property
    def generations(self) -> PostgresGenerations:
        return PostgresGenerations(self.connection)

    @cached_property
    def stream(self) -> PostgresStreamRecords:
        return PostgresStreamRecords(self.connection)

    @cached_property
    def interactions(self) -> PostgresInteractions:
        return PostgresInteractions(self.connection)

    @cached_property
    def shadow_trials(self) -> PostgresShadowTrials:
        return PostgresShadowTrials(self.connection)

    @cached_property
    def experiments(self) -> PostgresExperiments:
        return PostgresExperiments(self.connection)

    @cached_property
    def performance(self) -> PostgresPerformance:
        return PostgresPerformance(self.connection)

    @cached_property
    def ledger(self) -> PostgresLedger:
        return PostgresLedger(self.connection)

    @cached_property
    def jobs(self) -> PostgresJobs:
        return PostgresJobs(self.connection)

    @cached_property
    def scalings(self) -> PostgresScalings:
        return PostgresScalings(self.connection)


class PostgresStore:
    """Thread-safe. A connection that broke is thrown away, so the first call after a restart of Postgres works."""

    def __init__(self, dsn: str, *, max_connections: int = 8) -> None:
        self._dsn = dsn
        self._max_connections = max_connections
        self._pid, self._pool = os.getpid(), self._new_pool()

    def _new_pool(self) -> psycopg2.pool.ThreadedConnectionPool:
        """Opened on demand and kept: a new connection per transaction costs 9 ms. (The pool opens `minconn` at once and keeps no more.)"""
        pool = psycopg2.pool.ThreadedConnectionPool(0, self._max_connections, self._dsn, connect_timeout=5, application_name="evergreen")
        pool.minconn = self._max_connections
        return pool

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[PostgresTransaction]:
        connection = self._connect()
        broken = True
        try:
            if lease is not None:
                _hold(connection, lease)
            yield PostgresTransaction(connection)
            connection.commit()
            broken = False
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise Unavailable("Postgres went away", inside=_first_line(error)) from error
        except BaseException:
            broken = not _rolled_back(connection)
            raise
        finally:
            self._pool.putconn(connection, close=broken)

    def _connect(self) -> psycopg2.extensions.connection:
        """One that answers: an idle connection may have died with its server, and so may the next. Those of a parent process are its own."""
        if self._pid != os.getpid():
            self._forked, self._pid, self._pool = self._pool, os.getpid(), self._new_pool()
        for _ in range(self._pool.maxconn + 1):
            try:
                connection: psycopg2.extensions.connection = self._pool.getconn()
            except psycopg2.pool.PoolError as error:
                raise Unavailable("all connections to Postgres are in use", inside=str(error)) from error
            except psycopg2.Error as error:
                raise Unavailable("Postgres does not answer", inside=_first_line(error)) from error
            if _answers(connection):
                return connection
            self._pool.putconn(connection, close=True)
        raise Unavailable("Postgres does not answer: every connection broke")

    def close(self) -> None:
        self._pool.closeall()


def _hold(connection: psycopg2.extensions.connection, lease: Lease) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT token, status FROM actions WHERE id = %s FOR UPDATE", (lease.action_id,))
        row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None or row[0] != lease.token or row[1] not in ("claimed", "running"):
        raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token}): its lease expired and went to another run")


def _servers_fault(error: psycopg2.Error) -> bool:
    """No connection (08, none), a rollback by the server (40: deadlock), shutting down (57), system trouble (53, 58): not the statement's fault."""
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and (error.pgcode or "08")[:2] in {"08", "40", "53", "57", "58"}


def _answers(connection: psycopg2.extensions.connection) -> bool:
    try:
        if connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error:
        return False
    return True


def _rolled_back(connection: psycopg2.extensions.connection) -> bool:
    try:
        connection.rollback()
    except psycopg2.Error:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
