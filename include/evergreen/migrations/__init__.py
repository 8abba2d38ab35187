"""Alembic migrations of database `evergreen`."""

from __future__ import annotations

from pathlib import Path


def upgrade(admin_dsn: str) -> None:
    """Bring the schema to the newest revision. `admin_dsn`: libpq URI of the database's owner. Idempotent."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["dsn"] = admin_dsn
    command.upgrade(config, "head")
