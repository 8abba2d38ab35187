"""The catalogue in Postgres and its twin: one video, and how all are spread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.memory.catalogue import MemoryVideos
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.video_catalogue import PostgresCatalogue
from evergreen.domains.videos.names import zone_of
from evergreen.domains.videos.scales import share_below
from evergreen.ports.catalogue import Holdings, SpreadOf, VideoCatalogue
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = pytest.mark.anyio
FIRST, LAST = date(2025, 7, 1), date(2025, 7, 10)
REFERENCE = {"*": [step / 5 for step in range(41)], "10": [2.0] * 3 + [2.0 + step / 10 for step in range(38)]}
Put = Callable[..., None]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Case:
    def __init__(self, catalogue: VideoCatalogue, put: Put, empty: Callable[[], object]) -> None:
        self.catalogue, self.put, self.empty = catalogue, put, empty


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "memory":
        twin = MemoryVideos()
        yield Case(twin, twin.put, twin.rows.clear)
        return
    given_settings: Settings = request.getfixturevalue("postgres_settings")
    dsn = given_settings.postgres.dsn.get_secret_value()
    store, postgres = emptied(PostgresStore(dsn)), AsyncPostgres(dsn)

    def put(video_id: str, title: str, first_seen: date, last_seen: date | None = None, **more: Any) -> None:
        row = {"video_id": video_id, "title": title, "region": "KR", "first_seen": first_seen, "last_seen": last_seen or first_seen, **more}
        with store.transaction() as tx:
            tx.videos.upsert([row])

    yield Case(PostgresCatalogue(postgres, zone_of("KR")), put, lambda: emptied(store))
    await postgres.close()
    emptied(store).close()


async def test_a_video_is_shown_whole_and_a_stranger_is_none(case: Case) -> None:
    case.put("v", "제목", FIRST, LAST, description="설명", channel_id="UC1", view_count=7, first_view_count=3)
    row = await case.catalogue.video("v")
    assert row is not None
    assert (row["title"], row["description"], row["view_count"], row["first_view_count"], row["tags"]) == ("제목", "설명", 7, 3, [])
    assert (row["first_seen"], row["last_seen"]) == (FIRST, LAST)
    assert await case.catalogue.video("w") is None


async def test_engagement_is_of_videos_whose_counts_are_known(case: Case) -> None:
    case.put("known", "a", FIRST, category_id=10, view_count=1000, like_count=40, comment_count=10)
    case.put("unseen", "a", FIRST, category_id=10, view_count=0, like_count=0, comment_count=0)
    case.put("hidden", "a", FIRST, category_id=20, view_count=1000, like_count=None, comment_count=10)
    case.put("absurd", "a", FIRST, category_id=None, view_count=1, like_count=5, comment_count=0)
    found = await case.catalogue.spread(SpreadOf("engagement", threshold=0.05))
    assert found.histogram.counts == {0: 1, 100: 1, 1999: 1}
    assert found.total == pytest.approx(1.05)
    assert (found.above, found.categories) == (2, {10: 2})


async def test_performance_is_the_place_among_the_categorys_first_listings(case: Case) -> None:
    case.put("every", "a", FIRST, category_id=99, view_count=10**9, first_view_count=10**4)
    case.put("own", "a", FIRST, category_id=10, view_count=10**9, first_view_count=100)
    case.put("below", "a", FIRST, category_id=10, first_view_count=99)
    case.put("beyond", "a", FIRST, category_id=10, first_view_count=10**9)
    case.put("older", "a", FIRST, LAST, category_id=99, view_count=10**4)
    case.put("none", "a", FIRST, category_id=10)
    found = await case.catalogue.spread(SpreadOf("performance", threshold=50.0, reference=REFERENCE))
    assert found.histogram.counts == {250: 2, 37: 1, 0: 1, 499: 1}
    assert (found.above, found.categories) == (3, {10: 3, 99: 2})


@pytest.mark.parametrize(
    ("wanted", "n"),
    [
        pytest.param({}, 30, id="all"),
        pytest.param({"first": date(2025, 7, 4)}, 21, id="from"),
        pytest.param({"last": date(2025, 7, 4)}, 12, id="to-included"),
        pytest.param({"first": date(2025, 7, 4), "last": date(2025, 7, 4)}, 3, id="one-day"),
        pytest.param({"categories": (10,)}, 10, id="one-category"),
        pytest.param({"categories": (10, 20)}, 20, id="two-categories"),
        pytest.param({"categories": (99,)}, 0, id="a-category-nobody-has"),
        pytest.param({"first": date(9999, 12, 31)}, 0, id="the-last-day-there-is"),
        pytest.param({"last": date(1, 1, 1)}, 0, id="the-first-day-there-is"),
    ],
)
async def test_days_and_categories_choose(case: Case, wanted: dict[str, Any], n: int) -> None:
    for day in range(1, 11):
        for category in (10, 20, 24):
            case.put(f"{day}-{category}", "a", date(2025, 7, day), category_id=category, view_count=10, like_count=1, comment_count=0)
    for measure in (SpreadOf("engagement", **wanted), SpreadOf("performance", reference=REFERENCE, **wanted)):
        found = await case.catalogue.spread(measure)
        assert found.histogram.n == n == sum(found.categories.values())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    views=st.lists(st.integers(0, 10**8), min_size=1, max_size=20), knots=st.lists(st.integers(0, 8000), min_size=41, max_size=41), threshold=st.floats(0, 100)
)
async def test_a_stored_video_stands_where_a_prediction_of_the_same_views_would(case: Case, views: list[int], knots: list[int], threshold: float) -> None:
    case.empty()
    table = sorted(knot / 1000 for knot in knots)
    for number, count in enumerate(views):
        case.put(f"v{number}", "a", FIRST, category_id=10, view_count=count)
    found = await case.catalogue.spread(SpreadOf("performance", threshold=threshold, reference={"*": table}))
    scores = [100 * share_below(float(np.log10(max(count, 1))), table) for count in views]
    steps = sorted(step for step, count in found.histogram.counts.items() for _ in range(count))
    assert len(steps) == len(scores)
    for step, score in zip(steps, sorted(scores), strict=True):
        assert step * 0.2 - 1e-6 <= score <= (step + 1) * 0.2 + 1e-6
    assert sum(score >= threshold + 1e-6 for score in scores) <= found.above <= sum(score >= threshold - 1e-6 for score in scores)


async def test_holdings_are_the_days_and_categories_there_are(case: Case) -> None:
    assert await case.catalogue.holdings() == Holdings(None, None, {}, 0)
    case.put("a", "a", FIRST, category_id=10)
    case.put("b", "b", LAST, category_id=10)
    case.put("c", "c", FIRST, category_id=None)
    assert await case.catalogue.holdings() == Holdings(FIRST, LAST, {10: 2}, 3)


async def test_groups_are_of_the_category_and_of_the_hour_on_the_regions_clock(case: Case) -> None:
    midnight = datetime(2025, 7, 1, 15, 0, tzinfo=UTC)  # in Seoul
    case.put("a", "a", FIRST, category_id=10, first_view_count=10**4, view_count=10**6, published_at=midnight)
    case.put("b", "b", FIRST, category_id=99, first_view_count=10**8, view_count=10**8, published_at=midnight)
    case.put("c", "c", FIRST, category_id=99, view_count=10**8, published_at=None)
    case.put("d", "d", FIRST, category_id=None, view_count=1, published_at=midnight)
    case.put("unknown", "a", FIRST, category_id=10, published_at=midnight)
    case.put("later", "a", LAST, category_id=10, view_count=10**8, published_at=midnight)
    found = await case.catalogue.groups(SpreadOf("performance", FIRST, FIRST, (), 90.0, REFERENCE))
    assert {key: (group.n, group.above) for key, group in found.categories.items()} == {10: (1, 0), 99: (2, 2)}
    assert {key: (group.n, group.above) for key, group in found.hours.items()} == {0: (3, 1)}
    assert found.categories[99].total == pytest.approx(2 * 99.9)
    assert found.categories[99].squares == pytest.approx(2 * 99.9**2)
    assert found.categories[10].total == pytest.approx(100 * share_below(4.0, REFERENCE["10"]), abs=0.1)


async def test_movers_gained_the_most_per_day_since_they_were_first_listed(case: Case) -> None:
    case.put("slow", "a", FIRST, LAST, category_id=10, first_view_count=100, view_count=1000)
    case.put("fast", "a", FIRST, FIRST + timedelta(days=1), category_id=10, first_view_count=100, view_count=600)
    case.put("also", "a", FIRST, FIRST + timedelta(days=1), category_id=20, first_view_count=0, view_count=500)
    case.put("once", "a", FIRST, category_id=10, first_view_count=1, view_count=10**6)
    case.put("fallen", "a", FIRST, LAST, category_id=10, first_view_count=100, view_count=90)
    case.put("untold", "a", FIRST, LAST, category_id=10, view_count=10**6)
    found = await case.catalogue.movers(SpreadOf("engagement", FIRST, LAST), 10)
    assert [row["video_id"] for row in found] == ["also", "fast", "slow"]
    assert [row["video_id"] for row in await case.catalogue.movers(SpreadOf("engagement", FIRST, LAST, (10,)), 1)] == ["fast"]
