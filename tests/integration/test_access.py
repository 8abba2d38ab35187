"""Revocation, limits and tickets across workers, with the real Postgres and Redis."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from evergreen.adapters.access_rows import AccountRows, RememberedRevocations
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.passwords import Argon2
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_limits import RedisLimits
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_tickets import RedisTickets
from evergreen.adapters.token_keys import rotate
from evergreen.adapters.token_mint import TokenMint
from evergreen.core.access import Principal, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.local_stack.status import stack_status
from evergreen.local_stack.testing import stack
from evergreen.services.manage_access import ManageAccess
from evergreen.settings import Settings
from serving.auth.build import Access, build_access
from serving.auth.limiter import Limiter, Policy
from serving.auth.refusals import Unauthorized
from tests.support.tokens import bearer
from tests.support.worker_processes import until

pytestmark = [pytest.mark.anyio, pytest.mark.connected]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def redis(stack_settings: Settings) -> AsyncIterator[list[RedisLink]]:
    """A way for each of two workers."""
    found = [RedisLink(stack_settings.redis.url.get_secret_value(), 0.5) for _ in range(2)]
    yield found
    for link in found:
        await link.close()


@pytest.fixture
async def workers(stack_settings: Settings, redis: list[RedisLink]) -> AsyncIterator[list[Access]]:
    lines = [AsyncPostgres(stack_settings.postgres.dsn.get_secret_value()) for _ in redis]
    found = [build_access(stack_settings, line, link, on_degraded=lambda _is: None, refused=lambda _why: None) for line, link in zip(lines, redis, strict=True)]
    for access in found:
        access.follower.start()
        await access.follower.settle()
    yield found
    for access in found:
        await access.follower.stop()
    for line in lines:
        await line.close()


def manage(settings: Settings) -> ManageAccess:
    return ManageAccess(PostgresStore(settings.postgres.dsn.get_secret_value()), Argon2())


async def test_a_revocation_counts_in_every_worker_within_a_second(stack_settings: Settings, workers: list[Access]) -> None:
    minted = TokenMint(stack_settings.auth, workers[0].keys).mint(uuid4().hex, [Role.VIEWER], 5)
    header = f"Bearer {minted.token}"
    for access in workers:
        assert access.gate.authenticator.principal(header).token_id == minted.token_id
    await asyncio.to_thread(manage(stack_settings).revoke_token, minted.token_id, wall_now(), "test")
    begun = time.monotonic()
    for access in workers:
        while time.monotonic() - begun < 5:
            try:
                access.gate.authenticator.principal(header)
            except Unauthorized:
                break
            await asyncio.sleep(0.01)
    seconds = time.monotonic() - begun
    print(f"\nrevoked in both workers after {seconds:.2f} s")  # noqa: T201 - the figure
    assert seconds < 1.5  # a second, and a busy machine
    kept = RememberedRevocations(stack_settings.home / "data" / "access" / "revoked.json").read()
    assert minted.token_id in kept.tokens


async def test_accounts_are_read_as_they_were_written(stack_settings: Settings) -> None:
    line, name = AsyncPostgres(stack_settings.postgres.dsn.get_secret_value()), f"앤-{uuid4().hex[:6]}"
    accounts, made = AccountRows(line), manage(stack_settings)
    secret = await asyncio.to_thread(made.add, name, "person", [Role.USER, Role.ANALYST])
    found = await accounts.find(name)
    assert found is not None
    assert (found.kind, set(found.roles), found.disabled_at) == ("person", {Role.USER, Role.ANALYST}, None)
    assert Argon2().verify(secret, found.secret_hash)
    await asyncio.to_thread(made.disable, name, wall_now() - timedelta(seconds=1), "test")
    again = await accounts.find(name)
    assert again is not None
    assert again.disabled_at is not None
    assert await accounts.find("' OR true --") is None
    await line.close()


@pytest.mark.parametrize("limit", [100, 5_000])
async def test_two_workers_on_one_redis_let_no_more_than_the_limit_through(redis: list[RedisLink], limit: int) -> None:
    key, policy = uuid4().hex, Policy("p", limit)
    limiters = [Limiter(RedisLimits(link), workers=2) for link in redis]

    async def flood(limiter: Limiter) -> int:
        let, until = 0, time.monotonic() + 3
        while time.monotonic() < until:
            verdicts = await asyncio.gather(*(limiter.admit(policy, key) for _ in range(10)))
            let += sum(verdict.admitted for verdict in verdicts)
            await asyncio.sleep(0)
            assert not any(verdict.degraded for verdict in verdicts)
        return let

    let = sum(await asyncio.gather(*(flood(limiter) for limiter in limiters)))
    assert let == limit
    asked = sum(limiter.leases for limiter in limiters)
    print(f"\n{limit} let through with {asked} questions to Redis")  # noqa: T201 - the figure


async def test_redis_paused_falls_back_to_a_share_and_comes_back(stack_settings: Settings, redis: list[RedisLink]) -> None:
    key, policy = uuid4().hex, Policy("p", 1000)
    limiters = [Limiter(RedisLimits(link), workers=2) for link in redis]
    with Redis.from_url(stack_settings.redis.url.get_secret_value()) as admin:
        admin.client_pause(8_000, all=True)
    let = [sum([(await limiter.admit(policy, key)).admitted for _ in range(900)]) for limiter in limiters]
    assert let == [500, 500]
    assert all(limiter.degraded for limiter in limiters)
    async with asyncio.timeout(30):
        while limiters[0].degraded:
            await limiters[0].admit(policy, key)
            await asyncio.sleep(0.1)


async def test_nowhere_a_redis_still_bounds(tmp_path: Path) -> None:
    limiter = Limiter(RedisLimits(RedisLink("redis://127.0.0.1:1/0", 0.05)), workers=4)
    assert sum([(await limiter.admit(Policy("p", 100), "a")).admitted for _ in range(60)]) == 25
    with pytest.raises(Unavailable):
        await RedisTickets(RedisLink("redis://127.0.0.1:1/0", 0.05)).issue(Principal("a", frozenset({Role.USER})))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_first_start_makes_accounts_that_can_sign_in_and_says_so() -> None:
    with stack({"postgres", "redis", "serving"}) as settings, httpx.Client(base_url=settings.serving.url, timeout=20) as client:
        logins = stack_status(settings.home).logins["serving"]
        assert set(logins) == {"admin", "analyst", "viewer", "app"}
        assert client.get("/models").status_code == 401
        answers = {}
        for name in ("admin", "analyst", "viewer"):
            said = client.post("/auth/token", data={"grant_type": "password", "username": name, "password": logins[name]})
            answers[name] = client.get("/models", headers={"authorization": f"Bearer {said.json()['access_token']}"}).status_code
        app = client.post("/auth/token", data={"grant_type": "client_credentials"}, auth=("app", logins["app"]))
        assert answers == {"admin": 200, "analyst": 200, "viewer": 200}
        assert app.json()["scope"] == "service"
        assert stat.S_IMODE((settings.home / "token_keys").stat().st_mode) == 0o600
        assert logins["admin"] not in "".join(file.read_text(errors="replace") for file in (settings.home / "logs").glob("*"))
        first = client.get("/models", headers=bearer(settings, Role.VIEWER)).status_code
        gone = bearer(settings, Role.VIEWER, subject="leaked")
        rotate(settings.home / "token_keys", drop_old=True)
        until(lambda: client.get("/models", headers=gone).status_code == 401, 5)
        assert (first, client.get("/models", headers=bearer(settings, Role.VIEWER)).status_code) == (200, 200)
