"""The newest warnings and errors of all parts."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard.view import View, empty, live
from dashboard.words import named

LEVELS = ("all", "warning", "error")
PARTS = ("all", "intake", "indexer", "recommender", "monitor", "serving", "dashboard")
LINES = 100


def log(view: View) -> None:
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        level = st.segmented_control(t("system.log.level"), LEVELS, default="all", format_func=lambda name: t(f"system.log.levels.{name}"), key="log_level")
        everything = t("system.log.levels.all")
        part = st.selectbox(t("system.log.part"), PARTS, format_func=lambda name: everything if name == "all" else name, width=220, key="log_part")
    live(view, partial(_lines, level=level or "all", part=part), seconds=10)


def _lines(view: View, level: str, part: str) -> None:
    t, fmt = view.t, view.fmt
    found = view.api.get("/system/log", limit=LINES, level=None if level == "all" else level, part=None if part == "all" else part)
    if not found["kept"]:
        st.info(t("system.log.not_kept"), icon=":material/info:")
        return
    if not found["lines"]:
        empty(t("system.log.empty"))
        return
    rows = [
        {
            "at": fmt.instant(line["at"]),
            "service": line["service"],
            "level": named(t, "system.log.levels", line["level"]),
            "event": line["event"],
            "detail": line["detail"],
        }
        for line in found["lines"]
    ]
    words = {name: st.column_config.TextColumn(t(f"system.log.{name}"), width="large" if name == "detail" else None) for name in rows[0]}
    st.dataframe(rows, hide_index=True, column_config=words, height=min(38 + 35 * len(rows), 520), alt=t("system.tab.log"))
