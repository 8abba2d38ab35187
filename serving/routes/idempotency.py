"""The header that makes a repeated request the same request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header


def key(description: str) -> Any:
    return Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,128}$", description=description)


StatementKey = Annotated[str | None, key("The same key for a repeat of the same statement: it counts once")]
