"""Decisions: every event and decision with its story, the policy's matrix, and what other numbers in it would have done."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard.parts.backtest import backtest
from dashboard.parts.decision_list import decision_list
from dashboard.parts.event_list import event_list
from dashboard.parts.explanation import story
from dashboard.parts.policy_matrix import policy_matrix
from dashboard.view import View, guarded

SECTIONS = {"decisions": decision_list, "events": event_list, "policy": policy_matrix, "backtest": backtest}


def page(view: View) -> None:
    t = view.t
    st.title(t("decisions.title"))
    asked_for(view)
    asked = st.query_params.get("view", "")
    section = st.segmented_control(
        t("decisions.section"),
        list(SECTIONS),
        default=asked if asked in SECTIONS else "decisions",
        format_func=lambda name: t(f"decisions.sections.{name}"),
        key="decisions_section",
        required=True,
        label_visibility="collapsed",
    )
    st.query_params["view"] = section
    SECTIONS[section](view)


def asked_for(view: View) -> None:
    """`?action=ID` and `?event=ID` tell the story at once: other pages, alerts and Airflow's UI link here."""
    for about in ("action", "event"):
        name = st.query_params.get(about)
        if name and st.session_state.get("decisions_told") != name:
            st.session_state["decisions_told"] = name
            st.dialog(view.t("decisions.explain"), width="large")(partial(guarded, partial(story, about, name), view))()
            return
