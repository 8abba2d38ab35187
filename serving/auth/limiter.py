"""How much one caller may ask for, counted over all workers without asking anybody most of the time.

A worker leases a part of what a caller has left (`ports.limits`), spends it here, and gives back what it did not spend with its next
question. How much it leases follows what the caller used lately, and shrinks as the limit comes near.

Guarantee: all workers together let no more than the limit through in any sixty seconds, and with a lease at hand a request costs about a
microsecond. Failure: Redis is away. Remedy: each worker lets through at most its share, limit / max_workers, counted against what it let
through itself in the last minute, and tells Redis of it afterwards. Failure: a worker dies. Remedy: what it had leased counts as used for a
minute; that is less than a second of the caller's traffic."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from evergreen.core.errors import Unavailable
from evergreen.ports.limits import LEASE_SECONDS, SLOTS, SharedLimits, Wanted
from serving.auth.ledger import Ledger

REMEMBERED = 10_000
FIRST_LEASES = 600
"""The first lease is this part of the limit: a tenth of a second's worth."""
DRY_SECONDS = 0.05
"""After a refusal nobody asks Redis about as much again for so long: a flood of refused requests must not become one of questions."""
LARGEST_LEASE = 8
"""No lease is more than this part of the limit."""


@dataclass(frozen=True)
class Policy:
    name: str
    limit: int
    """Items in sixty seconds."""


class Verdict(NamedTuple):
    admitted: bool
    limit: int
    remaining: int
    reset_seconds: float
    """Until some of the limit comes back."""
    retry_after: float
    """Refused: when it is worth trying again. 0: never, it costs more than the limit."""
    degraded: bool


class _Account:
    """What this worker has at hand of one caller's limit."""

    __slots__ = (
        "beyond",
        "dry_from",
        "dry_until",
        "dry_wait",
        "granted",
        "leased_at",
        "ledger",
        "left",
        "local",
        "renewing",
        "reset_at",
        "slot",
        "unsaid",
        "until",
        "waiting",
        "want",
    )

    def __init__(self, want: int) -> None:
        self.left = self.granted = self.slot = self.waiting = self.beyond = 0
        self.until = self.leased_at = self.reset_at = 0.0
        self.want = want
        self.dry_until, self.dry_from, self.dry_wait = 0.0, 0, 0.0
        self.renewing: asyncio.Event | None = None
        """Set when the renewal that others wait for is over: it wakes all of them at once, where a lock would wake one after the other."""
        self.ledger = Ledger(SLOTS)
        self.local = False
        """Of this lease nobody knows but this worker."""
        self.unsaid = 0
        """Spent of such leases, and not told yet."""


class Limiter:
    def __init__(
        self, shared: SharedLimits, *, workers: int, now: Callable[[], float] = time.monotonic, on_degraded: Callable[[bool], None] = lambda _is: None
    ) -> None:
        self._shared, self._workers, self._now, self._on_degraded = shared, max(1, workers), now, on_degraded
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self.degraded = False
        self.leases = 0

    async def admit(self, policy: Policy, key: str, cost: int = 1) -> Verdict:
        """`key`: the caller, unique over all policies."""
        return self.at_once(policy, key, cost) or await self._lease(policy, key, cost, self._accounts.get(key) or self._new(policy, key))

    def at_once(self, policy: Policy, key: str, cost: int = 1) -> Verdict | None:
        """Of the lease at hand. None: it does not suffice, and nothing was counted."""
        account = self._accounts.get(key)
        if account is None or account.left < cost or self._now() >= account.until:
            return None
        account.left -= cost
        return Verdict(True, policy.limit, account.beyond + account.left, account.reset_at, 0.0, account.local)

    def _new(self, policy: Policy, key: str) -> _Account:
        account = self._accounts[key] = _Account(max(1, policy.limit // FIRST_LEASES))
        while len(self._accounts) > REMEMBERED:
            self._accounts.popitem(last=False)  # what was leased counts as used until its time is over
        return account

    async def _lease(self, policy: Policy, key: str, cost: int, account: _Account) -> Verdict:
        if cost > policy.limit:
            return Verdict(False, policy.limit, account.beyond + account.left, 0.0, 0.0, account.local)
        account.waiting += cost
        try:
            while account.left < cost or self._now() >= account.until:
                if account.renewing is not None:  # then there is what it has leased for all
                    await account.renewing.wait()
                    continue
                dry = cost >= account.dry_from and self._now() < account.dry_until
                wait = account.dry_wait if dry else await self._renew_for_all(policy, key, cost, account)
                if dry or account.left < cost:
                    return self._refuse(policy, account, cost, wait, dry)
                break
            account.left -= cost
        finally:
            account.waiting -= cost
        if key in self._accounts:
            self._accounts.move_to_end(key)
        return Verdict(True, policy.limit, account.beyond + account.left, account.reset_at, 0.0, account.local)

    async def _renew_for_all(self, policy: Policy, key: str, cost: int, account: _Account) -> float:
        over = account.renewing = asyncio.Event()
        try:
            return await self._renew(policy, key, cost, account)
        finally:
            account.renewing = None
            over.set()

    def _refuse(self, policy: Policy, account: _Account, cost: int, wait: float, dry: bool) -> Verdict:
        if not dry:
            account.dry_until, account.dry_from, account.dry_wait = self._now() + DRY_SECONDS, cost, wait
        return Verdict(False, policy.limit, max(0, account.beyond + account.left), wait, max(wait, 0.001), account.local)

    async def _renew(self, policy: Policy, key: str, cost: int, account: _Account) -> float:
        """Returns how long to wait where there is not enough."""
        back, slot = self._close(account, policy)
        asked_at = self._now()  # the lease counts from before it was granted
        want = max(account.want, account.waiting)
        wanted = Wanted(policy.limit, cost, want, 2 * self._workers, back, slot, account.unsaid)
        try:
            granted = await self._shared.take(key, wanted)
        except Unavailable:
            self._tell(True)
            return self._lend(policy, account, cost, asked_at)
        self._tell(False)
        self.leases += 1
        account.unsaid, account.local = 0, False
        account.granted = account.left = granted.amount
        account.slot, account.beyond, account.reset_at = granted.slot, max(0, granted.left), granted.wait_seconds
        account.leased_at, account.until = asked_at, asked_at + LEASE_SECONDS
        return granted.wait_seconds

    def _close(self, account: _Account, policy: Policy) -> tuple[int, int]:
        """The lease is over: what is left of it is given back, what was spent says how much to ask for next. Nothing of it can be spent any more."""
        spent, back, now = account.granted - account.left, account.left, self._now()
        if account.granted:
            account.ledger.add(account.leased_at, spent)
            pace = spent / max(now - account.leased_at, 0.1)
            account.want = min(max(1, math.ceil(pace * LEASE_SECONDS * 1.5)), max(1, policy.limit // LARGEST_LEASE))
            if account.local:
                account.unsaid += spent
        account.granted = account.left = 0
        account.until = 0.0
        return (0, 0) if account.local else (back, account.slot)

    def _lend(self, policy: Policy, account: _Account, cost: int, now: float) -> float:
        """A lease of this worker's own share."""
        free = max(1, policy.limit // self._workers) - account.ledger.total(now)
        account.local, account.slot, account.leased_at, account.until = True, 0, now, now + LEASE_SECONDS
        account.granted = account.left = max(0, free) if free >= cost else 0
        account.beyond, wait = 0, account.ledger.wait(now, cost - free)
        account.reset_at = wait
        return wait

    def _tell(self, degraded: bool) -> None:
        if degraded != self.degraded:
            self.degraded = degraded
            self._on_degraded(degraded)
