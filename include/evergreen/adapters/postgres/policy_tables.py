"""The repositories of deciding: what decisions look at, what they are, and what they ask for."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.decisions import PostgresDecisions
from evergreen.adapters.postgres.history import PostgresHistory
from evergreen.adapters.postgres.pauses import PostgresPauses
from evergreen.adapters.postgres.planned import PostgresPlannedActions
from evergreen.adapters.postgres.policies import PostgresPolicies
from evergreen.adapters.postgres.shadows import PostgresShadows
from evergreen.adapters.postgres.timers import PostgresTimers


class PolicyTables:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    @cached_property
    def decisions(self) -> PostgresDecisions:
        return PostgresDecisions(self.connection)

    @cached_property
    def history(self) -> PostgresHistory:
        return PostgresHistory(self.connection)

    @cached_property
    def planned(self) -> PostgresPlannedActions:
        return PostgresPlannedActions(self.connection)

    @cached_property
    def policies(self) -> PostgresPolicies:
        return PostgresPolicies(self.connection)

    @cached_property
    def pauses(self) -> PostgresPauses:
        return PostgresPauses(self.connection)

    @cached_property
    def shadows(self) -> PostgresShadows:
        return PostgresShadows(self.connection)

    @cached_property
    def timers(self) -> PostgresTimers:
        return PostgresTimers(self.connection)
