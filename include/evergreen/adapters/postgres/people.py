"""Repositories for people: who was asked, why something was done, what was said once, who may ask for tokens, what was asked under a key."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.access import PostgresAccessChanges, PostgresAccounts, PostgresRevocations
from evergreen.adapters.postgres.approvals import PostgresApprovals
from evergreen.adapters.postgres.event_archive import PostgresEventArchive
from evergreen.adapters.postgres.explanations import PostgresExplanations
from evergreen.adapters.postgres.keyed_requests import PostgresKeyedRequests


class ForPeople:
    """Part of a transaction."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    @cached_property
    def approvals(self) -> PostgresApprovals:
        return PostgresApprovals(self.connection)

    @cached_property
    def explanations(self) -> PostgresExplanations:
        return PostgresExplanations(self.connection)

    @cached_property
    def archive(self) -> PostgresEventArchive:
        return PostgresEventArchive(self.connection)

    @cached_property
    def accounts(self) -> PostgresAccounts:
        return PostgresAccounts(self.connection)

    @cached_property
    def access_changes(self) -> PostgresAccessChanges:
        return PostgresAccessChanges(self.connection)

    @cached_property
    def revocations(self) -> PostgresRevocations:
        return PostgresRevocations(self.connection)

    @cached_property
    def keyed_requests(self) -> PostgresKeyedRequests:
        return PostgresKeyedRequests(self.connection)
