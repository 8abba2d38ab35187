"""The parts a test session shares are real and ready."""

from __future__ import annotations

import psycopg2
import pytest
import redis

from evergreen.local_stack.readiness import kafka_acknowledges
from evergreen.settings import Settings

pytestmark = pytest.mark.connected


def test_every_started_part_does_its_work(stack_settings: Settings) -> None:
    with psycopg2.connect(stack_settings.postgres.dsn.get_secret_value()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('timezone')")
        assert cursor.fetchone() == ("app_rw", "UTC")
    assert redis.Redis.from_url(stack_settings.redis.url.get_secret_value()).ping() is True
    assert kafka_acknowledges(stack_settings.kafka.bootstrap_servers)
