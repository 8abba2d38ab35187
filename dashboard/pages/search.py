"""Prediction search: what the model says of a video, and what it would say if the video were another."""

from __future__ import annotations

import streamlit as st

from dashboard.parts.catalogue import category_names
from dashboard.parts.search import search
from dashboard.view import View, guarded


def page(view: View) -> None:
    st.title(view.t("search.title"))
    st.caption(view.t("search.about"))
    names = category_names(view, view.api.get("/catalogue")["categories"])
    st.fragment(lambda: guarded(lambda view: search(view, names, narrow=False), view))()
