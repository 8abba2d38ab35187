"""Search in real Postgres: what is found, in which order, how often, and by which index."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import date
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.adapters import search_sql as sql
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.memory.catalogue import MemoryVideos
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.video_search import PostgresSearch
from evergreen.core.errors import Unavailable
from evergreen.core.keywords import contains_pattern, keyword_of
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
DAY = date(2025, 7, 20)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    opened = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield opened
    emptied(opened).close()


@pytest.fixture
async def search(postgres_settings: Settings, store: PostgresStore) -> AsyncIterator[PostgresSearch]:
    postgres = AsyncPostgres(postgres_settings.postgres.dsn.get_secret_value())
    yield PostgresSearch(postgres)
    await postgres.close()


def put(store: PostgresStore, *rows: dict[str, Any]) -> None:
    base = {"title": "제목", "region": "KR", "first_seen": DAY, "last_seen": DAY}
    with store.transaction() as tx:
        tx.videos.upsert([{**base, **row} for row in rows])


async def ids(search: PostgresSearch, keyword: str, limit: int = 100) -> list[str]:
    found = await search.by_keyword(keyword_of(keyword), limit, None)
    assert found.total == len(found.rows)
    return [row["video_id"] for row in found.rows]


TITLES = {
    "korean": "제주도 여행 브이로그",
    "joined": "신혼여행지 추천",
    "english": "BTS Official MV — Dynamite",
    "percent": "오늘만 50% 할인",
    "underscore": "snake_case 강의",
    "backslash": r"C:\temp 지우기",
    "quote": "it's '); DROP TABLE videos; --",
    "newline": "첫 줄\n둘째 줄",
    "japanese": "これはとても長いタイトルなので空白がありませんがそれでも探せるはずです絶対に見つけてください",
}


@pytest.mark.parametrize(
    ("keyword", "wanted"),
    [
        pytest.param("여행", {"korean", "joined"}, id="two-syllables"),
        pytest.param("여행 ", {"korean", "joined"}, id="spaces-around"),
        pytest.param("여", {"korean", "joined"}, id="one-syllable"),
        pytest.param("혼여행", {"joined"}, id="three-syllables-within-a-word"),
        pytest.param("브이로그", {"korean"}, id="a-word"),
        pytest.param("여행 브이", {"korean"}, id="a-phrase"),
        pytest.param("줄 둘", {"newline"}, id="a-phrase-over-a-line-end-in-short-pieces"),
        pytest.param("bts official", {"english"}, id="any-case"),
        pytest.param("DYNAMITE", {"english"}, id="any-case-of-the-keyword"),
        pytest.param("—", {"english"}, id="a-dash"),
        pytest.param("%", {"percent"}, id="percent"),
        pytest.param("50%", {"percent"}, id="percent-of-a-number"),
        pytest.param("5_%", set(), id="no-wildcard"),
        pytest.param("_", {"underscore"}, id="underscore"),
        pytest.param("e_c", {"underscore"}, id="underscore-within"),
        pytest.param("\\", {"backslash"}, id="backslash"),
        pytest.param("c:\\t", {"backslash"}, id="backslash-within"),
        pytest.param("'); DROP TABLE videos; --", {"quote"}, id="sql"),
        pytest.param("' OR '1'='1", set(), id="sql-that-is-nowhere"),
        pytest.param("$1", set(), id="a-parameter"),
        pytest.param("長いタイトル", {"japanese"}, id="within-a-long-word"),
        pytest.param("探せるはずです絶対に見つけてくだ", {"japanese"}, id="sixteen-characters-across-its-pieces"),
        pytest.param("それでも探せるはずです絶対に見つけてください", {"japanese"}, id="longer-than-a-term"),
        pytest.param("설명에만", {"described"}, id="in-the-description"),
        pytest.param("끝 시작", set(), id="not-across-title-and-description"),
        pytest.param("없다", set(), id="nowhere"),
    ],
)
async def test_a_keyword_is_found_wherever_it_is_and_nowhere_else(store: PostgresStore, search: PostgresSearch, keyword: str, wanted: set[str]) -> None:
    put(store, *({"video_id": name, "title": title} for name, title in TITLES.items()))
    put(store, {"video_id": "described", "title": "제목 끝", "description": "시작 설명에만 있는 말"})
    assert set(await ids(search, keyword)) == wanted


letters = st.text(st.sampled_from("가나다ab %_\\"), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(titles=st.lists(st.text(st.sampled_from("가나다abAB %_\\"), min_size=1, max_size=24), min_size=1, max_size=12), keywords=st.lists(letters, max_size=6))
async def test_it_finds_what_its_twin_finds(store: PostgresStore, search: PostgresSearch, titles: list[str], keywords: list[str]) -> None:
    twin = MemoryVideos()
    rows: list[dict[str, Any]] = [{"video_id": f"v{number}", "title": title, "view_count": number % 3 or None} for number, title in enumerate(titles)]
    put(emptied(store), *rows)
    for row in rows:
        twin.put(first_seen=DAY, **row)
    for keyword in {keyword.strip() for keyword in keywords} - {""}:
        found, expected = await search.by_keyword(keyword, 100, None), await twin.by_keyword(keyword, 100, None)
        assert ([row["video_id"] for row in found.rows], found.total) == ([row["video_id"] for row in expected.rows], expected.total)


async def test_pages_under_ties_have_no_gaps_and_no_doubles_whatever_is_written_between_them(store: PostgresStore, search: PostgresSearch) -> None:
    views = {f"v{number:03}": [None, 5, 5, 7][number % 4] for number in range(60)}
    put(store, *({"video_id": video, "title": "같은 여행", "view_count": count} for video, count in views.items()))
    seen: list[str] = []
    cursor = None
    while not seen or cursor is not None:
        found = await search.by_keyword("여행", 7, cursor)
        seen, cursor = seen + [row["video_id"] for row in found.rows], found.next_cursor
        put(store, {"video_id": f"before-{len(seen)}", "title": "같은 여행", "view_count": 10**6})
    assert seen == sorted(views, key=lambda video: (-(views[video] or 0), video))


async def test_a_page_beyond_the_end_is_empty_and_still_tells_the_total(store: PostgresStore, search: PostgresSearch) -> None:
    put(store, *({"video_id": f"v{number}", "title": "여행", "view_count": 1} for number in range(3)))
    first = await search.by_keyword("여행", 2, None)
    put(store, {"video_id": "v2", "title": "바뀐 제목", "last_seen": date(2025, 7, 21)})
    last = await search.by_keyword("여행", 2, first.next_cursor)
    assert (list(last.rows), last.total, last.next_cursor) == ([], 2, None)


async def test_totals_follow_every_way_a_row_changes(store: PostgresStore, search: PostgresSearch) -> None:
    async def total(keyword: str) -> int:
        return (await search.by_keyword(keyword, 1, None)).total

    put(store, *({"video_id": f"v{number}", "title": "여행 하이라이트", "view_count": number, "channel_title": "채널"} for number in range(50)))
    assert [await total(word) for word in ("여", "여행", "하이라이트")] == [50, 50, 50]
    later = {"last_seen": date(2025, 7, 21)}
    put(store, {"video_id": "v0", "title": "여행", **later}, {"video_id": "v1", "title": "여행 하이라이트", "view_count": 10**6, **later})
    assert [await total(word) for word in ("여행", "하이라이트")] == [50, 49]
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM videos WHERE video_id IN ('v2', 'v3')")
    assert [await total(word) for word in ("여행", "하이라이트")] == [48, 47]
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT term, videos FROM video_terms WHERE videos <> 0 ORDER BY term")
        kept = cursor.fetchall()
        cursor.execute("SELECT videos_count_again()")
        cursor.execute("SELECT term, videos FROM video_terms ORDER BY term")
        assert cursor.fetchall() == kept
    assert (await search.by_channel("채널", 1, None)).total == 46


async def test_channels_by_id_and_name(store: PostgresStore, search: PostgresSearch) -> None:
    put(
        store,
        {"video_id": "a", "channel_id": "UC1", "channel_title": "BTS Official", "view_count": 1},
        {"video_id": "b", "channel_id": "UC1", "channel_title": None, "view_count": 2},
        {"video_id": "c", "channel_id": "UC2", "channel_title": "UC1 팬", "view_count": 3},
        {"video_id": "d", "channel_id": "UC3", "channel_title": "100%_채널"},
    )

    async def found(words: str) -> tuple[list[str], int]:
        page = await search.by_channel(words, 10, None)
        return [row["video_id"] for row in page.rows], page.total

    assert await found("UC1") == (["c", "b", "a"], 3)
    assert await found("uc1") == (["c"], 1)
    assert await found("official") == (["a"], 1)
    assert await found("%_채") == (["d"], 1)
    assert await found("%채") == ([], 0)


async def test_without_postgres_it_is_unavailable() -> None:
    away = PostgresSearch(AsyncPostgres("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(Unavailable):
        await away.by_keyword("여행", 10, None)


MANY = """
INSERT INTO videos (video_id, title, channel_id, channel_title, view_count, region, first_seen, last_seen)
SELECT 'v' || n,
       '제목 여행 ' || (ARRAY['하이라이트', '모음', '브이로그'])[1 + n % 3] || ' 번호' || n || CASE WHEN n % 500 = 0 THEN ' 희귀한단어 뷁' ELSE '' END,
       'UC' || n % 900, '채널 ' || n % 900, n * 7919 % 100000, 'KR', '2025-07-01', '2025-07-01'
FROM generate_series(1, 8000) AS n
"""


def _analyzed(settings: Settings) -> None:
    """As autovacuum leaves it sooner or later. Only the owner may: of anybody else Postgres skips the statement with a warning."""
    connection = psycopg2.connect(settings.postgres.admin_dsn.get_secret_value())
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE videos, video_terms, video_channels")
        assert not connection.notices


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        pytest.param(sql.WITH_TERMS, (["뷁"], sql.FIRST_RANK, "", 11), "videos_by_term", id="one-character"),
        pytest.param(sql.WITH_TERMS, (["귀한"], sql.FIRST_RANK, "", 11), "videos_by_term", id="two-characters"),
        pytest.param(sql.WITH_TERMS, (["희귀한"], sql.FIRST_RANK, "", 11), "videos_by_term", id="three-characters"),
        pytest.param(sql.ENDING, ("희귀한", 201), "video_terms_by_end", id="terms-of-three-characters"),
        pytest.param(sql.ALSO, ("희귀한", ["한단어"]), "videos_by_term", id="total-over-terms"),
        pytest.param(sql.WITH_PATTERN, (contains_pattern("희귀한단어 뷁"), sql.FIRST_RANK, "", 11), "videos_by_trigram", id="phrase"),
        pytest.param(sql.WITH_PIECES, (contains_pattern("어 뷁"), sql.FIRST_RANK, "", 11, ["어", "뷁"]), "videos_by_term", id="short-pieces"),
        pytest.param(sql.WALK, (contains_pattern("여행"), sql.FIRST_RANK, "", 11, 200), "videos_by_views", id="frequent"),
        pytest.param(sql.OF_CHANNELS, ("UC1", ["채널 2"], sql.FIRST_RANK, "", 11), "videos_by_channel_title", id="channels"),
        pytest.param(sql.OF_CHANNELS, ("UC1", ["채널 2"], sql.FIRST_RANK, "", 11), "videos_by_channel", id="channel-id"),
    ],
)
async def test_the_plan_uses_the_index_whether_it_knows_the_values_or_not(
    store: PostgresStore, postgres_settings: Settings, statement: str, values: tuple[Any, ...], index: str
) -> None:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(MANY)
    _analyzed(postgres_settings)
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}")
        generic = cursor.fetchall()
    postgres = AsyncPostgres(postgres_settings.postgres.dsn.get_secret_value())
    try:
        known = [row[0] for row in await postgres.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *values)]
    finally:
        await postgres.close()
    for plan in (json.dumps(known), json.dumps(generic)):
        assert index in plan
        assert "Seq Scan" not in plan
