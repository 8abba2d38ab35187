"""Groups beside each other with their intervals, and what moved a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.charts.spread import Labels, framed

ROW = 30
SMALL = 20
"""Groups below are drawn paler: their interval is wide."""


def categories(rows: Sequence[Mapping[str, Any]], names: Sequence[str], labels: Labels) -> go.Figure:
    """`rows` of `/rankings`, best first; the best on top. Names are shown as they are."""
    shown = [escaped(name) for name in names]
    figure = go.Figure(
        go.Bar(
            x=[row["mean"] for row in rows],
            y=shown,
            orientation="h",
            error_x=_error(rows),
            marker={"opacity": _opacity(rows)},
            customdata=[[row["n"], row["share_above"]] for row in rows],
            hovertemplate="%{y}: %{x:.1f} · n=%{customdata[0]:,} · ≥ %{customdata[1]:.0%}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 103], dtick=25)
    figure.update_yaxes(autorange="reversed", type="category")
    return framed(figure, labels, 110 + ROW * len(rows))


def hours(rows: Sequence[Mapping[str, Any]], labels: Labels) -> go.Figure:
    """`rows` of `/rankings`, in the order of the day; an hour without videos stays empty."""
    ordered = sorted(rows, key=lambda row: row["hour"])
    figure = go.Figure(
        go.Bar(
            x=[row["hour"] for row in ordered],
            y=[row["mean"] for row in ordered],
            error_y=_error(ordered),
            marker={"opacity": _opacity(ordered)},
            customdata=[[row["n"], row["share_above"]] for row in ordered],
            hovertemplate="%{x}:00 · %{y:.1f} · n=%{customdata[0]:,} · ≥ %{customdata[1]:.0%}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[-0.6, 23.6], dtick=3)
    figure.update_yaxes(range=[0, 100])
    return framed(figure, labels)


def effects(rows: Sequence[Mapping[str, Any]], names: Sequence[str], labels: Labels) -> go.Figure:
    """`rows` of an explanation, strongest first: how much each value changes the predicted views, as a share of them."""
    figure = go.Figure(
        go.Bar(
            x=[row["factor"] - 1.0 for row in rows],
            y=[escaped(name) for name in names],
            orientation="h",
            marker={"color": ["#2f9e6e" if row["factor"] >= 1 else "#c75a7a" for row in rows]},
            customdata=[[row["value"], row["usual"]] for row in rows],
            hovertemplate="%{y}: %{x:+.0%} (%{customdata[0]:.6g} / %{customdata[1]:.6g})<extra></extra>",
        )
    )
    figure.update_xaxes(tickformat="+.0%", zeroline=True, nticks=4, tickangle=0)
    figure.update_yaxes(autorange="reversed", type="category")
    return framed(figure, labels, 110 + ROW * len(rows))


def escaped(text: str) -> str:
    """Plotly reads a few tags in its texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _error(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    up, down = [row["high"] - row["mean"] for row in rows], [row["mean"] - row["low"] for row in rows]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "width": 3}


def _opacity(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return [1.0 if row["n"] >= SMALL else 0.4 for row in rows]
