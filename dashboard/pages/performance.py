"""Video performance: how engagement and performance are spread, what moves, what does well, and the search beside it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.parts.catalogue import category_names
from dashboard.parts.curves import curves, key_figures
from dashboard.parts.filters import Chosen, filters
from dashboard.parts.lists import movers, rankings
from dashboard.parts.search import search
from dashboard.parts.together import begin
from dashboard.view import View, empty, guarded

_STYLE = """<style>
@media (min-width: 1280px) {[data-testid="stMainBlockContainer"] {padding-left: 2.5rem; padding-right: 2.5rem}}
@media (max-width: 1279px) {
  .st-key-performance_split > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {flex-wrap: wrap}
  .st-key-performance_split > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {min-width: 100%}
}
</style>"""


def page(view: View) -> None:
    st.title(view.t("performance.title"))
    st.html(_STYLE)
    held = view.api.get("/catalogue")
    if not held["videos"]:
        empty(view.t("performance.no_videos"), view.t("performance.no_videos_hint"))
        return
    chosen = filters(view, held)
    asked = _ask(view, chosen)
    names = category_names(view, held["categories"])
    above = st.container()
    with st.container(key="performance_split"):
        charts, beside = st.columns([2, 1], gap="medium")
        with beside:
            st.subheader(view.t("search.title"))
            st.fragment(lambda: guarded(lambda view: search(view, names, narrow=True), view))()
    with charts:
        guarded(lambda view: _measured(view, chosen, asked, above), view)
        guarded(lambda view: movers(view, names, asked["movers"].result()), view)


def _measured(view: View, chosen: Chosen, asked: Mapping[str, Future[Any]], above: DeltaGenerator) -> None:
    """All of performance: without a champion it has no scale, and says so once."""
    placed, engaged = asked["performance"].result(), asked["engagement"].result()
    with above:
        key_figures(view, chosen, placed, engaged)
    curves(view, chosen, placed, engaged)
    rankings(view, chosen, asked["rankings"].result())


def _ask(view: View, chosen: Chosen) -> dict[str, Future[Any]]:
    """All at once: the database has more than one hand."""
    get, part = view.api.get, chosen.part()
    return {
        "performance": begin(get, "/distribution", metric="performance", threshold=chosen.threshold, **part),
        "engagement": begin(get, "/distribution", metric="engagement", threshold=chosen.engagement, **part),
        "rankings": begin(get, "/rankings", threshold=chosen.threshold, **part),
        "movers": begin(get, "/movers", **part),
    }
