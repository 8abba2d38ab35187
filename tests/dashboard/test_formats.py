"""Numbers and instants as each language writes them."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from dashboard.formats import NOTHING, Formats

EN, KO = Formats("en"), Formats("ko")


@pytest.mark.parametrize(
    ("made", "english", "korean"),
    [
        (lambda f: f.number(1234567.891, 1), "1,234,567.9", "1,234,567.9"),
        (lambda f: f.compact(12_300), "12.3K", "1.2만"),
        (lambda f: f.share(0.0123), "1.2%", "1.2%"),
        (lambda f: f.day("2025-07-24"), "Jul 24, 2025", "2025. 7. 24."),
        (lambda f: f.ago(180), "3 minutes ago", "3분 전"),
        (lambda f: f.milliseconds(0.0123), "12.3 ms", "12.3 ms"),
        (lambda f: f.size(3 * 1024 * 1024), "3.0 MiB", "3.0 MiB"),
        (lambda f: f.size(12), "12 B", "12 B"),
    ],
)
def test_a_number_as_the_language_writes_it(made, english, korean) -> None:
    assert (made(EN), made(KO)) == (english, korean)


def test_an_instant_is_the_viewers() -> None:
    assert EN.instant("2025-07-24T15:30:00Z", "short").replace("\u202f", " ") == "7/25/25, 12:30 AM"
    assert KO.instant("2025-07-24T15:30:00Z", "short") == "25. 7. 25. 오전 12:30"


@pytest.mark.parametrize(
    "made", [Formats.number, Formats.compact, Formats.share, Formats.day, Formats.instant, Formats.ago, Formats.milliseconds, Formats.size]
)
def test_no_number_is_a_dash(made) -> None:
    assert made(EN, None) == NOTHING


@pytest.mark.parametrize(
    ("fmt", "day", "hour"), [(EN, "%b %-d\n%Y", "%H:%M\n%b %-d, %Y"), (KO, "%-m월 %-d일\n%Y년", "%H:%M\n%Y년 %-m월 %-d일")], ids=["en", "ko"]
)
def test_a_charts_dates_are_written_in_the_language_at_every_distance_of_its_ticks(fmt, day, hour) -> None:
    axis = fmt.date_axis()
    found = {(one["dtickrange"][0], one["dtickrange"][1]): one["value"] for one in axis["tickformatstops"]}
    assert (found[86_400_000, "M1"], found[60_000, 86_400_000]) == (day, hour)
    ends = [tuple(one["dtickrange"]) for one in axis["tickformatstops"]]
    assert [left for left, _ in ends] == [None, *(right for _, right in ends[:-1])]
    assert go.Figure().update_xaxes(**axis).layout.xaxis.type == "date"
