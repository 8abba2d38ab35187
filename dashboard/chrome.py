"""What surrounds every page: a few styles beyond the theme, the cookie that remembers the language, and the word that the session ends soon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.view import View, sign_in_again
from dashboard.words import Words

LANGUAGE_COOKIE = "evergreen_lang"
REMEMBERED_SECONDS = 365 * 24 * 3600
WARNED_SECONDS = 300.0
"""Before a session ends."""
ENDING_SECONDS = 30.0
"""How often that is looked at."""
_STYLE = """<style>
.eg-button, .eg-link {text-decoration: none; font-weight: 600}
.eg-link, .eg-link:visited, .eg-button, .eg-button:visited {color: light-dark(#12724d, #3fbf87)}
.eg-button {border: 1px solid currentColor; border-radius: .5rem; padding: .4rem .9rem; display: inline-block}
[role="radio"][aria-checked="true"], [role="radio"][aria-checked="true"] p, [role="tab"][aria-selected="true"], [role="tab"][aria-selected="true"] p {
  color: light-dark(#12724d, #3fbf87) !important}
a:focus-visible, [role="tab"]:focus-visible {outline: 3px solid light-dark(#12724d, #3fbf87) !important; outline-offset: 2px; border-radius: .3rem}
[data-testid="stSidebar"][data-collapsed="true"] {visibility: hidden}
.block-container {padding-top: 3rem}
.eg-loading {position: fixed; top: 4rem; left: 50%; z-index: 100; padding: .3rem 1rem; border-radius: 1rem; font-size: .9rem; color: #fff;
  background: #12724d; opacity: 0; animation: eg-appear .2s .6s forwards}
[data-testid="stElementContainer"]:has(.eg-loading) {position: absolute}
@keyframes eg-appear {to {opacity: 1}}
@media (max-width: 640px) {.block-container {padding: 3.75rem 1rem 1rem} h1 {font-size: 1.6rem !important} h3 {font-size: 1.2rem !important}}
</style>"""


def style() -> None:
    st.html(_STYLE)


def remember_language(language: str) -> None:
    """For the next visit; `language` is one of ours, never a visitor's text."""
    st.html(
        f"<script>document.cookie = '{LANGUAGE_COOKIE}={language}; path=/; max-age={REMEMBERED_SECONDS}; samesite=lax'; "
        f"document.documentElement.lang = '{language}'</script>",
        unsafe_allow_javascript=True,
    )


@contextmanager
def loading(t: Words) -> Iterator[None]:
    """Said while a page is being made, once that takes long enough to be noticed."""
    place = st.empty()
    place.html(f'<div class="eg-loading" role="status">{t("common.loading")}</div>')
    try:
        yield
    finally:
        place.empty()


def ending(view: View) -> None:
    """Said while there is time to do something about it."""
    left = view.session.seconds_left
    if left < WARNED_SECONDS:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/timer: {view.t('common.ends_soon', minutes=view.fmt.number(max(left // 60, 1)))}", width="stretch")
            sign_in_again(view.t, beside=True)
