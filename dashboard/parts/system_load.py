"""Serving's numbers now, beside what they were, and over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard.charts.system import load_over_time
from dashboard.formats import parsed
from dashboard.view import View, empty, show_figure

STALE_SECONDS = 60
CARD_PIXELS = 165
"""Two fit beside each other on a phone."""
"""The newest telling may be a few seconds old; a minute without one is worth a word."""
Reading = Mapping[str, float | None]


def readings(view: View) -> None:
    now, t, fmt = view.api.get("/system"), view.t, view.fmt
    measured = now["measured_at"]
    age = None if measured is None else (parsed(now["at"]) - parsed(measured)).total_seconds()
    if age is None:
        st.warning(t("system.not_measured"), icon=":material/sensors_off:")
    elif age > STALE_SECONDS:
        st.warning(t("system.stale", ago=fmt.ago(age)), icon=":material/sensors_off:")
    serving = now["serving"]
    st.html("<style>.st-key-system_cards [data-testid=stMetricValue] {font-size: 1.55rem}</style>")
    with st.container(horizontal=True, gap="small", key="system_cards"):
        _card(view, "throughput", serving["requests_per_minute"], lambda value: fmt.number(value, 0), better=None)
        for share in ("p50", "p95", "p99"):
            _card(view, share, serving[f"{share}_milliseconds"], lambda value: f"{fmt.number(value, 1)} ms", better="less")
        _card(view, "cpu", serving["cpu_percent"], lambda value: fmt.share(value / 100), better="less")
        _card(view, "memory", serving["memory_bytes"], fmt.size, better="less")
        _card(view, "cache", serving["cache_hit_ratio"], fmt.share, better="more")
        _card(view, "errors", serving["error_share"], lambda value: fmt.share(value, 2), better="less")
    st.caption(t("system.cards_say", at=fmt.instant(measured), workers=fmt.number(serving["workers"]["value"]), platform=fmt.instant(now["platform_time"])))


def _card(view: View, name: str, reading: Reading, written: Callable[[float], str], *, better: str | None) -> None:
    value, before = reading["value"], reading["before"]
    delta = None if value is None or before is None else _signed(value - before, written)
    colour: Any = {"less": "inverse", "more": "normal"}.get(better or "", "off")
    shown = view.fmt.number(None) if value is None else written(value)
    label, more = view.t(f"system.card.{name}"), view.t(f"system.card_help.{name}")
    st.metric(label, shown, delta, delta_color=colour, help=more, border=True, width=CARD_PIXELS, height="stretch")


def _signed(difference: float, written: Callable[[float], str]) -> str | None:
    """None where it rounds to nothing: an arrow beside a zero says what is not so."""
    said = written(abs(difference))
    return None if said == written(0) else f"{'-' if difference < 0 else '+'}{said}"


def chart(view: View, minutes: int) -> None:
    found, t = view.api.get("/system/series", minutes=minutes), view.t
    if not found["points"]:
        empty(t("system.chart.empty"), t("system.chart.empty_hint"))
        return
    figure = load_over_time(found["points"], t, view.fmt)
    show_figure(figure, key="system_load", alt=t("system.chart.alt", count=len(found["points"])))
