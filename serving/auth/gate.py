"""Who is let in: one call for each request, before its body is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import Scope

from evergreen.core.access import ALLOWED, ANONYMOUS, Need, Principal, Role
from evergreen.ports.limits import WINDOW_SECONDS
from serving.auth.authenticator import Authenticator
from serving.auth.limiter import Limiter, Policy, Verdict
from serving.auth.needs import PROBES
from serving.auth.peers import Peers
from serving.auth.refusals import Forbidden, HeadersTooLarge, Refused, TooManyRequests, Unauthorized

if TYPE_CHECKING:
    from evergreen.settings_auth import LimitSettings

MOST_HEADERS = 100
Head = list[tuple[bytes, bytes]]


class Admitted(NamedTuple):
    principal: Principal
    head: Head
    """For the answer."""


class Gate:
    def __init__(
        self, authenticator: Authenticator, limiter: Limiter, peers: Peers, limits: LimitSettings, refused: Callable[[str], None] = lambda _why: None
    ) -> None:
        self.authenticator, self.limiter, self._peers, self._refused = authenticator, limiter, peers, refused
        self._limits = limits
        self._classes: dict[frozenset[Role], _Class] = {}
        self._anonymous, self._login = _Class("anonymous", limits.anonymous), _Class("login", limits.login)

    def at_once(self, scope: Scope, headers: Mapping[str, str], need: Need) -> Admitted | None:
        """Lets in who may, where that is known without asking anyone. None: nothing was counted, ask `admit`."""
        principal = self.authenticator.known(headers.get("authorization"))
        if principal is None or len(scope["headers"]) != len(headers):
            return None
        own = self._classes.get(principal.roles)
        if own is None or need not in own.needs:
            return None
        verdict = self.limiter.at_once(own.policy, own.prefix + principal.subject)
        return None if verdict is None else Admitted(principal, own.head(verdict))

    async def admit(self, scope: Scope, headers: Mapping[str, str], need: Need) -> Admitted:
        """`headers`: names in lower case. Counts one item; a request that turns out to be more is charged the rest. Raises Refused."""
        try:
            if len(scope["headers"]) != len(headers):
                _refuse_doubled(scope["headers"])
            if need is Need.PUBLIC:
                return await self._public(scope, headers)
            if need is Need.METRICS and self._peers.loopback(scope, headers):
                return Admitted(ANONYMOUS, [])
            try:
                principal = self.authenticator.principal(headers.get("authorization"))
            except Unauthorized:
                await self.charge_peer(scope, headers)
                raise
            return await self._known(principal, need)
        except Refused as error:
            self._refused(type(error).__name__)
            raise

    async def admit_by(self, redeem: Callable[[], Awaitable[Principal]], scope: Scope, headers: Mapping[str, str], need: Need) -> Admitted:
        """As `admit`, for who shows something else than a token. `redeem` raises Unauthorized."""
        try:
            try:
                principal = await redeem()
            except Unauthorized:
                await self.charge_peer(scope, headers)
                raise
            return await self._known(principal, need)
        except Refused as error:
            self._refused(type(error).__name__)
            raise

    async def _known(self, principal: Principal, need: Need) -> Admitted:
        own = self._classes.get(principal.roles) or self._class(principal.roles)
        verdict = await self.limiter.admit(own.policy, own.prefix + principal.subject)
        if not verdict.admitted:
            raise own.too_many(verdict, 1)
        if need not in own.needs:
            authorise(principal, need)
        return Admitted(principal, own.head(verdict))

    async def charge(self, principal: Principal, items: int) -> None:
        """The rest of what a request turned out to cost: `n - 1` for a batch of n. Raises TooManyRequests."""
        if items <= 0 or not principal.roles:
            return
        own = self._class(principal.roles)
        verdict = await self.limiter.admit(own.policy, own.prefix + principal.subject, items)
        if not verdict.admitted:
            self._refused(TooManyRequests.__name__)
            raise own.too_many(verdict, items + 1)

    def charge_at_once(self, principal: Principal, items: int) -> bool:
        """Whether that was possible without asking anyone. False: nothing was counted, ask `charge`."""
        if items <= 0 or not principal.roles:
            return True
        own = self._class(principal.roles)
        return self.limiter.at_once(own.policy, own.prefix + principal.subject, items) is not None

    async def charge_peer(self, scope: Scope, headers: Mapping[str, str]) -> Head:
        """For a request without a token that counts. Raises TooManyRequests."""
        verdict = await self.limiter.admit(self._anonymous.policy, f"peer:{self._peers.of(scope, headers)}")
        if not verdict.admitted:
            raise self._anonymous.too_many(verdict, 1)
        return self._anonymous.head(verdict)

    async def charge_login(self, scope: Scope, headers: Mapping[str, str], name: str) -> None:
        """For an attempt to sign in, of the address and on the account, whatever comes of it. Raises TooManyRequests."""
        for key in (f"login:peer:{self._peers.of(scope, headers)}", f"login:account:{name[:256]}"):
            verdict = await self.limiter.admit(self._login.policy, key)
            if not verdict.admitted:
                self._refused("Login")
                raise self._login.too_many(verdict, 1)

    def _class(self, roles: frozenset[Role]) -> _Class:
        """Of all a token's roles the most generous limit counts."""
        if roles not in self._classes:
            role = max(roles, key=self._limit)
            self._classes[roles] = _Class(role.value, self._limit(role), frozenset(need for need in Need if not roles.isdisjoint(ALLOWED[need])))
        return self._classes[roles]

    def _limit(self, role: Role) -> int:
        return int(getattr(self._limits, role.value))

    async def _public(self, scope: Scope, headers: Mapping[str, str]) -> Admitted:
        return Admitted(ANONYMOUS, [] if scope["path"] in PROBES else await self.charge_peer(scope, headers))


def authorise(principal: Principal, need: Need) -> None:
    """Raises Forbidden."""
    if not principal.may(need):
        raise Forbidden(f"this needs a token that may {need.value.replace('_', ' ')}; this one's roles are {', '.join(sorted(principal.roles))}")


def _refuse_doubled(headers: Iterable[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    if len(names) > MOST_HEADERS:
        raise HeadersTooLarge
    if names.count(b"authorization") > 1:
        raise Unauthorized("it is given twice")


class _Class:
    """Callers of one kind: their limit, what they may, and what their answers say of it."""

    __slots__ = ("_form", "_said", "needs", "policy", "prefix")

    def __init__(self, name: str, limit: int, needs: frozenset[Need] = frozenset()) -> None:
        self.policy, self.needs, self.prefix = Policy(name, limit), needs, f"token:{name}:"
        self._said = (b"ratelimit-policy", f'"{name}";q={limit};w={WINDOW_SECONDS}'.encode())
        self._form = f'"{name}";r=%d;t=%d'.encode()

    def head(self, verdict: Verdict) -> Head:
        return [self._said, (b"ratelimit", self._form % (verdict.remaining, verdict.reset_seconds + 1))]

    def too_many(self, verdict: Verdict, items: int) -> TooManyRequests:
        headers, limit = {name.decode(): value.decode() for name, value in self.head(verdict)}, self.policy.limit
        if verdict.retry_after <= 0:
            return TooManyRequests(f"{items} items at once are more than the limit of {limit} a minute: ask for fewer", headers)
        seconds = max(1, int(verdict.retry_after + 0.999))
        return TooManyRequests(f"the limit of {limit} items a minute is used up", {**headers, "Retry-After": str(seconds)})
