"""Recommendations: a user's list, live, and the experiments on all of them."""

from __future__ import annotations

import streamlit as st

from dashboard.parts import experiments, recommended
from dashboard.parts.tabs import tabs
from dashboard.view import View
from evergreen.core.access import Need


def page(view: View) -> None:
    t = view.t
    st.title(t("recommendations.title"))
    if not view.may(Need.OWN):
        st.info(t("recommendations.no_users_for_you"), icon=":material/block:")
        experiments.show(view)
        return
    tabs(view, "recommendations_tab", {t("recommendations.tab_user"): recommended.show, t("recommendations.tab_experiments"): experiments.show})
