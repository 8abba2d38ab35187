"""A finished day of interactions is announced once, with the rows as the domain has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evergreen.adapters.memory.serving import MemoryPublisher
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.clock import FixedClock
from evergreen.core.recommending import Touched
from evergreen.domains.movies.live import batch_of, feature_row
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.profiles import Place
from evergreen.services.announce import Announce
from evergreen.services.announce_interactions import AnnounceInteractions
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = pytest.mark.connected
DAY = date(2025, 7, 1)
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    opened = PostgresStore(postgres_settings.postgres.dsn.get_secret_value())
    yield emptied(opened)
    opened.close()


def row(number: int, at: datetime, kind: str = "like", items: tuple[str, ...] = ("1",), rating: float | None = None) -> InteractionRow:
    genres = {"1": ("Comedy", "Drama")}
    return InteractionRow("/app", f"e{number}", at, "ann", kind, items, rating, "private words", {}, genres, Place("interactions", "t", 0, number))


def test_each_finished_day_is_a_batch_and_the_one_under_way_is_not(store: PostgresStore, tmp_path: Path) -> None:
    publisher, clock = MemoryPublisher(), FixedClock(NOON + timedelta(days=1))
    rows = [row(1, NOON), row(2, NOON, "low_rating", ("2", "3"), 1.5), row(3, NOON, "rating", ("4",), None), row(4, NOON + timedelta(days=1))]
    with store.transaction() as tx:
        tx.interactions.record(rows)

    def made() -> AnnounceInteractions:
        return AnnounceInteractions(store, clock, lambda: Announce(publisher, clock, tmp_path), batch_of)

    announce = made()
    assert announce.run() == [DAY]
    assert announce.run() == []
    [event] = publisher.of_type("data_ingested")
    assert (event.subject, event.data["rows"]) == ("movies", 3)
    batch = pd.read_parquet(event.data["path"])
    assert list(zip(batch["movie_id"], batch["interaction"], strict=True)) == [("1", "like"), ("2", "low_rating"), ("3", "low_rating")]
    assert batch["genres"].iloc[0] == "Comedy|Drama"
    assert "private words" not in batch.to_csv()

    assert made().run() == [DAY]  # another process looks again
    assert [again.id for again in publisher.of_type("data_ingested")] == [event.id] * 2
    clock.advance(timedelta(days=1))
    assert announce.run() == [DAY + timedelta(days=1)]


def test_a_feature_row_knows_only_what_was_before() -> None:
    history = [Touched("9", "like", NOON), Touched("8", "view", NOON), Touched("7", "click", NOON - timedelta(hours=12)), Touched("x", "like", NOON)]
    assert feature_row("5", NOON + timedelta(hours=12), history) == {"movie_id": 5.0, "since_last": 0.5, "recent_1": 9.0, "recent_2": 7.0}
    assert feature_row("9", NOON, history) == {"movie_id": 9.0, "since_last": 0.5, "recent_1": 7.0}
    assert feature_row("5", NOON - timedelta(days=9), history) == {"movie_id": 5.0}
    assert feature_row("x", NOON, history) is None
