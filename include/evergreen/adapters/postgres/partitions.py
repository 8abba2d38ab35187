"""Day partitions of the high-volume tables, made when their first row comes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import psycopg2.extensions


def ensure_partitions(connection: psycopg2.extensions.connection, table: str, days: Iterable[date]) -> None:
    """Only what is missing is made: making one locks the parent."""
    with connection.cursor() as cursor:
        for day in days:
            cursor.execute("SELECT to_regclass(%s) IS NULL", (f"{table}_{day:%Y%m%d}",))
            found = cursor.fetchone()
            if found is not None and found[0]:
                cursor.execute("SELECT ensure_partition(%s, %s)", (table, day))
