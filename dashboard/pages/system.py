"""System: the load of serving, the parts, the topics, the alerts and the log."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard.parts.system_alerts import alerts
from dashboard.parts.system_load import chart, readings
from dashboard.parts.system_log import log
from dashboard.parts.system_parts import parts
from dashboard.parts.system_topics import topics
from dashboard.parts.tabs import tabs
from dashboard.view import Page, View, live

SPANS = {"15m": 15, "1h": 60, "6h": 360, "24h": 1440}


def page(view: View) -> None:
    t = view.t
    st.title(t("system.title"))
    live(view, readings, seconds=5)
    span = st.segmented_control(t("system.span"), list(SPANS), default="1h", format_func=lambda name: t(f"system.spans.{name}"), key="system_span")
    live(view, partial(chart, minutes=SPANS[span or "1h"]), seconds=5)
    looking: dict[str, Page] = {"parts": partial(live, part=parts, seconds=5), "topics": partial(live, part=topics, seconds=10), "alerts": alerts, "log": log}
    tabs(view, "system_tab", {t(f"system.tab.{name}"): part for name, part in looking.items()})
