"""The very first visit of a fresh process may be to a page's own address."""

from __future__ import annotations

from streamlit.runtime.pages_manager import PagesManager

from dashboard.server import create_app


def test_the_folder_of_pages_is_never_taken_for_the_pages(monkeypatch) -> None:
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    create_app()
    assert PagesManager.uses_pages_directory is False
