"""The platform clock as several processes read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from evergreen.adapters.postgres.clock import PlatformClock
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.errors import EvergreenError
from evergreen.settings import Settings

pytestmark = pytest.mark.connected
THEN = datetime(2025, 6, 16, tzinfo=UTC)


@pytest.fixture
def clocks(postgres_settings: Settings) -> Iterator[tuple[PlatformClock, PlatformClock]]:
    """The driver's and another process's, on the wall clock."""
    store = PostgresStore(postgres_settings.postgres.dsn.get_secret_value())
    driver = PlatformClock(store)
    driver.follow_wall()
    yield driver, PlatformClock(store)
    driver.follow_wall()
    store.close()


def test_when_a_replay_has_begun_nobody_reads_the_wall_clock_any_more(clocks: tuple[PlatformClock, PlatformClock]) -> None:
    driver, other = clocks
    assert other.now() > THEN + timedelta(days=1)  # and keeps that reading for a second
    driver.replay_from(THEN)
    assert THEN <= other.now() < THEN + timedelta(minutes=1)


def test_a_replay_does_not_go_back(clocks: tuple[PlatformClock, PlatformClock]) -> None:
    driver, other = clocks
    driver.replay_from(THEN)
    with pytest.raises(EvergreenError, match="only moves forward"):
        driver.replay_from(THEN - timedelta(days=1))
    driver.follow_wall()
    driver.replay_from(THEN)
    assert other.is_replaying()
