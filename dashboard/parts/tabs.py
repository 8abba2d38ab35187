"""Tabs of a page, of which the open one alone is drawn and asks serving."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.view import Page, View, guarded


def tabs(view: View, key: str, parts: Mapping[str, Page]) -> None:
    """`parts`: by what stands on the tab. Which one is open is remembered, in either language and while another page is looked at."""
    labels, place = list(parts), f"{key}_open"
    if st.session_state.get(key) not in labels:
        st.session_state[key] = labels[st.session_state.get(place, 0)]
    for number, (tab, part) in enumerate(zip(st.tabs(labels, key=key, on_change="rerun"), parts.values(), strict=True)):
        if tab.open:
            st.session_state[place] = number
            with tab:
                guarded(part, view)
