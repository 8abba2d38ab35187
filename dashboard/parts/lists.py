"""What does well and what moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts.comparison import categories, hours
from dashboard.charts.spread import Labels
from dashboard.parts.catalogue import category_name
from dashboard.parts.filters import Chosen
from dashboard.view import View, empty, show_figure


def rankings(view: View, chosen: Chosen, page: Mapping[str, Any]) -> None:
    t = view.t
    st.subheader(t("performance.rankings"))
    if not page["categories"] and not page["hours"]:
        empty(t("performance.nothing_there"), t("performance.nothing_there_hint"))
        return
    left, right = st.columns(2, gap="medium")
    names = [category_name(view, one) for one in page["categories"]]
    mean = t("performance.mean_axis")
    if names:
        figure = categories(page["categories"], names, Labels(t("performance.best_categories"), mean, ""))
        with left:
            show_figure(figure, key="best-categories", alt=t("performance.best_categories_alt", best=names[0]))
    if page["hours"]:
        best = page["hours"][0]["hour"]
        figure = hours(page["hours"], Labels(t("performance.best_hours"), t("performance.hour_axis"), mean))
        with right:
            show_figure(figure, key="best-hours", alt=t("performance.best_hours_alt", best=best))
    st.caption(t("performance.rankings_about", threshold=chosen.threshold))


def movers(view: View, names: Mapping[int, str], page: Mapping[str, Any]) -> None:
    """Titles are cells of a table: text, whatever they hold."""
    t = view.t
    st.subheader(t("performance.movers"))
    if not page["movers"]:
        empty(t("performance.no_movers"), t("performance.no_movers_hint"))
        return
    columns = {
        "title": st.column_config.TextColumn(t("performance.video"), width=240),
        "per_day": st.column_config.NumberColumn(t("performance.gained_per_day"), format="localized"),
        "growth": st.column_config.NumberColumn(t("performance.growth"), format="percent"),
        "views": st.column_config.NumberColumn(t("performance.views"), format="localized"),
        "channel": st.column_config.TextColumn(t("performance.channel")),
        "category": st.column_config.TextColumn(t("performance.category")),
    }
    rows = [
        {
            "title": one["title"],
            "per_day": round(one["gained_per_day"]),
            "growth": one["growth"],
            "views": one["view_count"],
            "channel": one["channel_title"],
            "category": names.get(one["category_id"]),
        }
        for one in page["movers"]
    ]
    st.dataframe(rows, column_config=columns, hide_index=True, width="stretch", key="movers")
    st.caption(t("performance.movers_about"))
