"""Serving's load over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.formats import Formats, parsed
from dashboard.words import Words

HEIGHT = 360
QUANTILES = ("p50", "p95", "p99")


def load_over_time(points: Sequence[Mapping[str, Any]], t: Words, fmt: Formats) -> go.Figure:
    """Response times as lines on the left axis, requests a minute as bars on the right one. A step nothing was measured in is a gap."""
    at = [parsed(point["at"]).astimezone(fmt.zone) for point in points]
    figure = go.Figure()
    figure.add_bar(
        x=at, y=[point["requests_per_minute"] for point in points], name=t("system.chart.requests"), yaxis="y2", opacity=0.35, hovertemplate="%{y:,.0f}"
    )
    for name in QUANTILES:
        figure.add_scatter(
            x=at,
            y=[point[f"{name}_milliseconds"] for point in points],
            name=t("system.chart.quantile", share=name),
            mode="lines",
            line={"width": 2.5 if name == "p95" else 1.5, "dash": {"p50": "dot", "p95": "solid", "p99": "dash"}[name]},
            hovertemplate="%{y:,.1f} ms",
        )
    figure.update_layout(
        title=t("system.chart.title"),
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.25, "x": 0},
        bargap=0.15,
        xaxis={"title": None, **fmt.date_axis()},
        yaxis={"title": t("system.chart.milliseconds"), "rangemode": "tozero", "automargin": True},
        yaxis2={"title": t("system.chart.per_minute"), "overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "automargin": True},
    )
    return figure
