"""Search by video id, keyword or channel; below it what the model says of the video that was picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.parts.export import csv_of
from dashboard.parts.options import told_apart
from dashboard.parts.result import Result, result
from dashboard.view import View, empty, guarded

BY = ("video_id", "keyword", "channel")
LIMIT = 20
_STATE = "search.asked"
COLUMNS = ("video_id", "title", "channel_title", "category_id", "first_seen", "view_count", "like_count", "comment_count", "engagement_rate")
PREDICTED = ("performance_score", "percentile", "confidence", "predicted_views", "viral_probability", "trend_prediction", "growth_potential")


@dataclass
class Asked:
    by: str
    words: str
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    total: int = 0
    next_cursor: str | None = None
    version: str | None = None
    degraded: bool = False


def search(view: View, names: Mapping[int, str], *, narrow: bool) -> None:
    t = view.t
    by = st.segmented_control(t("search.by"), BY, default="keyword", format_func=lambda one: t(f"search.by_{one}"), key="search_by", required=True)
    with st.form("search_form", border=False):
        words = st.text_input(t(f"search.by_{by}"), placeholder=t(f"search.{by}_example"), max_chars=200, key=f"search_words_{by}")
        sent = st.form_submit_button(t("search.submit"), icon=":material/search:", type="primary")
    if sent and not words.strip():
        st.warning(t(f"search.{by}_missing"), icon=":material/edit_note:")
    elif sent:
        st.session_state[_STATE] = _begun(view, Asked(by, words.strip()))
    asked: Asked | None = st.session_state.get(_STATE)
    if asked is None:
        empty(t("search.nothing_yet"), t("search.nothing_yet_hint"))
        return
    picked = asked.words if asked.by == "video_id" else _pick(view, asked)
    if picked is not None:
        fresh, alone = bool(sent), asked.by == "video_id"
        guarded(lambda view: _shown(view, result(view, names, picked, narrow=narrow, fresh=fresh), alone=alone), view)


def _shown(view: View, found: Result, *, alone: bool) -> None:
    if alone and found.prediction is not None:
        _download(view, [_flat({"video_id": found.video_id, **(found.video or {})}, found.prediction, found.prediction["model_version"])])


def _begun(view: View, asked: Asked) -> Asked:
    if asked.by != "video_id":
        _more(view, asked)
    return asked


def _more(view: View, asked: Asked) -> None:
    body = {asked.by: asked.words, "limit": LIMIT, "cursor": asked.next_cursor}
    page = view.api.post(f"/search/{asked.by}", body)
    asked.rows = [*asked.rows, *page["results"]]
    asked.total, asked.next_cursor = page["total_count"], page["next_cursor"]
    asked.version, asked.degraded = page["model_version"], page["degraded"]


def _pick(view: View, asked: Asked) -> str | None:
    """A select box, whose options are plain text."""
    t, fmt = view.t, view.fmt
    if not asked.rows:
        empty(t("search.none_found"), t("search.none_found_hint"))
        return None
    titles = told_apart({row["video_id"]: f"{row['title']} · {row['channel_title'] or '–'} · {fmt.compact(row['view_count'])}" for row in asked.rows})
    label = t("search.found", shown=fmt.number(len(asked.rows)), total=fmt.number(asked.total))
    picked = st.selectbox(label, list(titles), format_func=titles.__getitem__, key=f"search_pick_{asked.by}_{asked.words}")
    with st.container(horizontal=True):
        if asked.next_cursor is not None and st.button(t("search.more"), icon=":material/expand_more:"):
            _more(view, asked)
            st.rerun(scope="fragment")
        _download(view, [_flat(row, row["prediction"] or {}, asked.version) for row in asked.rows])
    if asked.degraded:
        st.warning(t("search.degraded_page"), icon=":material/cloud_off:")
    return str(picked)


def _download(view: View, rows: list[dict[str, Any]]) -> None:
    st.download_button(view.t("search.csv"), csv_of(rows), "predictions.csv", "text/csv", icon=":material/download:", on_click="ignore")


def _flat(video: Mapping[str, Any], prediction: Mapping[str, Any], version: str | None) -> dict[str, Any]:
    """A line of the CSV."""
    return {name: video.get(name) for name in COLUMNS} | {name: prediction.get(name) for name in PREDICTED} | {"model_version": version}
