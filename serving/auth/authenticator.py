"""From an `Authorization` header to whom it speaks for.

Guarantee: a token is checked whole once, then known until it expires, is revoked, or its key goes: a microsecond instead of a hundred and
fifty. Failure: somebody sends many different tokens. Remedy: the memory is bounded, least recently used out first; what does not count is
never remembered."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from evergreen.core.access import BadToken, Principal, Revocations
from serving.auth.refusals import Unauthorized

REMEMBERED = 4096
LONGEST_HEADER = 8192

Check = Callable[[str], Principal]
"""Raises BadToken."""


class Authenticator:
    def __init__(self, check: Check, wall: Callable[[], float], *, remembered: int = REMEMBERED) -> None:
        self._check, self._wall, self._capacity = check, wall, remembered
        self._known: OrderedDict[str, tuple[Principal, float]] = OrderedDict()
        self._revoked = Revocations()

    def principal(self, authorization: str | None) -> Principal:
        """Raises Unauthorized."""
        return self.known(authorization) or self._unknown(authorization)

    def known(self, authorization: str | None) -> Principal | None:
        """None: not seen before, or no more."""
        found = self._known.get(authorization)  # type: ignore[arg-type]
        if found is None:
            return None
        if time.monotonic() < found[1]:
            self._known.move_to_end(authorization)  # type: ignore[arg-type]
            return found[0]
        del self._known[authorization]  # type: ignore[arg-type]
        return None

    def revoke(self, revoked: Revocations) -> None:
        """From now on."""
        self._revoked = revoked
        for header in [header for header, (principal, _) in self._known.items() if revoked.cover(principal)]:
            del self._known[header]

    def forget(self) -> None:
        """Every token is checked anew: the keys are others."""
        self._known.clear()

    def check_still(self, principal: Principal) -> None:
        """Of somebody verified a while ago. Raises Unauthorized."""
        if principal.expires_at <= self._wall():
            raise Unauthorized("it has expired")
        if self._revoked.cover(principal):
            raise Unauthorized("it was revoked")

    def _unknown(self, authorization: str | None) -> Principal:
        if authorization is None:
            raise Unauthorized
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(authorization) > LONGEST_HEADER:
            raise Unauthorized("it is no bearer token")
        try:
            principal = self._check(token)
        except BadToken as error:
            raise Unauthorized(str(error)) from None
        if self._revoked.cover(principal):
            raise Unauthorized("it was revoked")
        self._known[authorization] = (principal, time.monotonic() + principal.expires_at - self._wall())
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return principal
