"""The script Streamlit runs for every view: who looks, in which language, and the page they chose."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import streamlit as st

from dashboard.chrome import ENDING_SECONDS, LANGUAGE_COOKIE, ending, loading, remember_language, style
from dashboard.deployment import deployment
from dashboard.escaped import plain
from dashboard.formats import Formats
from dashboard.pages import PAGES
from dashboard.server import SESSION_COOKIE
from dashboard.sessions import Session
from dashboard.view import View, guarded, live, sign_in_again
from dashboard.words import LANGUAGES, Words, chosen, words


def cookie(name: str) -> str | None:
    return st.context.cookies.get(name)


def language_of() -> str:
    """Of this view: what was chosen in it, else the address, the cookie, the browser."""
    if "language" not in st.session_state:
        asked = st.query_params.get("lang")
        st.session_state["language"] = chosen(asked, cookie(LANGUAGE_COOKIE), st.context.headers.get("accept-language", ""))
    return str(st.session_state["language"])


def main() -> None:
    language = language_of()
    t = words(language)
    st.set_page_config(page_title="Video Social Analytics Dashboard", page_icon="📊", layout="wide", initial_sidebar_state="auto")
    style()
    session = deployment().sessions.of(cookie(SESSION_COOKIE))
    if session is None:
        st.info(t("common.signed_out"))
        sign_in_again(t)
        return
    view = View(deployment().api(session), t, Formats(language), session, language)
    pages = [
        st.Page(partial(guarded, spec.load(), view), title=t(f"{spec.name}.menu"), icon=spec.icon, url_path=spec.path.strip("/"), default=spec.path == "/")
        for spec in PAGES
        if session.may(spec.need)
    ]
    current = st.navigation(pages)
    sidebar(t, session, language)
    live(view, ending, seconds=ENDING_SECONDS)
    with loading(t):
        current.run()


def keep_choices(but: Collection[str]) -> None:
    """Through a change of language: a browser tells a choice by its words, and those of another language are no choice. Every choice is set anew
    as what it stands for; `but`: what is there in this run already, or is no choice."""
    for key, value in st.session_state.items():
        if key not in but and isinstance(value, str | int | list) and not isinstance(value, bool):
            st.session_state[key] = value


def sidebar(t: Words, session: Session, language: str) -> None:
    with st.sidebar:
        picked = st.segmented_control(t("common.language"), list(LANGUAGES), default=language, format_func=LANGUAGES.__getitem__, key="language_picked")
        if picked is not None and picked != language:
            keep_choices(but={"language", "language_picked"})
            st.session_state["language"] = picked
            st.query_params["lang"] = picked
            st.rerun()
        remember_language(language)
        st.caption(t("common.signed_in_as", name=plain(session.subject), roles=", ".join(t(f"admin.role.{role}") for role in sorted(session.roles))))
        st.html(f'<a class="eg-link" href="/sign-out" target="_self">{t("common.sign_out")}</a>')


main()
