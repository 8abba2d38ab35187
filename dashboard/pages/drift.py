"""Drift & quality: how far new data moved from what the models were trained on, and what was wrong with it."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from dashboard.charts import drift as charts
from dashboard.parts.drift_evidence import evidence
from dashboard.parts.quality import quality
from dashboard.parts.tabs import tabs
from dashboard.view import View, empty, live, show_figure

EVERY_SECONDS = 15.0
REPORTS = 400
Reports = list[dict[str, Any]]


def page(view: View) -> None:
    t = view.t
    st.title(t("drift.title"))
    tabs(view, "drift_tab", {t("drift.tab.drift"): _drift, t("drift.tab.quality"): quality})


def _drift(view: View) -> None:
    reports = view.api.get("/drift", limit=REPORTS)["reports"]
    if not reports:
        empty(view.t("drift.none"), view.t("drift.none_hint"))
        return
    models = list(dict.fromkeys(one["model"] for one in reports))
    asked = st.query_params.get("report")
    first = next((models.index(one["model"]) for one in reports if one["id"] == asked), 0)
    model = st.selectbox(view.t("drift.model"), models, first, key="drift_model") if len(models) > 1 else models[0]
    mine = [one for one in reports if one["model"] == model]
    live(view, partial(_overview, model=model, known=[mine]), seconds=EVERY_SECONDS)
    evidence(view, mine)


def _overview(view: View, *, model: str, known: list[Reports]) -> None:
    """Looks again by itself: a check of a minute ago is there. `known`: what the page has just been told, for the first look."""
    t = view.t
    reports = known.pop() if known else view.api.get("/drift", model=model, limit=REPORTS)["reports"]
    drifted = sum(one["drifted"] for one in reports)
    alt = t("drift.score.alt", model=model, n=len(reports), drifted=drifted)
    show_figure(charts.timeline(t, view.fmt, reports), alt=alt, key="drift_timeline")
    heat = view.api.get("/drift/features", model=model, windows=26)
    alt = t("drift.heat.alt", features=len(heat["features"]), windows=len(heat["windows"]))
    show_figure(charts.heat_map(t, view.fmt, heat), alt=alt, key="drift_heat")
    if heat["left_off"]:
        st.caption(t("drift.heat.left_off", n=heat["left_off"]))
