"""The monitor's repositories, as part of every transaction."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.observations import PostgresObservations
from evergreen.adapters.postgres.watches import PostgresWatches


class MonitorRepositories:
    connection: psycopg2.extensions.connection

    @cached_property
    def watches(self) -> PostgresWatches:
        return PostgresWatches(self.connection)

    @cached_property
    def observations(self) -> PostgresObservations:
        return PostgresObservations(self.connection)
