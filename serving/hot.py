"""The hot routes: asked often, answered in microseconds, past FastAPI's routing, validation and serialisation.

A hot route is a coroutine from a `Call` to a `Reply`. The edge finds it by its exact path and calls it; FastAPI knows it too, for its
documentation and for paths with free parts, and comes to the same coroutine (`serving.documented`). Errors are raised as everywhere
(`serving.problems`). Nothing here may import FastAPI: a worker answers these routes before it is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.access import ANONYMOUS, Need, Principal

if TYPE_CHECKING:
    import asyncio


@dataclass(slots=True)
class Call:
    """One request, its body read whole (at most the edge's limit)."""

    body: bytes
    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    """Parts of the path by name."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    query: str = ""
    principal: Principal = ANONYMOUS
    request_id: str = ""
    traceparent: str = ""
    read: Any = None
    """What a handler made of it before it was asked again."""


def says_json(content_type: str | None) -> bool:
    """As FastAPI takes it: `application/json` or `application/…+json`."""
    return content_type == "application/json" or (bool(content_type) and _is_json(str(content_type)))


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    from email.message import Message

    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


class Reply(NamedTuple):
    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}
    cost: int = 1
    """What it counts for in rate limits: rows that were predicted."""


class Soon(NamedTuple):
    """A reply for which one answer of another part is waited for."""

    answered: asyncio.Future[Any]
    reply: Callable[[], Reply | None]
    """Once that is there. None: ask `handle`, with the same call."""


Handle = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class HotRoute:
    method: str
    template: str
    """With `{parts}`, as documented and as the metrics' label."""
    handle: Handle
    need: Need
    exact: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Paths the edge answers itself -> their parts: the template with everything filled in that is known at start."""
    at_once: Callable[[Call], Reply | None] | None = None
    """As `handle`, where nothing has to be waited for; None: ask `handle`. Without one, always."""
    soon: Callable[[Call], Soon | None] | None = None
    """As `handle`, where one answer is all that has to be waited for, without a task of its own; None: ask `handle`."""
    too_deep: Reply | None = None
    """What a body that is nested too deep is told, in the words of the route's protocol; by default a problem."""
