"""What surrounds every page: a few styles beyond the theme, and the cookie that remembers the language."""

from __future__ import annotations

import streamlit as st

LANGUAGE_COOKIE = "evergreen_lang"
REMEMBERED_SECONDS = 365 * 24 * 3600
_STYLE = """<style>
.eg-button, .eg-link {text-decoration: none; font-weight: 600}
.eg-link, .eg-link:visited {color: light-dark(#12724d, #3fbf87)}
.eg-button {border: 1px solid currentColor; border-radius: .5rem; padding: .4rem .9rem; display: inline-block}
.block-container {padding-top: 3rem}
@media (max-width: 640px) {.block-container {padding: 3rem 1rem 1rem} h1 {font-size: 1.6rem !important} h3 {font-size: 1.2rem !important}}
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
