"""Models: versions and their verdicts, who served when, what retrains were worth; and changing who serves."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.charts.measures import measure_name, measured, measures
from dashboard.charts.models import versions_compared
from dashboard.parts.model_change import change_buttons, change_progress
from dashboard.parts.model_ledger import ledger
from dashboard.parts.model_serving import serving_now, timeline
from dashboard.parts.model_version import one_version, versions_table
from dashboard.view import View, empty, show_figure
from evergreen.core.access import Need


def page(view: View) -> None:
    st.title(view.t("models.title"))
    models = view.api.get("/models")["models"]
    if not models:
        empty(view.t("models.none"), view.t("models.none_hint"))
        return
    model = _picked(view, models)
    name = str(model["model"])
    versions = view.api.get(f"/models/{name}/versions", limit=100)["versions"]
    serving_now(view, model)
    if view.may(Need.ACT):
        change_buttons(view, model, versions)
    change_progress(view, name)
    if not versions:
        empty(view.t("models.no_version"), view.t("models.no_version_hint"))
        return
    timeline(view, name)
    _versions(view, versions)
    one_version(view, name, versions)
    ledger(view, name)


def _picked(view: View, models: list[dict[str, Any]]) -> dict[str, Any]:
    """By the address (`?model=`) at first; the address follows."""
    names = [one["model"] for one in models]
    asked = st.query_params.get("model")
    picked = st.segmented_control(
        view.t("models.model"), names, default=asked if asked in names else names[0], key="models_model", required=True, label_visibility="collapsed"
    )
    st.query_params["model"] = picked
    return next(one for one in models if one["model"] == picked)


def _versions(view: View, versions: list[dict[str, Any]]) -> None:
    st.subheader(view.t("models.versions"))
    t, metric = view.t, str(versions[0]["metric"])
    names = {measure: measure_name(t, measure, metric) for measure in measures(versions)}
    measure = st.selectbox(
        t("models.measure.pick"), list(names), format_func=names.__getitem__, key=f"models_measure_{versions[0]['version'].partition('@')[0]}"
    )
    show_figure(versions_compared(versions, measure, t), alt=t("models.measure.alt", name=names[measure]), key="models_measured")
    intervals = any(measured(one, measure)[1] is not None for one in versions)
    st.caption(t("models.interval_note" if measure == metric and intervals else "models.measure.intervals" if intervals else "models.measure.no_interval"))
    versions_table(view, versions, measure, names[measure])
