"""Text of the data where Streamlit takes Markdown: titles and words people wrote stay text."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """The same text to whoever reads it; no link, no picture, no formula, no icon."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
