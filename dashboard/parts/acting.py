"""What happens after a person pressed a button that changes something: it is said, or why it was refused, and the page looks again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.view import View, trouble


def reason_of(view: View, key: str, help_key: str = "acting.reason_help") -> str:
    """Every act is recorded with one."""
    return st.text_input(view.t("acting.reason"), max_chars=500, key=key, help=view.t(help_key)).strip()


def acted(view: View, reason: str, act: Callable[[], Any], said: str) -> Any | None:
    """The API's answer; None where a reason is missing or it was refused, which is said in place."""
    if not reason.strip():
        st.warning(view.t("acting.reason_missing"), icon=":material/edit_note:")
        return None
    try:
        answer = act()
    except ApiError as error:
        trouble(view, error)
        return None
    st.toast(view.t(said), icon=":material/check:")
    return answer
