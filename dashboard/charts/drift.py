"""Drift and data quality as figures. Plotly reads a few tags in its texts: what was told is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from dashboard.formats import Formats
from dashboard.told import feature_words
from dashboard.words import Words

DRIFTED, CALM, QUIET = "#d5473f", "#2f9e6b", "#8b9a92"
REFERENCE, CURRENT = "#7c8f86", "#d9822b"
"""Readable on light and on dark paper."""
MEDIUM_SCORE = 0.3
_MARGIN = {"l": 10, "r": 10, "t": 48, "b": 10}
_LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0}
Row = Mapping[str, Any]


def timeline(t: Words, fmt: Formats, reports: Sequence[Row]) -> go.Figure:
    """`reports`: newest first, as the API gives them. A line per model, one point per window, red where it drifted."""
    figure = go.Figure()
    for model in dict.fromkeys(one["model"] for one in reports):
        rows = [one for one in reversed(reports) if one["model"] == model]
        figure.add_scatter(
            x=[one["last_day"] for one in rows],
            y=[one["score"] for one in rows],
            name=escape(model),
            mode="lines+markers",
            marker={"size": 10, "color": [DRIFTED if one["drifted"] else CALM for one in rows]},
            line={"color": QUIET},
            customdata=[
                (
                    one["version"],
                    _days(fmt, one),
                    one["n"],
                    escape(", ".join(feature_words(t, name) for name in one["affected"])) or "–",
                )
                for one in rows
            ],
            hovertemplate=_hover(t),
        )
    figure.add_hline(y=MEDIUM_SCORE, line_dash="dot", line_color=QUIET, annotation_text=t("drift.score.medium"), annotation_position="top left")
    figure.update_xaxes(**fmt.date_axis())
    return _laid_out(figure, t("drift.score.title"), t("drift.axis.last_day"), t("drift.axis.score"), y={"range": [-0.03, 1.03]})


def _hover(t: Words) -> str:
    said = ("%{y:.2f}", "%{customdata[1]}", f"{t('drift.hover.against')} %{{customdata[0]}}", f"{t('drift.hover.rows')} %{{customdata[2]:,}}")
    return "<br>".join([*said, f"{t('drift.hover.affected')} %{{customdata[3]}}"]) + "<extra>%{fullData.name}</extra>"


def heat_map(t: Words, fmt: Formats, heat: Row) -> go.Figure:
    """Features downwards, the one that moved most on top; a cross where it drifted."""
    windows, features = heat["windows"], list(reversed(heat["features"]))
    days = _window_names(fmt, windows)
    cells = [one["cells"] for one in features]
    said = ("%{y}", "%{x}", f"{t('drift.axis.score')} %{{z:.2f}}", f"{t('drift.effect')} %{{customdata[0]:.2f}}", "q %{customdata[1]:.1e}")
    figure = go.Figure(
        go.Heatmap(
            x=days,
            y=[escape(feature_words(t, one["name"])) for one in features],
            z=[[None if cell is None else cell["score"] for cell in row] for row in cells],
            text=[["×" if cell is not None and cell["drifted"] else "" for cell in row] for row in cells],
            texttemplate="%{text}",
            customdata=[[(0.0, 1.0) if cell is None else (cell["statistic"], cell["q_value"]) for cell in row] for row in cells],
            hovertemplate="<br>".join(said) + "<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=[[0, "rgba(128, 140, 134, 0.14)"], [0.5, "#f0a95c"], [1, "#b3312a"]],
            colorbar={"thickness": 10},
            xgap=2,
            ygap=2,
        )
    )
    figure.update_xaxes(type="category")
    return _laid_out(figure, t("drift.heat.title"), t("drift.axis.last_day"), "", height=max(260, 120 + 26 * len(features)))


def _window_names(fmt: Formats, windows: Sequence[Row]) -> list[str]:
    """By last day; windows that share theirs are told apart, or one would be drawn over the other."""
    last = [one["last_day"] for one in windows]
    return [f"{_days(fmt, one)} {one['version']}" if last.count(day) > 1 else fmt.day(day) for one, day in zip(windows, last, strict=True)]


def _days(fmt: Formats, window: Row) -> str:
    return f"{fmt.day(window['first_day'])} – {fmt.day(window['last_day'])}"


def distribution(t: Words, found: Row, language: str) -> go.Figure:
    """Shares of the training rows and of the window beside each other. `language`: of the categories' names."""
    labels = [bar_label(t, bar, numeric=found["numeric"], language=language) for bar in found["bars"]]
    figure = go.Figure()
    for side, color in (("reference", REFERENCE), ("current", CURRENT)):
        figure.add_bar(
            x=[bar[side] for bar in found["bars"]],
            y=labels,
            orientation="h",
            name=t(f"drift.side.{side}"),
            marker_color=color,
            hovertemplate="%{y}<br>%{x:.1%}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(tickformat=".0%")
    figure.update_layout(barmode="group", bargap=0.25)
    title, height = t("drift.distribution.title", feature=escape(feature_words(t, found["feature"]))), max(300, 130 + 30 * len(labels))
    return _laid_out(figure, title, t("drift.axis.share"), "", y={"type": "category", "autorange": "reversed"}, height=height)


def cumulative(t: Words, found: Row) -> go.Figure:
    """Of numbers: the share of rows up to each value."""
    figure = go.Figure()
    for side, color in (("reference", REFERENCE), ("current", CURRENT)):
        figure.add_scatter(
            x=[step["value"] for step in found["curve"]],
            y=[step[side] for step in found["curve"]],
            name=t(f"drift.side.{side}"),
            mode="lines",
            line={"color": color, "width": 2.5, "shape": "hv"},
            hovertemplate="≤ %{x:,.4~g}<br>%{y:.1%}<extra>%{fullData.name}</extra>",
        )
    title = t("drift.cumulative.title", feature=escape(feature_words(t, found["feature"])))
    return _laid_out(figure, title, escape(feature_words(t, found["feature"])), t("drift.axis.share_up_to"), y={"tickformat": ".0%", "range": [0, 1.02]})


def bar_label(t: Words, bar: Row, *, numeric: bool, language: str) -> str:
    if not numeric:
        return t("drift.distribution.others") if bar["label"] is None else escape(bar[f"name_{language}"] or bar["label"])
    low, high = bar["low"], bar["high"]
    if low is None or high is None:
        return f"≤ {short(high)}" if low is None else f"> {short(low)}"
    return short(high) if low == high else f"{short(low)} – {short(high)}"


def short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:,.4g}"


def set_aside(t: Words, fmt: Formats, batches: Sequence[Row]) -> go.Figure:
    """Share of each batch's rows that did not enter, oldest first; incidents red."""
    figure = go.Figure()
    for dataset in sorted({one["dataset"] for one in batches}):
        rows = [one for one in reversed(batches) if one["dataset"] == dataset]
        figure.add_scatter(
            x=[one["last_day"] for one in rows],
            y=[one["quarantined"] / whole if (whole := one["rows"] + one["quarantined"]) else 0.0 for one in rows],
            name=escape(dataset),
            mode="lines+markers",
            marker={"size": 8, "color": [DRIFTED if one["incident"] or one["status"] == "rejected" else CALM for one in rows]},
            customdata=[(escape(one["batch_id"]), one["quarantined"], one["rows"]) for one in rows],
            hovertemplate="%{customdata[0]}<br>%{y:.1%} (%{customdata[1]:,} / %{customdata[2]:,})<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(**fmt.date_axis())
    return _laid_out(figure, t("drift.quality.chart"), t("drift.axis.last_day"), t("drift.axis.set_aside"), y={"tickformat": ".1%", "rangemode": "tozero"})


def _laid_out(figure: go.Figure, title: str, x: str, y_title: str, *, y: Mapping[str, Any] | None = None, height: int = 340) -> go.Figure:
    margin = {**_MARGIN, "t": 76 if len(figure.data) > 1 else 48}  # room for a legend
    figure.update_layout(title={"text": title, "y": 0.98, "yanchor": "top"}, height=height, margin=margin, legend=_LEGEND)
    figure.update_xaxes(title=x, automargin=True)
    figure.update_yaxes(title=y_title, automargin=True, **(y or {}))
    return figure
