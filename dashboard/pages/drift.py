"""Drift & quality: how far new data moved from what the models were trained on, and what was wrong with it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard.charts import drift as charts
from dashboard.parts.drift_evidence import evidence
from dashboard.parts.quality import quality
from dashboard.view import View, empty, live, show_figure

EVERY_SECONDS = 15.0


def page(view: View) -> None:
    t = view.t
    st.title(t("drift.title"))
    drift, issues = st.tabs([t("drift.tab.drift"), t("drift.tab.quality")])
    with drift:
        _drift(view)
    with issues:
        quality(view)


def _drift(view: View) -> None:
    reports = view.api.get("/drift", limit=400)["reports"]
    if not reports:
        empty(view.t("drift.none"), view.t("drift.none_hint"))
        return
    models = list(dict.fromkeys(one["model"] for one in reports))
    asked = st.query_params.get("report")
    first = next((models.index(one["model"]) for one in reports if one["id"] == asked), 0)
    model = st.selectbox(view.t("drift.model"), models, first, key="drift_model") if len(models) > 1 else models[0]
    live(view, partial(_overview, model=model), seconds=EVERY_SECONDS)
    evidence(view, [one for one in reports if one["model"] == model])


def _overview(view: View, *, model: str) -> None:
    """Looks again by itself: a check of a minute ago is there."""
    t = view.t
    reports = view.api.get("/drift", model=model, limit=200)["reports"]
    drifted = sum(one["drifted"] for one in reports)
    alt = t("drift.score.alt", model=model, n=len(reports), drifted=drifted)
    show_figure(charts.timeline(t, view.fmt, reports), alt=alt, key="drift_timeline")
    heat = view.api.get("/drift/features", model=model, windows=26)
    alt = t("drift.heat.alt", features=len(heat["features"]), windows=len(heat["windows"]))
    show_figure(charts.heat_map(t, view.fmt, heat), alt=alt, key="drift_heat")
    if heat["left_off"]:
        st.caption(t("drift.heat.left_off", n=heat["left_off"]))
