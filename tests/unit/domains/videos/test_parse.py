"""Text forms found in trending files."""

from datetime import date

import pytest

from evergreen.domains.videos.names import ZONES
from evergreen.domains.videos.parse import count_tags, day_of, parse_day, parse_duration, region_of


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("17.14.11", date(2017, 11, 14)),
        ("13.09", date(2017, 9, 13)),
        ("20201108T00:00:00Z", date(2020, 11, 8)),
        ("2020-08-12T00:00:00Z", date(2020, 8, 12)),
        ("2020-08-12", date(2020, 8, 12)),
        ("17.32.11", None),
        ("soon", None),
    ],
)
def test_days_in_every_form(text: str, day: date | None) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("trending_videos_KR_20250301.json", "KR"),
        ("USvideos.csv", "US"),
        ("usvideos.csv", "US"),
        ("trending_us_20250724.json", "US"),
        ("JP_youtube_trending_data.csv", "JP"),
        ("YT_trending_KR.csv", "KR"),
        ("AU_trending.csv", "AU"),
        ("seen_in_2025.csv", None),
        ("seen_IN_2025.csv", "IN"),
        ("my_lists.csv", None),
        ("lists.csv", None),
    ],
)
def test_the_region_in_a_name(name: str, region: str | None) -> None:
    assert region_of(name, ZONES) == region


def test_small_forms() -> None:
    assert [day_of(name) for name in ("trending_videos_KR_20250301.json", "trending_KR_2025-02_2026-02.parquet")] == [date(2025, 3, 1), None]
    assert [count_tags(value) for value in ("[none]", "[None]", "", None, 'a|"b c"', ["a", "b"])] == [0, 0, 0, 0, 2, 2]
    assert [parse_duration(text) for text in ("PT1H2M3S", "P1DT1S", "12.5", "PT", "long")] == [3723.0, 86401.0, 12.5, None, None]
    assert [parse_duration(f"PT{'9' * digits}S") for digits in (400, 5000)] == [None, None]
