"""Decisions: every event and decision with its story, the policy's matrix, and what other numbers in it would have done."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard.parts.backtest import backtest
from dashboard.parts.decision_list import ASKED, decision_list
from dashboard.parts.event_list import event_list
from dashboard.parts.explanation import story
from dashboard.parts.policy_matrix import policy_matrix
from dashboard.view import View, guarded

SECTIONS = {"decisions": decision_list, "events": event_list, "policy": policy_matrix, "backtest": backtest}


def page(view: View) -> None:
    t = view.t
    st.title(t("decisions.title"))
    _tell(view)
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


def _tell(view: View) -> None:
    """The story somebody asked for: by a button, or by the address (`?action=ID`, `?event=ID`), to which other pages and Airflow's UI link."""
    asked = st.session_state.pop(ASKED, None) or _linked()
    if asked is not None:
        st.dialog(view.t("decisions.explain"), width="large")(partial(guarded, partial(story, *asked), view, again=False))()


def _linked() -> tuple[str, str] | None:
    """Once: closed, it stays closed."""
    for about in ("action", "event"):
        name = st.query_params.get(about)
        if name and st.session_state.get("decisions_linked") != name:
            st.session_state["decisions_linked"] = name
            return about, name
    return None
