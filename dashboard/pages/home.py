"""Home: the loop as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.pages import PAGES
from dashboard.parts import flow, happenings, latest, promises
from dashboard.parts.stations import stations
from dashboard.view import View, live

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
        latest.decision(view, found)
        latest.actions(view, found["actions"])
    with right:
        latest.events(view, found["events"])
        latest.firing(view, found["firing"])


def _clock(view: View, clock: Mapping[str, Any] | None) -> None:
    if clock is None:
        return
    said = view.t("home.platform_time", when=view.fmt.instant(clock["now"]))
    if clock["mode"] == "replay":
        said += f" · {view.t('home.replaying', rate=view.fmt.number(clock['rate'], 0 if clock['rate'] >= 1 else 1))}"
    st.caption(f":material/schedule: {said}")
