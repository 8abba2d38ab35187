"""A name and its secret against the accounts.

Guarantee: it takes as long and says the same whether a name is unknown, disabled or given with a wrong secret, and at most THREADS slow
hashes run at once. Failure: more ask than can be hashed. Remedy: who would wait too long is told so at once; the event loop never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from evergreen.core.access import Role
from evergreen.core.errors import Unavailable, WrongCredentials
from evergreen.ports.access import Account, FindAccount, Kind, Passwords

THREADS = 2
"""Each holds 19 MiB while it hashes."""
WAITING = 16
LONGEST_SECRET = 256


class CheckCredentials:
    def __init__(self, accounts: FindAccount, passwords: Passwords, nobodys: str) -> None:
        """`nobodys`: a hash that nothing fits."""
        self._accounts, self._passwords, self._nobodys = accounts, passwords, nobodys
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._under_way = 0

    async def run(self, kind: Kind, subject: str, secret: str) -> Account:
        """Raises WrongCredentials, Unavailable."""
        if self._under_way >= WAITING:
            raise Unavailable("too many sign in at once; try again in a moment")
        self._under_way += 1
        try:
            # Everything is looked up and hashed whatever is known by then: what takes less time says something.
            fits = 0 < len(secret) <= LONGEST_SECRET and 0 < len(subject) <= 256 and subject.isprintable()
            found = await self._accounts.find(subject if fits else "")
            known = found if found is not None and found.kind == kind and found.disabled_at is None else None
            secret_hash = self._nobodys if known is None else known.secret_hash
            right = await asyncio.get_running_loop().run_in_executor(self._pool, self._passwords.verify, secret[:LONGEST_SECRET], secret_hash)
        finally:
            self._under_way -= 1
        if known is None or not right or not fits:
            raise WrongCredentials
        return known

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def narrowed(account: Account, scope: str) -> Collection[Role]:
    """The account's roles, or those of them that were asked for. Raises WrongCredentials for any it does not have: no word about which exist."""
    asked = set(scope.split())
    if not asked:
        return account.roles
    if not asked <= {role.value for role in account.roles}:
        raise WrongCredentials
    return [role for role in account.roles if role.value in asked]
