"""Statements of a test's own, each in a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.adapters.postgres.store import PostgresStore


def run(store: PostgresStore, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
    """The rows, of a statement that has any."""
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []
