"""What if the video were another: its features, some of them changed, and the same version asked again. Nothing of it is logged as a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from babel.dates import get_day_names

from dashboard.charts.spread import Labels, Mark, cumulative
from dashboard.view import View, show_figure

WEEKEND = 5
COUNTS = {"tag_count": 500, "description_length": 5000, "channel_videos": 10_000}
"""Features that are typed, and the largest that may be."""


def what_if(view: View, names: Mapping[int, str], video: Mapping[str, Any], before: Mapping[str, Any], spread: Mapping[str, Any] | None) -> None:
    t = view.t
    with st.expander(t("search.what_if"), icon=":material/science:", key=f"what_if_{video['video_id']}", on_change="ignore"):
        st.caption(t("search.what_if_about"))
        edits = _edits(view, names, video)
        if not edits:
            st.caption(t("search.what_if_same"))
            return
        body = {"video_id": video["video_id"], "features": edited(video["features"], edits)}
        after = view.api.post("/predict/video/explanation", body)
        _moved(view, before, after)
        if spread is not None and spread["n"]:
            marks = [Mark(before["performance_score"], t("search.marker")), Mark(after["performance_score"], t("search.changed"))]
            labels = Labels(t("search.what_if_cdf"), t("performance.performance_axis"), t("performance.share_axis"))
            alt = f"{t('search.what_if_cdf')}: {before['performance_score']:.1f} → {after['performance_score']:.1f}"
            show_figure(cumulative(spread["x"], spread["cdf"], labels, marks=marks), key="what-if-cdf", alt=alt)


def edited(features: Mapping[str, Any], edits: Mapping[str, Any]) -> dict[str, Any]:
    """The request: what depends on a changed day follows it."""
    changed = {**features, **edits}
    if "day_of_week" in edits:
        changed["is_weekend"] = float(edits["day_of_week"] >= WEEKEND)
    return changed


def _edits(view: View, names: Mapping[int, str], video: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the stored features. Those that are not stored are not offered."""
    t, known, key = view.t, video["features"], video["video_id"]
    given: dict[str, Any] = {"title": st.text_input(t("names.feature.title"), video["title"], max_chars=300, key=f"if_title_{key}")}
    category, numbers = _whole(known, "category_id"), list(names)
    if category is not None and category in numbers:
        at, key_of_it = numbers.index(category), f"if_category_{key}"
        given["category_id"] = st.selectbox(t("names.feature.category_id"), numbers, at, format_func=names.__getitem__, key=key_of_it)
    if (hour := _whole(known, "hour")) is not None:
        given["hour"] = st.slider(t("names.feature.hour"), 0, 23, hour, key=f"if_hour_{key}")
    if (day := _whole(known, "day_of_week")) is not None:
        days = get_day_names("wide", locale=view.fmt.locale)
        given["day_of_week"] = st.selectbox(t("names.feature.day_of_week"), range(7), day, format_func=days.__getitem__, key=f"if_day_{key}")
    for name, most in COUNTS.items():
        if (count := _whole(known, name)) is not None:
            given[name] = st.number_input(t(f"names.feature.{name}"), 0, max(most, count), count, key=f"if_{name}_{key}")
    return {name: value for name, value in given.items() if value != (video["title"] if name == "title" else _whole(known, name))}


def _whole(known: Mapping[str, Any], name: str) -> int | None:
    value = known.get(name)
    return None if value is None else int(value)


def _moved(view: View, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    factor = after["predicted_views"] / before["predicted_views"] if before["predicted_views"] else None
    with st.container(horizontal=True, key="what_if_figures"):
        points = after["performance_score"] - before["performance_score"]
        st.metric(t("search.score"), fmt.number(after["performance_score"], 1), t("search.points", points=f"{points:+.1f}"), border=True, width=180)
        change = None if factor is None else f"{fmt.share(factor - 1) if factor < 1 else '+' + fmt.share(factor - 1)}"
        st.metric(t("search.predicted_views"), fmt.compact(after["predicted_views"]), change, border=True, width=180)
