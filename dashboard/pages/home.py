"""Home: the loop as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.pages import PAGES
from dashboard.parts import flow, happenings, promises
from dashboard.parts.stations import stations
from dashboard.view import View, empty, live

EVERY_SECONDS = 2.0


def page(view: View) -> None:
    st.title(view.t("home.title"))
    st.html(flow.STYLE + promises.STYLE + happenings.STYLE)
    live(view, _now, seconds=EVERY_SECONDS)


def _now(view: View) -> None:
    t, fmt = view.t, view.fmt
    found = view.api.get("/overview")
    _clock(view, found["clock"])
    if found["missing"]:
        st.warning(t("home.missing", parts=", ".join(t(f"home.part.{part}") for part in found["missing"])), icon=":material/running_with_errors:")
    places = {spec.name for spec in PAGES if view.may(spec.need)}
    st.html(flow.flow(stations(t, fmt, found, places), t("home.step.label")))
    if found["promises"] is not None:
        st.subheader(t("home.promises.title"))
        st.html(promises.promises(t, fmt, found["promises"]))
    left, right = st.columns(2, gap="medium")
    with left:
        _decision(view, found)
        _actions(view, found["actions"])
    with right:
        _events(view, found["events"])
        _firing(view, found["firing"])


def _clock(view: View, clock: Mapping[str, Any] | None) -> None:
    if clock is None:
        return
    said = view.t("home.platform_time", when=view.fmt.instant(clock["now"]))
    if clock["mode"] == "replay":
        said += f" · {view.t('home.replaying', rate=view.fmt.number(clock['rate'], 0 if clock['rate'] >= 1 else 1))}"
    st.caption(f":material/schedule: {said}")


def _decision(view: View, found: Mapping[str, Any]) -> None:
    if "decision" in found["missing"]:
        return
    st.subheader(view.t("home.decision.title"))
    if found["decision"] is None:
        empty(view.t("home.decision.none"), view.t("home.decision.none_hint"))
    else:
        st.html(happenings.decision_facts(view.t, view.fmt, found["decision"]))


def _actions(view: View, actions: Mapping[str, Any] | None) -> None:
    if actions is None:
        return
    st.subheader(view.t("home.actions.title"))
    if actions["first"]:
        st.html(happenings.action_rows(view.t, view.fmt, actions["first"]))
    else:
        empty(view.t("home.actions.none"), view.t("home.actions.none_hint"))


def _events(view: View, events: Mapping[str, Any] | None) -> None:
    if events is None:
        return
    st.subheader(view.t("home.events.newest"))
    if events["newest"]:
        st.html(happenings.event_rows(view.t, view.fmt, events["newest"]))
    else:
        empty(view.t("home.events.none"), view.t("home.events.none_hint"))


def _firing(view: View, firing: list[dict[str, Any]] | None) -> None:
    if firing:
        st.subheader(view.t("home.firing.title"))
        st.html(happenings.firing_rows(view.t, view.fmt, firing))
