"""The kill switch."""

from __future__ import annotations

import streamlit as st

from dashboard.parts.acting import acted, reason_of
from dashboard.view import View


def pause(view: View) -> None:
    t, fmt, now = view.t, view.fmt, view.api.get("/policy/pause")
    paused = now["paused"]
    turn = t("admin.pause.resume" if paused else "admin.pause.pause")
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
        with left:
            st.badge(
                t("admin.pause.paused" if paused else "admin.pause.running"),
                icon=":material/pause_circle:" if paused else ":material/play_circle:",
                color="orange" if paused else "green",
            )
            if now["who"] is not None:
                # A reason is somebody's text, never markup.
                st.text(t("admin.pause.since" if paused else "admin.pause.resumed", who=now["who"], reason=now["reason"], at=fmt.instant(now["time"])))
            st.caption(t("admin.pause.says"))
        with right, st.popover(turn, icon=":material/toggle_on:", width="stretch", key=f"pause-{paused}"):
            # Another switch each way: it is closed after it was turned, and asks for a reason of its own.
            reason = reason_of(view, f"pause_reason_{paused}")
            sure = st.button(turn, type="primary", key="pause_turn")
            asked = {"paused": not paused, "reason": reason}
            if sure and acted(view, reason, lambda: view.api.post("/policy/pause", asked), "admin.pause.turned") is not None:
                st.rerun()
