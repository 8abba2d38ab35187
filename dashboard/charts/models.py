"""Who served when, how versions were judged, and what retrains were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from dashboard.charts.measures import CHANGE, measure_name, measured
from dashboard.formats import HOVERED, Formats, parsed
from dashboard.told import reason_words
from dashboard.words import Words, named

ROW = 34
"""Pixels of one version in the timeline."""
KINDS = ("promote", "rollback", "revert")
STATES = ("champion", "refused", "approved", "quarantined", "candidate")
"""In the order of the theme's colours: what serves has the first one."""


def service_timeline(deployments: Sequence[Mapping[str, Any]], t: Words, fmt: Formats) -> go.Figure:
    """A bar for each time a version served, newest version on top; one that serves still ends where the picture does."""
    served = [one for one in deployments if one["served_from"] is not None]
    begun = [parsed(one["served_from"]).astimezone(fmt.zone) for one in served]
    ends = [None if one["served_to"] is None else parsed(one["served_to"]).astimezone(fmt.zone) for one in served]
    last = _horizon([*begun, *(end for end in ends if end is not None)])
    versions = sorted({one["version"] for one in served}, key=_number)
    figure = go.Figure()
    for kind in [kind for kind in KINDS if any(one["kind"] == kind for one in served)]:
        at = [place for place, one in enumerate(served) if one["kind"] == kind]
        spans = [((ends[place] or last) - begun[place]).total_seconds() * 1000 for place in at]
        figure.add_bar(
            orientation="h",
            name=named(t, "models.kind", kind),
            y=[served[place]["version"] for place in at],
            base=[begun[place] for place in at],
            x=spans,
            customdata=[_told(served[place], ends[place], t, fmt) for place in at],
            hovertemplate=f"<b>%{{y}}</b> %{{base|{HOVERED[fmt.language]}}}<br>%{{customdata[0]}}<br>%{{customdata[1]}}<extra></extra>",
            marker_pattern_shape=["/" if served[place]["forced"] else "" for place in at],
        )
    figure.update_layout(barmode="overlay", height=90 + ROW * max(len(versions), 2), margin={"l": 10, "r": 10, "t": 10, "b": 40}, legend=_ABOVE)
    figure.update_xaxes(title=t("models.axis.time"), nticks=5, **fmt.date_axis())
    figure.update_yaxes(categoryorder="array", categoryarray=versions, automargin=True)
    return figure


def versions_compared(versions: Sequence[Mapping[str, Any]], measure: str, t: Words) -> go.Figure:
    """One measure of each version, with its interval where one is known; oldest first."""
    known = sorted((one for one in versions if measured(one, measure)[0] is not None), key=lambda one: int(one["number"]))
    pattern = "+.1%" if measure == CHANGE else ",.5~g"
    figure = go.Figure()
    for state in [state for state in STATES if any(_state(one) == state for one in known)]:
        mine = [one for one in known if _state(one) == state]
        found = [measured(one, measure) for one in mine]
        points = [point for point, _ in found if point is not None]
        bounds = [interval or [point, point] for point, (_, interval) in zip(points, found, strict=True)]
        figure.add_scatter(
            name=t(f"models.state.{state}"),
            x=[f"@{one['number']}" for one in mine],
            y=points,
            mode="markers",
            marker={"size": 11, "symbol": "circle" if state != "refused" else "x"},
            error_y=_error(points, bounds),
            hovertemplate=f"%{{x}}: %{{y:{pattern}}}<extra></extra>",
        )
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 10, "b": 40}, legend=_ABOVE)
    figure.update_xaxes(title=t("models.axis.version"), type="category", categoryorder="array", categoryarray=[f"@{one['number']}" for one in known])
    title = measure_name(t, measure, known[-1]["metric"]) if known else ""
    figure.update_yaxes(title=title, tickformat="+.0%" if measure == CHANGE else None, rangemode="tozero", automargin=True)
    return figure


def retrain_worth(entries: Sequence[Mapping[str, Any]], t: Words) -> go.Figure:
    """What the gates promised beside what came of it, as a change of the error: below zero is better."""
    figure = go.Figure()
    for name, offset in (("promised", -0.12), ("realised", 0.12)):
        known = [(place, one) for place, one in enumerate(entries) if one[name] is not None]
        points = [one[name] for _, one in known]
        bounds = [one[f"{name}_interval"] or [one[name], one[name]] for _, one in known]
        figure.add_scatter(
            name=t(f"models.{name}"),
            x=[place + offset for place, _ in known],
            y=points,
            mode="markers",
            marker={"size": 10},
            error_y=_error(points, bounds),
            customdata=[one["version"] for _, one in known],
            hovertemplate="%{customdata}: %{y:+.1%}<extra></extra>",
        )
    figure.add_hline(y=0, line_width=1, line_dash="dot")
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 10, "b": 40}, legend=_ABOVE)
    labels = [f"@{_number(one['version'])}" for one in entries]
    figure.update_xaxes(title=t("models.axis.version"), tickmode="array", tickvals=list(range(len(entries))), ticktext=labels, zeroline=False)
    figure.update_yaxes(title=t("models.axis.change"), tickformat="+.0%", automargin=True, zeroline=False)
    return figure


_ABOVE = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}


def _error(points: Sequence[float], bounds: Sequence[Sequence[float]]) -> dict[str, Any]:
    above = [high - point for point, (_, high) in zip(points, bounds, strict=True)]
    below = [point - low for point, (low, _) in zip(points, bounds, strict=True)]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 2, "width": 5}


def _state(version: Mapping[str, Any]) -> str:
    if version["champion"]:
        return "champion"
    return "quarantined" if version["quarantined"] else str(version["status"])


def _told(one: Mapping[str, Any], end: datetime | None, t: Words, fmt: Formats) -> list[str]:
    until = t("models.serves_now") if end is None else t("models.until", at=fmt.instant(end, "short"))
    why = reason_words(t, fmt, str(one["reason"])).replace("<", "&lt;")
    return [until, why if len(why) < 80 else why[:79] + "…"]


def _horizon(known: Sequence[datetime]) -> datetime:
    """A little after the last thing that is known."""
    last = max(known)
    return last + max((last - min(known)) * 0.06, timedelta(minutes=5))


def _number(version: str) -> int:
    return int(version.rpartition("@")[2])
