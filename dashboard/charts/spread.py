"""How values are spread: cumulative share and density, a threshold, and where one prediction stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

HEIGHT = 270
QUIET = "#8a938e"
"""Reads on light and on dark paper."""
LOUD = ("#d9822b", "#8a63c9")
"""Of the first mark and of the second."""


@dataclass(frozen=True)
class Labels:
    title: str
    x: str
    y: str
    threshold: str = ""


@dataclass(frozen=True)
class Mark:
    """One prediction, with its interval if that is known."""

    at: float
    text: str
    lower: float | None = None
    upper: float | None = None


def cumulative(x: Sequence[float], cdf: Sequence[float], labels: Labels, *, threshold: float | None = None, marks: Sequence[Mark] = ()) -> go.Figure:
    figure = go.Figure(go.Scatter(x=list(x), y=list(cdf), mode="lines", line={"width": 2.5}, name=labels.y, hovertemplate="%{x}: %{y:.1%}<extra></extra>"))
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return _drawn(figure, x, cdf, labels, threshold, marks)


def density(x: Sequence[float], pdf: Sequence[float], labels: Labels, *, threshold: float | None = None, marks: Sequence[Mark] = ()) -> go.Figure:
    figure = go.Figure(
        go.Scatter(
            x=list(x),
            y=list(pdf),
            mode="lines",
            fill="tozeroy",
            line={"width": 2},
            name=labels.y,
            hovertemplate="%{x}: %{y:.3g}<extra></extra>",
        )
    )
    figure.update_yaxes(rangemode="tozero")
    return _drawn(figure, x, pdf, labels, threshold, marks)


def height_at(x: Sequence[float], values: Sequence[float], at: float) -> float:
    """Of a curve, linear between its points, its ends beyond them."""
    if at <= x[0]:
        return values[0]
    if at >= x[-1]:
        return values[-1]
    above = bisect_right(x, at)
    low, high = x[above - 1], x[above]
    return values[above - 1] + (at - low) / (high - low) * (values[above] - values[above - 1])


def share_above(x: Sequence[float], cdf: Sequence[float], at: float) -> float:
    """Read off the curve."""
    return 1.0 - height_at(x, cdf, at)


def _drawn(figure: go.Figure, x: Sequence[float], values: Sequence[float], labels: Labels, threshold: float | None, marks: Sequence[Mark]) -> go.Figure:
    figure.update_xaxes(range=[x[0], max(x[-1], threshold or 0.0) * 1.01])
    if threshold is not None:
        side = "top left" if threshold > x[-1] / 2 else "top right"
        told = {"text": labels.threshold, "font": {"size": 11}, "bgcolor": "rgba(128,128,128,.18)"}
        figure.add_vline(x=threshold, line={"dash": "dash", "color": QUIET, "width": 1.5}, annotation=told, annotation_position=side)
    for mark, colour in zip(marks, LOUD, strict=False):
        if mark.lower is not None and mark.upper is not None:
            figure.add_vrect(x0=mark.lower, x1=mark.upper, fillcolor=colour, opacity=0.16, line_width=0)
        figure.add_vline(x=mark.at, line={"color": colour, "width": 1, "dash": "dot"})
        marker = {"size": 12, "color": colour, "line": {"width": 2, "color": "white"}}
        figure.add_scatter(
            x=[mark.at], y=[height_at(x, values, mark.at)], mode="markers", marker=marker, name=mark.text, hovertemplate=f"{mark.at:.1f}<extra></extra>"
        )
    return framed(figure, labels)


def framed(figure: go.Figure, labels: Labels, height: int = HEIGHT) -> go.Figure:
    """Title and axes, no more: the paper is the theme's."""
    figure.update_layout(
        title={"text": labels.title, "font": {"size": 14}}, height=height, margin={"l": 8, "r": 8, "t": 44, "b": 8}, showlegend=False, hovermode="closest"
    )
    figure.update_xaxes(title={"text": labels.x, "font": {"size": 12}}, automargin=True)
    figure.update_yaxes(title={"text": labels.y, "font": {"size": 12}}, automargin=True)
    return figure
