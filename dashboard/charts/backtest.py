"""Two policies side by side."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from dashboard.words import Words, named

CORRECTIVE = ("retrain", "rollback", "promote", "alert", "monitor", "scale_up", "scale_down")


def actions_side_by_side(actions: Mapping[str, Mapping[str, int]], t: Words) -> go.Figure:
    """How often each response was asked for, by the policy in force and by the one with the moved number; the loop's own steps only where they differ."""
    shown = [kind for kind, count in actions.items() if kind in CORRECTIVE or count["running"] != count["moved"]]
    figure = go.Figure()
    for policy in ("running", "moved"):
        counts = [actions[kind][policy] for kind in shown]
        names = [named(t, "names.action", kind) for kind in shown]
        figure.add_bar(name=t(f"decisions.backtest.{policy}"), x=names, y=counts, text=counts, textposition="auto", hovertemplate="%{x}: %{y}<extra></extra>")
    figure.update_layout(
        barmode="group",
        height=320,
        margin={"l": 10, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    figure.update_xaxes(title=t("decisions.backtest.action"), automargin=True)
    figure.update_yaxes(title=t("decisions.backtest.times"), rangemode="tozero", automargin=True)
    return figure
