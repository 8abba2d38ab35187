"""CSV that a spreadsheet opens as text and numbers, whatever a title holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, its full-width forms too."""


def csv_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """UTF-8 with its mark, by which Excel knows Korean. All rows have the names of the first."""
    if not rows:
        return b""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(rows[0])
    writer.writerows([safe(value) for value in row.values()] for row in rows)
    return written.getvalue().encode("utf-8-sig")


def safe(value: Any) -> Any:
    """Guarantee: no text begins a formula, not even behind spaces. Numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" \u00a0").startswith(_FORMULA):
        return "'" + value
    return value
