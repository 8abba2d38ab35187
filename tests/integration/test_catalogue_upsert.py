"""The catalogue as the indexer writes it: once, in any order, newer wins, the first listing stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = pytest.mark.connected
MONDAY, TUESDAY, FRIDAY = date(2025, 7, 21), date(2025, 7, 22), date(2025, 7, 25)


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    opened = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield opened
    emptied(opened).close()


def told(first: date, last: date, views: int | None, first_views: int | None, **more: Any) -> dict[str, Any]:
    row = {"video_id": "v", "title": f"{last}", "region": "KR", "first_seen": first, "last_seen": last, "view_count": views}
    return row | {"first_view_count": first_views} | more


def kept(store: PostgresStore, *columns: str) -> tuple[Any, ...]:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM videos WHERE video_id = 'v'")
        found = cursor.fetchone()
    assert found is not None
    return found


BATCHES = (told(MONDAY, MONDAY, 10, 10), told(TUESDAY, TUESDAY, 20, 20), told(TUESDAY, FRIDAY, 50, 20))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_batches_in_any_order_leave_the_newest_counts_and_the_first_listings_views(store: PostgresStore, order: tuple[int, ...]) -> None:
    for at in (*order, order[0]):
        with store.transaction() as tx:
            tx.videos.upsert([BATCHES[at]])
    assert kept(store, "title", "view_count", "first_view_count", "first_seen", "last_seen") == (f"{FRIDAY}", 50, 10, MONDAY, FRIDAY)


def test_a_correction_of_the_first_day_counts_and_silence_about_it_does_not(store: PostgresStore) -> None:
    for row, views in ((told(MONDAY, MONDAY, 10, 10), 10), (told(MONDAY, MONDAY, 12, 12), 12), (told(MONDAY, FRIDAY, 90, None), 12)):
        with store.transaction() as tx:
            tx.videos.upsert([row])
        assert kept(store, "first_view_count") == (views,)


def test_tags_and_description_are_kept_when_a_later_batch_has_none(store: PostgresStore) -> None:
    for row in (told(MONDAY, MONDAY, 1, 1, tags=["여행", "vlog"], description="설명"), told(MONDAY, FRIDAY, 2, 1)):
        with store.transaction() as tx:
            tx.videos.upsert([row])
    assert kept(store, "tags", "description", "view_count") == (["여행", "vlog"], "설명", 2)


def test_the_dataset_tells_the_views_of_the_first_day_it_knows() -> None:
    silver = simulate(MONDAY, FRIDAY, seed=4).drop(columns="load_error")
    rows = {row["video_id"]: row for row in video_dataset("KR").catalogue(silver)}
    ordered = silver.sort_values("list_date", kind="stable")
    for video, group in list(ordered.groupby("video_id"))[:50]:
        row = rows[str(video)]
        assert (row["first_seen"], row["last_seen"]) == (group["list_date"].min().date(), group["list_date"].max().date())
        first, last = group["view_count"].iloc[0], group["view_count"].iloc[-1]
        assert (row["first_view_count"], row["view_count"]) == (int(first), int(last))
