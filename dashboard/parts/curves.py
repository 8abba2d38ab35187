"""Four curves and what they say in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts.spread import Labels, cumulative, density
from dashboard.parts.filters import Chosen
from dashboard.view import View, empty, show_figure

WIDTH = 168


def key_figures(view: View, chosen: Chosen, placed: Mapping[str, Any], engaged: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    with st.container(horizontal=True, key="performance_figures"):
        st.metric(t("performance.videos"), fmt.number(placed["n"]), border=True, width=WIDTH)
        st.metric(t("performance.share_above", threshold=chosen.threshold), fmt.share(placed["share_above"]), border=True, width=WIDTH)
        st.metric(t("performance.median"), fmt.number(placed["median"], 1), border=True, width=WIDTH)
        st.metric(t("performance.mean_engagement"), fmt.share(engaged["mean"], 2), border=True, width=WIDTH)


def curves(view: View, chosen: Chosen, placed: Mapping[str, Any], engaged: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    if not placed["n"] and not engaged["n"]:
        empty(t("performance.nothing_there"), t("performance.nothing_there_hint"))
        return
    _pair(view, "performance", placed, chosen.threshold, fmt.number(chosen.threshold))
    _pair(view, "engagement", engaged, chosen.engagement, fmt.share(chosen.engagement))
    st.caption(t("performance.scale", first=fmt.day(chosen.first), last=fmt.day(chosen.last), version=placed["model_version"]))


def _pair(view: View, metric: str, page: Mapping[str, Any], threshold: float, written: str) -> None:
    if not page["n"]:
        empty(view.t(f"performance.no_{metric}"))
        return
    t, above = view.t, view.fmt.share(page["share_above"])
    marked, axis = t("performance.above", threshold=written, share=above), t(f"performance.{metric}_axis")
    cdf = cumulative(page["x"], page["cdf"], Labels(t(f"performance.{metric}_cdf"), axis, t("performance.share_axis"), marked), threshold=threshold)
    pdf = density(page["x"], page["pdf"], Labels(t(f"performance.{metric}_pdf"), axis, t("performance.density_axis"), marked), threshold=threshold)
    for figure, name, column in zip((cdf, pdf), ("cdf", "pdf"), st.columns(2), strict=True):
        if metric == "engagement":
            figure.update_xaxes(tickformat=".0%")
        with column:
            alt = t(f"performance.{metric}_{name}") + ". " + t("performance.curve_alt", n=view.fmt.number(page["n"]), above=marked)
            show_figure(figure, key=f"{metric}-{name}", alt=alt)
