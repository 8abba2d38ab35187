"""What was raised, and what shall stay quiet for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.parts.acting import acted, asked_once, reason_of
from dashboard.told import code_words
from dashboard.view import View, empty, live, trouble
from dashboard.words import named
from evergreen.core.access import Need

MINUTES = (30, 60, 240, 1440, 10_080)
SEVERITIES = ("low", "medium", "high", "critical")


def alerts(view: View) -> None:
    live(view, _alerts, seconds=10)
    st.subheader(view.t("system.silences.title"), help=view.t("system.silences.help"))
    _silences(view)
    if view.may(Need.ACT):
        _new_silence(view)


def _alerts(view: View) -> None:
    t, fmt, found = view.t, view.fmt, view.api.get("/alerts", limit=100)["alerts"]
    if not found:
        empty(t("system.alerts.empty"), t("system.alerts.empty_hint"))
        return
    korean = view.language == "ko"
    rows = [
        {
            "time": fmt.instant(one["time"], "short"),
            "severity": named(t, "system.severity", one["severity"]),
            "title": (korean and one["title_ko"]) or one["title"],
            "message": (korean and one["message_ko"]) or one["message"],
            "state": t("system.alerts.open") if one["open"] else t("system.alerts.over"),
            "outcome": named(t, "system.outcome", one["outcome"] or "waiting"),
        }
        for one in found
    ]
    words: dict[str, Any] = {name: st.column_config.TextColumn(t(f"system.alerts.{name}")) for name in rows[0]}
    words["message"] = st.column_config.TextColumn(t("system.alerts.message"), width="large")
    st.dataframe(rows, hide_index=True, column_config=words, height=min(38 + 35 * len(rows), 360), alt=t("system.tab.alerts"))


def _silences(view: View) -> None:
    found = view.api.get("/silences", limit=100)["silences"]
    running, over = [one for one in found if one["running"]], [one for one in found if not one["running"]]
    if not running:
        empty(view.t("system.silences.empty"))
    for one in running:
        _silence(view, one)
    if over:
        _earlier(view, over)


def _silence(view: View, one: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        # What people wrote is text, never markup.
        st.text(
            t(
                "system.silences.one",
                about=_about(view, one),
                up_to=named(t, "system.severity", one["up_to"]),
                until=fmt.instant(one["until_time"]),
                who=one["who"],
                reason=one["reason"],
            )
        )
        if view.may(Need.ACT) and st.button(t("system.silences.end"), key=f"end-{one['id']}", icon=":material/notifications_active:"):
            try:
                view.api.post(f"/silences/{one['id']}/end")
            except ApiError as error:
                trouble(view, error)
            else:
                st.toast(t("system.silences.ended"), icon=":material/check:")
                st.rerun()


def _earlier(view: View, over: Sequence[Mapping[str, Any]]) -> None:
    t, fmt = view.t, view.fmt
    rows = [
        {
            "about": _about(view, one),
            "over": fmt.instant(one["ended_time"] or one["until_time"], "short"),
            "ended_by": (one["ended_by"] or t("system.silences.unknown")) if one["ended_time"] else t("system.silences.ran_out"),
            "who": one["who"],
            "why": one["reason"],
            "severity": named(t, "system.severity", one["up_to"]),
        }
        for one in over
    ]
    words = {name: st.column_config.TextColumn(t(f"system.silences.column.{name}")) for name in rows[0]}
    with st.expander(t("system.silences.earlier", n=fmt.number(len(rows))), icon=":material/history:"):
        st.dataframe(rows, hide_index=True, column_config=words, height=min(38 + 35 * len(rows), 360), alt=t("system.silences.earlier_alt"))


def _about(view: View, one: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (one["model"], code_words(view.t, one["event_type"] or "")))) or view.t("system.silences.anything")


def _new_silence(view: View) -> None:
    t = view.t
    with st.form("silence", enter_to_submit=False):
        st.markdown(f"**{t('system.silences.new')}**")
        first, second, third = st.columns(3)
        model = first.text_input(t("system.silences.model"), max_chars=128, placeholder="video_performance")
        event_type = second.text_input(t("system.silences.type"), max_chars=128, placeholder="data_drift_detected")
        up_to = third.selectbox(
            t("system.silences.up_to"), SEVERITIES, index=2, format_func=lambda word: named(t, "system.severity", word), key="silence_up_to"
        )
        minutes = first.selectbox(
            t("system.silences.lasts"), MINUTES, index=1, format_func=lambda count: t(f"system.silences.minutes.m{count}"), key="silence_minutes"
        )
        reason = reason_of(view, "silence_reason", "system.silences.reason_help")
        if st.form_submit_button(t("system.silences.begin"), icon=":material/notifications_paused:"):
            asked = {"minutes": minutes, "reason": reason, "up_to": up_to, "model": model.strip() or None, "event_type": event_type.strip() or None}
            if acted(view, reason, lambda: asked_once(view, "silence", "/silences", asked), "system.silences.begun") is not None:
                st.rerun()
