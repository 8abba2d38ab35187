"""Accounts, revocations, limits and tickets: the same on memory and on the real parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from evergreen.adapters.memory.limits import MemoryLimits
from evergreen.adapters.memory.tickets import MemoryTickets
from evergreen.adapters.redis_limits import RedisLimits
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_tickets import RedisTickets
from evergreen.core.access import Principal, Revocations, Role
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.ports.access import Tickets
from evergreen.ports.limits import SharedLimits, Wanted
from evergreen.ports.records import RecordStore
from evergreen.services.manage_access import FIRST, ManageAccess
from evergreen.settings import Settings

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANN = Principal("김 앤", frozenset({Role.USER, Role.ANALYST}), "id1", 100, 200)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Plain:
    def hash(self, secret: str) -> str:
        return f"$argon2id${secret[::-1]}"

    def verify(self, secret: str, secret_hash: str) -> bool:
        return secret_hash == self.hash(secret)


@pytest.fixture
def manage(store: RecordStore) -> ManageAccess:
    return ManageAccess(store, Plain())  # type: ignore[arg-type]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def link(request: pytest.FixtureRequest) -> AsyncIterator[RedisLink | None]:
    if request.param == "memory":
        yield None
        return
    settings: Settings = request.getfixturevalue("stack_settings")
    found = RedisLink(settings.redis.url.get_secret_value(), 2.0)
    yield found
    await found.close()


@pytest.fixture
def limits(link: RedisLink | None) -> SharedLimits:
    return MemoryLimits() if link is None else RedisLimits(link)


@pytest.fixture
def tickets(link: RedisLink | None) -> Tickets:
    return MemoryTickets() if link is None else RedisTickets(link)


def test_the_first_accounts_are_made_once_and_then_theirs(manage: ManageAccess) -> None:
    secrets = {name: f"{uuid4().hex}" for name in FIRST}
    assert manage.ensure(secrets) == list(FIRST)
    manage.disable("viewer", NOW, "test")
    assert manage.ensure({name: uuid4().hex for name in FIRST}) == []
    by_name = {account.subject: account for account in manage.list()}
    assert by_name["viewer"].disabled_at == NOW
    assert (by_name["app"].kind, by_name["app"].roles, by_name["admin"].roles) == ("client", (Role.SERVICE,), (Role.OPERATOR,))
    assert Plain().verify(secrets["admin"], by_name["admin"].secret_hash)


def test_a_name_is_given_once_and_an_unknown_one_is_not_found(manage: ManageAccess) -> None:
    assert len(manage.add("김 앤", "person", [Role.USER, Role.ANALYST])) >= 20
    with pytest.raises(InvalidRequest, match="there is an account"):
        manage.add("김 앤", "client", [Role.SERVICE])
    for name in ("", " a", "a\n", "x" * 257):
        with pytest.raises(InvalidRequest, match="a name has"):
            manage.add(name, "person", [Role.USER])
    with pytest.raises(NotFound):
        manage.disable("nobody", NOW, "test")
    manage.disable("김 앤", NOW, "test")
    manage.enable("김 앤")
    assert manage.list()[0].disabled_at is None


def test_what_was_done_to_accounts_is_kept_with_who_and_why(manage: ManageAccess) -> None:
    before = len(manage.changes(1_000))
    old = manage.add("a", "person", [Role.USER], who="api:op", reason="new")
    new = manage.change_secret("a", NOW, "api:op", "forgotten")
    assert "a" not in (old + new).lower()
    assert old != new
    with pytest.raises(NotFound):
        manage.change_secret("nobody", NOW, "api:op")
    with pytest.raises(InvalidRequest, match="your own account"):
        manage.disable("a", NOW, "api:a")
    manage.disable("a", NOW, "api:op", "gone")
    manage.enable("a", "api:op", "back")
    manage.revoke_subject("a", NOW, "api:op", "leaked")
    manage.revoke_token("t", NOW, "api:op", "leaked too")
    changes = manage.changes(1_000)
    assert len(changes) - before == 6
    assert [(one.what, one.subject, one.reason) for one in changes[:6]] == [
        ("token_revoked", "t", "leaked too"),
        ("tokens_revoked", "a", "leaked"),
        ("enabled", "a", "back"),
        ("disabled", "a", "gone"),
        ("secret_changed", "a", "forgotten"),
        ("added", "a", "new"),
    ]
    assert {one.who for one in changes[:6]} == {"api:op"}
    assert manage.changes(1) == changes[:1]


def test_what_is_revoked_is_listed_until_it_would_have_expired(store: RecordStore, manage: ManageAccess) -> None:
    manage.revoke_token("t1", NOW, "test")
    manage.revoke_token("t1", NOW + timedelta(seconds=1), "test")
    manage.revoke_subject("ann", NOW, "test")
    manage.revoke_subject("ann", NOW - timedelta(days=1), "test")  # never less than before
    with store.transaction() as tx:
        found: Revocations = tx.revocations.current(NOW)  # type: ignore[attr-defined]
        assert (found.tokens, dict(found.subjects)) == (frozenset({"t1"}), {"ann": int(NOW.timestamp())})
        later = NOW + timedelta(days=402)
        assert tx.revocations.current(later) == Revocations()  # type: ignore[attr-defined]
        assert tx.revocations.prune(later) == 2  # type: ignore[attr-defined]


async def test_grants_never_exceed_the_limit_and_what_is_given_back_counts_again(limits: SharedLimits) -> None:
    key = uuid4().hex
    first = await limits.take(key, Wanted(limit=100, need=1, want=40, share=2))
    assert (first.amount, first.left) == (40, 60)
    second = await limits.take(key, Wanted(limit=100, need=10, want=1000, share=2))
    assert (second.amount, second.left) == (35, 25)  # the need, and half of what is then left
    assert (await limits.take(key, Wanted(limit=100, need=26, want=26, share=1))).amount == 0
    third = await limits.take(key, Wanted(limit=100, need=26, want=26, share=1, back=30, back_slot=first.slot))
    assert (third.amount, third.left) == (26, 29)
    told = await limits.take(key, Wanted(limit=100, need=1, want=1, share=1, spent=40))
    assert (told.amount, told.left) == (0, -11)
    assert 0 < told.wait_seconds <= 62


async def test_many_askers_at_once_get_exactly_the_limit(limits: SharedLimits) -> None:
    key = uuid4().hex
    granted = await asyncio.gather(*(limits.take(key, Wanted(limit=500, need=1, want=draw, share=2)) for draw in [1, 7, 50] * 100))
    rest = [await limits.take(key, Wanted(limit=500, need=1, want=50, share=1)) for _ in range(20)]
    assert sum(grant.amount for grant in [*granted, *rest]) == 500


async def test_what_was_never_granted_cannot_be_given_back(limits: SharedLimits) -> None:
    key = uuid4().hex
    first = await limits.take(key, Wanted(limit=10, need=10, want=10, share=1))
    for back, slot in ((1000, first.slot - 5), (0, first.slot)):
        assert (await limits.take(key, Wanted(limit=10, need=1, want=1, share=1, back=back, back_slot=slot))).amount == 0
    assert (await limits.take(key, Wanted(limit=10, need=1, want=100, share=1, back=1000, back_slot=first.slot))).amount == 10


async def test_a_ticket_is_redeemed_once_whoever_asks(tickets: Tickets) -> None:
    one, other = await tickets.issue(ANN), await tickets.issue(ANN)
    assert one != other
    redeemed = await asyncio.gather(*(tickets.redeem(one) for _ in range(10)))
    assert [found for found in redeemed if found is not None] == [ANN]
    assert await tickets.redeem(other) == ANN
    assert await tickets.redeem("nobody's") is None
