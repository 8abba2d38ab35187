"""What happens after a person pressed a button that changes something: it is said, or why it was refused, and the page looks again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

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
        not_done(view, error)
        return None
    st.toast(view.t(said), icon=":material/check:")
    return answer


def not_done(view: View, error: ApiError) -> None:
    """Within a form too: where serving is away, the form's own button is what tries again."""
    if error.away:
        st.warning(view.t("common.away"), icon=":material/cloud_off:")
    else:
        trouble(view, error)


def asked_once(view: View, form: str, path: str, body: Mapping[str, Any]) -> Any:
    """The API's answer to what a form asks, with a key of this submission: pressed again because no answer came, it has its effect once. After an
    answer, or with something else in the form, it is another request. Raises ApiError."""
    slot = f"{form}_request"
    known = st.session_state.get(slot)
    if known is None or known[0] != body:
        known = st.session_state[slot] = (dict(body), str(uuid4()))
    try:
        answer = view.api.post(path, body, headers={"Idempotency-Key": known[1]})
    except ApiError as error:
        if not error.away:
            del st.session_state[slot]
        raise
    del st.session_state[slot]
    return answer
