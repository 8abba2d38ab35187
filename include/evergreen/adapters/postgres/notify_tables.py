"""The repositories of the notifier, for whatever transaction they are part of."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.notices import PostgresGroups, PostgresNotices
from evergreen.adapters.postgres.silences import PostgresSilences


class NotifyTables:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    @cached_property
    def notices(self) -> PostgresNotices:
        return PostgresNotices(self.connection)

    @cached_property
    def groups(self) -> PostgresGroups:
        return PostgresGroups(self.connection)

    @cached_property
    def silences(self) -> PostgresSilences:
        return PostgresSilences(self.connection)
