"""Home: the loop as it is now."""

from __future__ import annotations

import streamlit as st

from dashboard.view import View


def page(view: View) -> None:
    st.title(view.t("home.title"))
