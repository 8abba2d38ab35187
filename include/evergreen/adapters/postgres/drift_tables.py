"""The repositories of the drift check."""

from __future__ import annotations

from functools import cached_property

import psycopg2.extensions

from evergreen.adapters.postgres.drift_profiles import PostgresReferenceProfiles
from evergreen.adapters.postgres.drift_reports import PostgresDriftReports


class DriftTables:
    connection: psycopg2.extensions.connection

    @cached_property
    def drift_reports(self) -> PostgresDriftReports:
        return PostgresDriftReports(self.connection)

    @cached_property
    def reference_profiles(self) -> PostgresReferenceProfiles:
        return PostgresReferenceProfiles(self.connection)
