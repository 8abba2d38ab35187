"""`next_cursor`: the key of a page's last row, opaque to whoever carries it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from evergreen.core.errors import InvalidRequest

_REFUSED = "cursor: take it from the previous page"


def write_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str, length: int) -> Sequence[str]:
    """Raises InvalidRequest for anything `write_cursor` did not make."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest(_REFUSED) from error
    if not isinstance(parts, list) or len(parts) != length or not all(isinstance(part, str) and "\x00" not in part for part in parts):
        raise InvalidRequest(_REFUSED)
    return parts


def read_instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(_REFUSED) from error
    if found.tzinfo is None:
        raise InvalidRequest(_REFUSED)
    return found


def read_uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidRequest(_REFUSED) from error


def read_whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequest(_REFUSED)
    return int(text)


def read_number(text: str) -> int:
    """Below zero too; a bigint."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19 or not -(2**63) <= int(text) < 2**63:
        raise InvalidRequest(_REFUSED)
    return int(text)
