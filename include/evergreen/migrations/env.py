"""Alembic's entry point: plain SQL migrations over the DSN that `evergreen.migrations.upgrade` hands in."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

_dsn = context.config.attributes["dsn"].replace("postgres://", "postgresql://", 1)
_engine = create_engine(_dsn.replace("postgresql://", "postgresql+psycopg2://", 1), poolclass=pool.NullPool)

with _engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        # Two starts at once: the second waits here and then finds nothing to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727001)")
        context.run_migrations()
