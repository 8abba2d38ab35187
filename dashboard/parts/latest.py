"""What was decided and happened last, under its headings; nothing where it could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.parts import happenings
from dashboard.view import View, empty


def decision(view: View, found: Mapping[str, Any]) -> None:
    if "decision" in found["missing"]:
        return
    st.subheader(view.t("home.decision.title"))
    if found["decision"] is None:
        empty(view.t("home.decision.none"), view.t("home.decision.none_hint"))
    else:
        st.html(happenings.decision_facts(view.t, view.fmt, found["decision"]))


def actions(view: View, actions: Mapping[str, Any] | None) -> None:
    if actions is None:
        return
    st.subheader(view.t("home.actions.title"))
    if actions["first"]:
        st.html(happenings.action_rows(view.t, view.fmt, actions["first"]))
    else:
        empty(view.t("home.actions.none"), view.t("home.actions.none_hint"))


def events(view: View, events: Mapping[str, Any] | None) -> None:
    if events is None:
        return
    st.subheader(view.t("home.events.newest"))
    if events["newest"]:
        st.html(happenings.event_rows(view.t, view.fmt, events["newest"]))
    else:
        empty(view.t("home.events.none"), view.t("home.events.none_hint"))


def firing(view: View, firing: list[dict[str, Any]] | None) -> None:
    if firing:
        st.subheader(view.t("home.firing.title"))
        st.html(happenings.firing_rows(view.t, view.fmt, firing))
