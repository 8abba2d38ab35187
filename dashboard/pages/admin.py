"""Admin: dead letters, accounts and tokens, the policy's kill switch. For operators; serving decides again."""

from __future__ import annotations

import streamlit as st

from dashboard.parts.admin_accounts import accounts
from dashboard.parts.admin_letters import letters
from dashboard.parts.admin_pause import pause
from dashboard.parts.tabs import tabs
from dashboard.view import View, guarded


def page(view: View) -> None:
    t = view.t
    st.title(t("admin.title"))
    guarded(pause, view)
    tabs(view, "admin_tab", {t("admin.tab.letters"): letters, t("admin.tab.accounts"): accounts})
