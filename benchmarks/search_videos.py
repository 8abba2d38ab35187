"""Keyword search over generated videos: `python -m benchmarks.search_videos [--videos 1000000] [--json]`.

Titles and descriptions in Korean and English, words by Zipf's law (the most frequent is in a quarter of the titles), seeded. Keywords of every
kind, each asked once before any is repeated, so nothing comes from a cache of answers. One row over all (`what` = search), one per kind."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg2
import psycopg2.extensions

from benchmarks.rows import EVERGREEN, Row
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.video_search import PostgresSearch
from evergreen.local_stack.testing import stack
from evergreen.settings import Settings

KOREAN = (
    "여행",
    "음악",
    "게임",
    "먹방",
    "브이로그",
    "공식",
    "뮤직비디오",
    "커버",
    "라이브",
    "예능",
    "하이라이트",
    "영상",
    "축구",
    "드라마",
    "리뷰",
    "일상",
    "노래",
)
ENGLISH = ("official", "video", "live", "music", "the", "BTS", "game", "vlog", "cover", "teaser", "MV", "review", "best", "news", "feat", "dance", "trailer")
CATEGORIES = (1, 2, 10, 15, 17, 20, 22, 23, 24, 25, 26, 28)
RARE_WORDS = 15_000
"""Of each language, beside the known ones."""
CHUNK = 20_000
COLUMNS = (
    "video_id, title, description, channel_id, channel_title, category_id, view_count, like_count, comment_count, first_view_count,"
    " region, published_at, first_seen, last_seen"
)


def vocabulary(draw: random.Random) -> list[str]:
    """Most frequent first; Korean and English in turn."""
    syllables = [chr(0xAC00 + at) for at in draw.sample(range(11_172), 600)]
    letters = "eeeeaaaoootttiinnnsshhrrdlucmwfgypbvk"
    korean = [*KOREAN] + ["".join(draw.choices(syllables, k=draw.randint(2, 4))) for _ in range(RARE_WORDS)]
    english = [*ENGLISH] + ["".join(draw.choices(letters, k=draw.randint(3, 9))) for _ in range(RARE_WORDS)]
    return [word for pair in zip(korean, english, strict=True) for word in pair]


def generated(count: int, seed: int) -> Iterator[str]:
    """Lines for COPY. A third has a description; some counts are not known."""
    words, random_numbers = vocabulary(random.Random(seed)), np.random.default_rng(seed)
    weights = 1.0 / (np.arange(len(words)) + 3.0)
    weights /= weights.sum()
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        lengths = random_numbers.integers(4, 11, size)
        described = np.where(random_numbers.random(size) < 0.3, random_numbers.integers(5, 25, size), 0)
        drawn = iter(random_numbers.choice(len(words), int((lengths + described).sum()), p=weights).tolist())
        views = np.exp(random_numbers.normal(11.0, 2.0, size)).astype(np.int64)
        for at in range(size):
            title = " ".join(words[next(drawn)] for _ in range(lengths[at]))
            description = " ".join(words[next(drawn)] for _ in range(described[at])) or r"\N"
            yield _line(first + at, title, description, int(views[at]))


def _line(number: int, title: str, description: str, views: int) -> str:
    channel, day = number % 50_000, date(2025, 1 + number % 7, 1 + number // 7 % 28)
    counts = (views, views // 30, views // 300, views * (number % 89 + 10) // 100) if number % 50 else (r"\N",) * 4
    published = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(minutes=number * 7919 % 2880)
    days = (day, day + timedelta(days=number % 10))
    values = (f"v{number:08}", title, description, f"UC{channel:06}", f"채널 {channel}", CATEGORIES[number % 12], *counts, "KR", published, *days)
    return "\t".join(str(value) for value in values) + "\n"


def load(connection: psycopg2.extensions.connection, count: int, seed: int = 7) -> None:
    """Into an empty table, as a restore would: indexes and counts are made afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'videos' AND indexname <> 'videos_pkey'")
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute("ALTER TABLE videos DISABLE TRIGGER USER")
        lines = generated(count, seed)
        while chunk := "".join(line for _, line in zip(range(CHUNK), lines, strict=False)):
            cursor.copy_expert(f"COPY videos ({COLUMNS}) FROM STDIN", io.StringIO(chunk))
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("SELECT videos_count_again()")
        cursor.execute("ALTER TABLE videos ENABLE TRIGGER USER")
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE videos, video_terms, video_channels")


def keywords(seed: int, each: int) -> dict[str, list[str]]:
    """By kind. `frequent`: the commonest words; `usual`: drawn as often as they are written."""
    draw = random.Random(seed)
    words = vocabulary(random.Random(seed))
    rare = words[len(KOREAN) * 2 :]
    weighted = draw.choices(words, weights=[1 / (at + 3) for at in range(len(words))], k=each * 3)
    syllables = [word[0] for word in draw.sample([word for word in rare if not word.isascii()], each)]
    return {
        "frequent": [*KOREAN, *ENGLISH],
        "usual": list(dict.fromkeys(weighted))[:each],
        "rare": draw.sample(rare, each),
        "two_syllables": draw.sample([word for word in rare if len(word) == 2], each),
        "one_syllable": list(dict.fromkeys(syllables)),
        "part_of_a_word": [word[1:] for word in draw.sample([word for word in rare if len(word) > 3], each)],
        "phrase": [f"{draw.choice(words[:200])} {draw.choice(words[:2000])}" for _ in range(each)],
        "absent": [f"없는말{number}" for number in range(each)],
    }


async def timed(settings: Settings, seed: int, each: int) -> dict[str, list[float]]:
    """Milliseconds of each search, by kind."""
    postgres = AsyncPostgres(settings.postgres.dsn.get_secret_value())
    search = PostgresSearch(postgres)
    seconds: dict[str, list[float]] = {}
    try:
        await search.by_keyword("여행", 10, None)  # connects
        for kind, asked in keywords(seed, each).items():
            for keyword in asked:
                begun = time.perf_counter()
                await search.by_keyword(keyword, 10, None)
                seconds.setdefault(kind, []).append(1000 * (time.perf_counter() - begun))
    finally:
        await postgres.close()
    return seconds


def _figures(milliseconds: dict[str, list[float]], videos: int) -> list[Row]:
    """The first one over all kinds is what the bar is about."""
    everything = [value for values in milliseconds.values() for value in values]
    named = {EVERGREEN: everything, **{f"{EVERGREEN}, {kind}": values for kind, values in milliseconds.items()}}
    return [Row("search", system, 0, 1, round(float(np.quantile(values, 0.95)), 2), f"ms p95 of {videos} videos") for system, values in named.items()]


def rows(videos: int = 1_000_000, seed: int = 7, each: int = 100) -> list[Row]:
    """For `make bench`: a Postgres of its own, filled, asked, ended."""
    with stack({"postgres"}) as settings:
        connection = psycopg2.connect(settings.postgres.admin_dsn.get_secret_value())
        try:
            load(connection, videos, seed)
        finally:
            connection.close()
        return _figures(asyncio.run(timed(settings, seed, each)), videos)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    given: Any = parser.parse_args(arguments)
    found = rows(given.videos)
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in found]}))  # noqa: T201
        return
    for row in found:
        print(f"{row.value:8.2f} {row.unit}  {row.system}")  # noqa: T201


if __name__ == "__main__":
    main()
