"""Tables `accounts` and `revocations`: who may ask for tokens, and which tokens count no more. Wall time throughout."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from evergreen.core.access import Principal, Revocations, Role

Kind = Literal["person", "client"]


@dataclass(frozen=True)
class Account:
    subject: str
    kind: Kind
    roles: tuple[Role, ...]
    secret_hash: str
    disabled_at: datetime | None = None


class Accounts(Protocol):
    def get(self, subject: str) -> Account | None: ...

    def add(self, account: Account) -> bool:
        """False where there is one of that name, which stays as it is."""

    def set_secret(self, subject: str, secret_hash: str) -> bool: ...

    def set_disabled(self, subject: str, at: datetime | None) -> bool:
        """False where there is none of that name."""

    def all(self) -> list[Account]:
        """By name."""


class RevocationTable(Protocol):
    def revoke_token(self, token_id: str, at: datetime, until: datetime, who: str) -> None:
        """`until`: by then it has expired anyway, and the row may go."""

    def revoke_subject(self, subject: str, at: datetime, until: datetime, who: str) -> None:
        """Every token of the subject issued up to `at`."""

    def current(self, now: datetime) -> Revocations: ...

    def prune(self, now: datetime) -> int: ...


Change = Literal["added", "disabled", "enabled", "secret_changed", "token_revoked", "tokens_revoked"]


@dataclass(frozen=True)
class AccessChange:
    """What was done to an account, or to a token (`subject` is its id then)."""

    what: Change
    subject: str
    who: str
    reason: str
    at: datetime


class AccessChanges(Protocol):
    """Table `access_changes`: added to, never changed."""

    def record(self, change: AccessChange) -> None: ...

    def newest(self, limit: int) -> list[AccessChange]: ...


class AccessTransaction(Protocol):
    @property
    def accounts(self) -> Accounts: ...
    @property
    def access_changes(self) -> AccessChanges: ...
    @property
    def revocations(self) -> RevocationTable: ...


class AccessStore(Protocol):
    def transaction(self) -> AbstractContextManager[AccessTransaction]: ...


class FindAccount(Protocol):
    def find(self, subject: str) -> Awaitable[Account | None]:
        """Raises Unavailable."""


class Passwords(Protocol):
    """Slow on purpose: not for an event loop."""

    def hash(self, secret: str) -> str: ...

    def verify(self, secret: str, secret_hash: str) -> bool:
        """Takes as long for a hash that no secret fits (`NOBODYS`)."""


TICKET_SECONDS = 60


class Tickets(Protocol):
    """Guarantee: a ticket is worth one use within TICKET_SECONDS, whoever of how many at once comes first. What is stored opens nothing: it
    names a ticket by its hash."""

    async def issue(self, principal: Principal) -> str:
        """Raises Unavailable."""

    async def redeem(self, ticket: str) -> Principal | None:
        """None for one that is unknown, used or too old. Raises Unavailable."""
