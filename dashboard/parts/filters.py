"""The sidebar of the performance page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboard.parts.catalogue import category_names
from dashboard.view import View

DAYS = 7
MUSIC, GAMING = 10, 20
THRESHOLD, ENGAGEMENT = 90, 5.0
"""Points of performance; per cent of engagement."""


@dataclass(frozen=True)
class Chosen:
    first: date
    last: date
    categories: Sequence[int]
    threshold: int
    engagement: float
    """A ratio."""

    def part(self) -> dict[str, Any]:
        """As the API asks for it."""
        return {"from": str(self.first), "to": str(self.last), "category": list(self.categories)}


def filters(view: View, held: Mapping[str, Any]) -> Chosen:
    t, names = view.t, category_names(view, held["categories"])
    first, last, today = (date.fromisoformat(held[name]) for name in ("first_day", "last_day", "today"))
    latest = max(last, today)
    with st.sidebar:
        st.subheader(t("performance.filters"))
        picked = st.date_input(
            t("performance.days"),
            newest(first, last),
            min_value=first,
            max_value=latest,
            format="YYYY-MM-DD",
            help=t("performance.days_help"),
            key="performance_days",
        )
        categories = st.multiselect(
            t("performance.categories"),
            list(names),
            usual(names),
            format_func=names.__getitem__,
            placeholder=t("performance.all_categories"),
            key="performance_categories",
        )
        threshold = st.slider(t("performance.threshold"), 0, 100, THRESHOLD, help=t("performance.threshold_help"), key="performance_threshold")
        engagement = st.slider(t("performance.engagement_threshold"), 0.0, 30.0, ENGAGEMENT, 0.5, format="%.1f%%", key="performance_engagement")
    begins, ends = whole(picked, first, latest)
    return Chosen(begins, ends, categories, threshold, round(engagement / 100, 4))


def newest(first: date, last: date) -> tuple[date, date]:
    """The last days there are."""
    return max(first, last - timedelta(days=DAYS - 1)), last


def usual(names: Mapping[int, str]) -> list[int]:
    """Music and gaming; where there is neither, all."""
    return [category for category in (MUSIC, GAMING) if category in names]


def whole(picked: Any, first: date, last: date) -> tuple[date, date]:
    """A range of which only the first day is picked yet goes to the end; none is all there is."""
    days = list(picked) if isinstance(picked, tuple | list) else [picked]
    if not days:
        return first, last
    return days[0], days[1] if len(days) > 1 else last
