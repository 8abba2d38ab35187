"""The header that makes a repeated request the same request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Request

from evergreen.contracts.api import Body
from evergreen.core.access import by
from evergreen.services.once import Keyed


def key(description: str) -> Any:
    return Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,128}$", description=description)


StatementKey = Annotated[str | None, key("The same key for a repeat of the same statement: it counts once")]
OnceKey = Annotated[str | None, key("The same key for a repeat of the same request: it has its effect once, and the same answer")]
SecretKey = Annotated[str | None, key("The same key for a repeat of the same request: it has its effect once. The secret is told once, a repeat gets 409")]


def keyed(request: Request, given: str | None, asked: Body, *, secret: bool = False) -> Keyed | None:
    """None: it carries no key."""
    if given is None:
        return None
    return Keyed(request.url.path, by(request.state.principal.subject), given, asked.model_dump(mode="json"), secret)
