"""A user's taste, and how the groups of an experiment do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

GENRES = 12
"""The strongest, liked or not."""


def preferences(rows: Sequence[Mapping[str, Any]], *, axis: str) -> go.Figure:
    """`rows`: genre, preference in [-1, 1]. Bars, the most liked on top."""
    strongest = sorted(rows, key=lambda row: -abs(row["preference"]))[:GENRES]
    shown = sorted(strongest, key=lambda row: row["preference"])
    figure = go.Figure(
        go.Bar(x=[row["preference"] for row in shown], y=[row["genre"] for row in shown], orientation="h", hovertemplate="%{y}: %{x:.2f}<extra></extra>")
    )
    widest = max((abs(row["preference"]) for row in shown), default=0.0)
    lowest = min((row["preference"] for row in shown), default=0.0)
    figure.update_xaxes(title=axis, range=[-widest * 1.1 if lowest < 0 else 0, widest * 1.1], zeroline=True)
    figure.update_yaxes(type="category")
    figure.update_layout(height=90 + 26 * max(len(shown), 1), margin={"l": 0, "r": 8, "t": 8, "b": 0}, showlegend=False)
    return figure


def rates(variants: Sequence[Mapping[str, Any]], *, axis: str) -> go.Figure:
    """`variants`: name, ctr (point, low, high in [0, 1]) or none. A point with its interval each, the first one on top."""
    shown = [one for one in reversed(variants) if one["ctr"] is not None]
    points = [one["ctr"]["point"] for one in shown]
    figure = go.Figure(
        go.Scatter(
            x=points,
            y=[one["name"] for one in shown],
            mode="markers",
            marker={"size": 12},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [one["ctr"]["high"] - one["ctr"]["point"] for one in shown],
                "arrayminus": [one["ctr"]["point"] - one["ctr"]["low"] for one in shown],
                "thickness": 2,
                "width": 8,
            },
            customdata=[[one["ctr"]["low"], one["ctr"]["high"]] for one in shown],
            hovertemplate="%{y}: %{x:.1%} [%{customdata[0]:.1%}, %{customdata[1]:.1%}]<extra></extra>",
        )
    )
    figure.update_xaxes(title=axis, tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(type="category")
    figure.update_layout(height=110 + 46 * max(len(shown), 1), margin={"l": 0, "r": 8, "t": 8, "b": 0}, showlegend=False)
    return figure
