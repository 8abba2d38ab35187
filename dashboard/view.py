"""What a page gets: the API as the person who looks, their language, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import plotly.graph_objects as go
import streamlit as st

from dashboard.api_client import Api, ApiError
from dashboard.escaped import plain
from dashboard.formats import Formats
from dashboard.sessions import Session
from dashboard.words import Words
from evergreen.core.access import Need


@dataclass(frozen=True)
class View:
    api: Api
    t: Words
    fmt: Formats
    session: Session
    language: str

    def may(self, need: Need) -> bool:
        return self.session.may(need)


Page = Callable[[View], None]


AGAIN_SECONDS = 5.0


def guarded(page: Page, view: View, *, again: bool = True) -> None:
    """The page, or what is the matter in its place: never a stack trace. `again`: while serving is away, the page looks again by itself
    (which would close a dialog)."""
    try:
        page(view)
    except ApiError as error:
        part = getattr(page, "func", page)
        trouble(view, error, where=f"{part.__module__}.{part.__qualname__}")
        if error.away and again:
            _look_again()


def _look_again() -> None:
    first = [True]

    def look() -> None:
        if not first:
            st.rerun()
        first.clear()

    st.fragment(look, run_every=AGAIN_SECONDS)()


def live(view: View, part: Page, *, seconds: float) -> None:
    """A part of a page that looks again by itself, without the rest of the page. Trouble stays within it and ends when it ends."""
    st.fragment(lambda: guarded(part, view, again=False), run_every=seconds)()


def trouble(view: View, error: ApiError, *, where: str = "") -> None:
    """`where`: tells parts apart that are in the same trouble at once."""
    t = view.t
    if error.signed_out:
        st.warning(t("common.signed_out"), icon=":material/lock:")
        sign_in_again(t)
    elif error.away:
        st.warning(t("common.away"), icon=":material/cloud_off:")
        st.button(t("common.try_again"), key=f"again-{where}-{error.title}-{error.detail}"[:200])
    elif error.status == 403:
        st.info(t("common.not_allowed"), icon=":material/block:")
    else:
        st.error(t("common.refused", why=plain(error.detail or error.title)), icon=":material/error:")


def sign_in_again(t: Words, *, beside: bool = False) -> None:
    """A link, and back to what is looked at. `beside`: in another tab, so that nothing typed in this one is lost."""
    path = urlsplit(st.context.url or "").path or "/"
    asked = urlencode([(name, value) for name in st.query_params for value in st.query_params.get_all(name)])
    back = quote(f"{path}?{asked}" if asked else path)
    st.html(f'<a class="eg-button" href="/sign-in?again=1&amp;next={back}" target="{"_blank" if beside else "_self"}">{t("common.sign_in_again")}</a>')


def empty(text: str, hint: str = "") -> None:
    """Nothing there, and what would change that."""
    with st.container(border=True):
        st.markdown(f":material/inbox: **{text}**")
        if hint:
            st.caption(hint)


def show_figure(figure: go.Figure, *, key: str, alt: str) -> None:
    """`alt`: what it shows, for those who do not see it."""
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=alt, key=key)
