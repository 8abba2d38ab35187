"""Serving's connections to real Postgres: shared out, pinged, replaced, and refused where they could not all be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg2
import pytest

from evergreen.adapters.async_postgres import AsyncPostgres, connections_of
from evergreen.core.errors import Unavailable, UnsafeSettings
from evergreen.settings import Settings
from evergreen.settings_pool import PoolSettings
from serving.dependencies import refuse_a_pool_too_large

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pool(postgres_settings: Settings) -> AsyncIterator[AsyncPostgres]:
    opened = AsyncPostgres(postgres_settings.postgres.dsn.get_secret_value(), kept=2, max_connections=5)
    yield opened
    await opened.close()


def end_all(given: Settings) -> None:
    with psycopg2.connect(given.postgres.admin_dsn.get_secret_value()) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'serving'")
    admin.close()


async def asked_together(pool: AsyncPostgres, count: int) -> set[int]:
    rows = await asyncio.gather(*(pool.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.1)") for _ in range(count)))
    return {row["pid"] for [row] in rows}


async def test_a_rush_opens_more_connections_and_those_are_closed_after_it(pool: AsyncPostgres, postgres_settings: Settings) -> None:
    assert len(await asked_together(pool, 20)) == 5
    rows = await pool.fetch("SELECT count(*) AS open FROM pg_stat_activity WHERE application_name = 'serving' AND usename = current_user")
    assert rows[0]["open"] <= 3  # the last one to close may still be seen


async def test_connections_the_server_ended_cost_no_request(pool: AsyncPostgres, postgres_settings: Settings) -> None:
    before = await asked_together(pool, 2)
    end_all(postgres_settings)
    after = await asked_together(pool, 2)
    assert before.isdisjoint(after)


async def test_a_connection_that_dies_under_a_read_is_replaced_and_the_read_repeated(pool: AsyncPostgres, postgres_settings: Settings) -> None:
    reading = asyncio.create_task(pool.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.5)"))
    admin = psycopg2.connect(postgres_settings.postgres.admin_dsn.get_secret_value())
    admin.autocommit = True  # each look is a new one
    with admin.cursor() as cursor:
        async with asyncio.timeout(5):
            while True:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.5)%' AND pid <> pg_backend_pid()")
                if cursor.fetchall():
                    break
                await asyncio.sleep(0.02)
    admin.close()
    [row] = await reading
    assert row["pid"] > 0


async def test_an_old_connection_is_replaced_before_it_is_used(postgres_settings: Settings) -> None:
    pool = AsyncPostgres(postgres_settings.postgres.dsn.get_secret_value(), recycle_seconds=1e-9)
    try:
        pids = {(await pool.fetch(PID))[0]["pid"] for _ in range(3)}
    finally:
        await pool.close()
    assert len(pids) == 3


async def test_more_requests_than_connections_wait_their_turn(pool: AsyncPostgres) -> None:
    assert len(await asyncio.gather(*(pool.fetch(PID) for _ in range(200)))) == 200


async def test_serving_starts_with_a_pool_that_fits(postgres_settings: Settings) -> None:
    assert await connections_of(postgres_settings.postgres.dsn.get_secret_value()) > 100
    await refuse_a_pool_too_large(postgres_settings)


async def test_serving_refuses_a_pool_that_could_take_what_others_need(postgres_settings: Settings) -> None:
    greedy = postgres_settings.postgres.model_copy(update={"pool": PoolSettings(size=150, overflow=50)})
    with pytest.raises(UnsafeSettings, match=r"EVERGREEN_POSTGRES__POOL__SIZE=150"):
        await refuse_a_pool_too_large(postgres_settings.model_copy(update={"postgres": greedy}))


async def test_without_postgres_a_worker_starts_all_the_same(postgres_settings: Settings) -> None:
    away = postgres_settings.postgres.model_copy(update={"dsn": type(postgres_settings.postgres.dsn)("postgresql://nobody@127.0.0.1:1/none")})
    await refuse_a_pool_too_large(postgres_settings.model_copy(update={"postgres": away}))
    with pytest.raises(Unavailable):
        await connections_of("postgresql://nobody@127.0.0.1:1/none")
