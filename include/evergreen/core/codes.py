"""Texts as the numbers a model was trained on: one rule for training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_of(value: Any) -> str:
    """As a file of text would have it: 1, 1.0 and "1" are the same, so are true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def coded(value: Any, codes: Mapping[str, float]) -> Any:
    """A text's code, one more than the last for a text that has none; blank is not known. What is no text is a code already."""
    if isinstance(value, str | bool):
        text = text_of(value)
        return codes.get(text, float(len(codes))) if text else None
    return value
