"""Numbers, instants and shares as the language writes them (CLDR, by Babel). Instants in the viewer's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal, format_percent

HERE = ZoneInfo("Asia/Seoul")
KOREAN = {"short": "yy. M. d. aaaa h:mm", "medium": "y. M. d. aaaa h:mm:ss"}
"""CLDR's Korean says AM and PM where people read 오전 and 오후."""
MINUTE, DAY = 60_000, 86_400_000
TICKS = {
    "en": ("%H:%M:%S\n%b %-d", "%H:%M\n%b %-d, %Y", "%b %-d\n%Y", "%b %Y", "%Y"),
    "ko": ("%H:%M:%S\n%-m월 %-d일", "%H:%M\n%Y년 %-m월 %-d일", "%-m월 %-d일\n%Y년", "%Y년 %-m월", "%Y년"),
}
"""Of a chart's axis: ticks less than a minute apart, less than a day, less than a month, less than a year, and years. Plotly knows English alone."""
HOVERED = {"en": "%b %-d, %Y, %H:%M", "ko": "%Y년 %-m월 %-d일 %H:%M"}
NOTHING = "–"
"""Where there is no number."""


@dataclass(frozen=True)
class Formats:
    language: str
    zone: tzinfo = HERE

    @property
    def locale(self) -> Locale:
        return Locale.parse(self.language)

    def number(self, value: float | None, digits: int = 0) -> str:
        """12,345.6"""
        pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
        return NOTHING if value is None else format_decimal(value, pattern, locale=self.locale)

    def compact(self, value: float | None) -> str:
        """12K, 1.2만"""
        return NOTHING if value is None else format_compact_decimal(value, locale=self.locale, fraction_digits=1)

    def share(self, value: float | None, digits: int = 1) -> str:
        """Of 1."""
        return NOTHING if value is None else format_percent(value, f"#,##0.{'0' * digits}%" if digits else "#,##0%", locale=self.locale)

    def day(self, value: date | str | None) -> str:
        if value is None:
            return NOTHING
        return format_date(date.fromisoformat(value) if isinstance(value, str) else value, "medium", locale=self.locale)

    def instant(self, value: datetime | str | None, style: str = "medium") -> str:
        """`style`: short, medium, long."""
        if value is None:
            return NOTHING
        pattern = KOREAN.get(style, style) if self.language == "ko" else style
        return format_datetime(parsed(value).astimezone(self.zone), pattern, locale=self.locale)

    def date_axis(self) -> dict[str, Any]:
        """Of a plotly axis: how its dates are written, at every distance of its ticks."""
        bounds = (None, MINUTE, DAY, "M1", "M12", None)
        stops = [{"dtickrange": list(bounds[place : place + 2]), "value": value} for place, value in enumerate(TICKS[self.language])]
        return {"type": "date", "tickformatstops": stops, "hoverformat": HOVERED[self.language]}

    def ago(self, seconds: float | None) -> str:
        """3 minutes ago"""
        if seconds is None:
            return NOTHING
        return format_timedelta(-timedelta(seconds=max(seconds, 1)), add_direction=True, locale=self.locale)

    def milliseconds(self, seconds: float | None) -> str:
        return NOTHING if seconds is None else f"{self.number(seconds * 1000, 1 if seconds < 0.1 else 0)} ms"

    def size(self, count: float | None) -> str:
        """Bytes, in the powers of two people expect of memory."""
        if count is None:
            return NOTHING
        for unit in ("B", "KiB", "MiB", "GiB"):
            if abs(count) < 1024 or unit == "GiB":
                return f"{self.number(count, 0 if unit == 'B' else 1)} {unit}"
            count /= 1024
        raise AssertionError  # the last unit has returned


def parsed(value: datetime | str) -> datetime:
    """An instant the API wrote."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
