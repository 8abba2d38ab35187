"""Which web pages may call from a browser: those of the listed origins, with a token of their own; no cookies are ever used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.hot import Reply

_METHODS = "GET, POST, DELETE"
_HEADERS = "authorization, content-type, idempotency-key, last-event-id, traceparent, x-request-id"
_EXPOSED = b"location, ratelimit, ratelimit-policy, retry-after, x-request-id"
MAX_AGE_SECONDS = 600


class Cors:
    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def head(self, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        """For an answer. Nothing where no origin is listed: then no answer differs by origin."""
        if not self._origins:
            return []
        origin = headers.get("origin", "")
        if origin not in self._origins:
            return [(b"vary", b"Origin")]
        return [(b"vary", b"Origin"), (b"access-control-allow-origin", origin.encode("latin-1")), (b"access-control-expose-headers", _EXPOSED)]

    def preflight(self, method: str, headers: Mapping[str, str]) -> Reply | None:
        """The answer to a browser that asks first; None where it is not such a question, or not from a listed page."""
        if method != "OPTIONS" or headers.get("origin", "") not in self._origins or "access-control-request-method" not in headers:
            return None
        allowed = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Allow-Headers": _HEADERS, "Access-Control-Max-Age": str(MAX_AGE_SECONDS)}
        return Reply(b"", 204, headers=allowed)
