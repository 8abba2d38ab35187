"""The repositories of versions and of who serves."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.champions import PostgresChampions
from evergreen.adapters.postgres.change_points import PostgresChangePoints
from evergreen.adapters.postgres.deployments import PostgresDeployments
from evergreen.adapters.postgres.projected_aliases import PostgresProjectedAliases
from evergreen.adapters.postgres.versions import PostgresVersions


class ModelTables:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    @cached_property
    def versions(self) -> PostgresVersions:
        return PostgresVersions(self.connection)

    @cached_property
    def change_points(self) -> PostgresChangePoints:
        return PostgresChangePoints(self.connection)

    @cached_property
    def champions(self) -> PostgresChampions:
        return PostgresChampions(self.connection)

    @cached_property
    def deployments(self) -> PostgresDeployments:
        return PostgresDeployments(self.connection)

    @cached_property
    def projected_aliases(self) -> PostgresProjectedAliases:
        return PostgresProjectedAliases(self.connection)
