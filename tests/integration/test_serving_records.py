"""The feature store and the loop's records as serving reads them: real Postgres and Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.feature_copies import copy_key
from evergreen.adapters.loop_records import LoopRecords
from evergreen.adapters.online_features import TTL_SECONDS, OnlineFeatureStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.index import FeatureRow
from evergreen.ports.serving import StoredFeatures
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.sql import run

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
MODEL = "video_performance"
AS_OF = datetime(2025, 7, 25, tzinfo=UTC)
FEATURES = {"category_id": 22.0, "title_length": 7.0, "view_count": 1234}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Parts:
    settings: Settings
    store: PostgresStore
    postgres: AsyncPostgres
    link: RedisLink

    @property
    def features(self) -> OnlineFeatureStore:
        return OnlineFeatureStore(self.postgres, self.link)

    @property
    def records(self) -> LoopRecords:
        return LoopRecords(self.postgres, [MODEL])


@pytest.fixture
async def parts(stack_settings: Settings) -> AsyncIterator[Parts]:
    dsn = stack_settings.postgres.dsn.get_secret_value()
    found = Parts(stack_settings, emptied(PostgresStore(dsn)), AsyncPostgres(dsn), RedisLink(stack_settings.redis.url.get_secret_value(), 2.0))
    assert found.link.client is not None
    await found.link.client.flushdb()
    yield found
    await found.postgres.close()
    await found.link.close()
    found.store.close()


def known(parts: Parts, entity: str = "v1", **changes: Any) -> None:
    with parts.store.transaction() as tx:
        tx.online_features.upsert([FeatureRow(MODEL, entity, {**FEATURES, **changes}, AS_OF)])


async def test_features_come_from_postgres_and_leave_a_copy_in_redis(parts: Parts) -> None:
    known(parts)
    assert parts.link.client is not None
    assert await parts.features.get(MODEL, "v1") == StoredFeatures(FEATURES, AS_OF)
    assert TTL_SECONDS * 0.84 <= await parts.link.client.ttl(copy_key(MODEL, "v1")) <= TTL_SECONDS
    run(parts.store, "DELETE FROM online_features")
    assert await parts.features.get(MODEL, "v1") == StoredFeatures(FEATURES, AS_OF)


async def test_of_another_model_or_entity_nothing_is_known(parts: Parts) -> None:
    known(parts)
    assert await parts.features.get("another_model", "v1") is None
    assert await parts.features.get(MODEL, "v2") is None


@pytest.mark.parametrize(
    "copy", [b"", b"{", b"[]", b"\x80\x04", b'{"features": 3, "as_of": "2025-07-25T00:00:00Z"}', b'{"features": {}, "as_of": "2025-07-25"}']
)
async def test_a_copy_that_cannot_be_read_is_passed_over(parts: Parts, copy: bytes) -> None:
    known(parts)
    assert parts.link.client is not None
    await parts.link.client.set(copy_key(MODEL, "v1"), copy)
    assert await parts.features.get(MODEL, "v1") == StoredFeatures(FEATURES, AS_OF)


async def test_what_only_the_catalogue_knows_is_better_than_nothing(parts: Parts) -> None:
    run(
        parts.store,
        """INSERT INTO videos (video_id, title, channel_id, category_id, view_count, region, first_seen, last_seen)
           VALUES ('v3', '여름', 'UC1', 10, 5, 'KR', %s, %s)""",
        (date(2025, 7, 20), date(2025, 7, 22)),
    )
    known_of = {"title": "여름", "channel_id": "UC1", "category_id": 10, "view_count": 5, "list_date": "2025-07-20"}
    assert await parts.features.get(MODEL, "v3") == StoredFeatures(known_of, datetime(2025, 7, 22, tzinfo=UTC))


async def test_without_redis_postgres_answers_and_without_both_it_is_unavailable(parts: Parts) -> None:
    known(parts)
    no_redis = RedisLink("redis://127.0.0.1:1/0", 0.05)
    assert await OnlineFeatureStore(parts.postgres, no_redis).get(MODEL, "v1") == StoredFeatures(FEATURES, AS_OF)
    with pytest.raises(Unavailable):
        await OnlineFeatureStore(AsyncPostgres("postgresql://nobody@127.0.0.1:1/none"), no_redis).get(MODEL, "v1")


async def test_connections_that_the_server_ended_are_replaced(parts: Parts) -> None:
    known(parts)
    await parts.postgres.fetch("SELECT 1")
    with psycopg2.connect(parts.settings.postgres.admin_dsn.get_secret_value()) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'serving'")
    admin.close()
    rows = []
    for _ in range(5):
        try:
            rows = await parts.postgres.fetch("SELECT 1 AS one")
        except Unavailable:
            continue
    assert [row["one"] for row in rows] == [1]


def deployed(parts: Parts, count: int) -> None:
    for version in range(1, count + 1):
        with parts.store.transaction() as tx:
            champion = tx.champions.get(MODEL)
            previous = champion.version if champion else None
            row = DeploymentRow(uuid4(), MODEL, version, previous, "promote", "preparing", version, None, version == 2, f"reason {version}")
            tx.deployments.start(row)
            tx.champions.compare_and_set(MODEL, version, seen_epoch=version - 1, deployment_id=row.id, since=AS_OF)
            tx.deployments.flipped(row.id, [], AS_OF)
            tx.deployments.confirmed(row.id)


async def test_models_say_who_serves_and_what_live_workers_answer_with(parts: Parts) -> None:
    [nobody] = await parts.records.models()
    assert (nobody.version, nobody.workers) == (None, {})
    deployed(parts, 2)
    for worker, ago in (("a", 0), ("b", 60)):
        run(
            parts.store,
            """INSERT INTO serving_workers (worker_id, pid, state, heartbeat_at, serving)
               VALUES (%s, 1, 'ready', clock_timestamp() - %s * interval '1 second', %s)""",
            (worker, ago, json.dumps({MODEL: {"version": 2, "epoch": 2}})),
        )
    [found] = await parts.records.models()
    assert (found.version, found.epoch, found.previous_version, found.stable) == (f"{MODEL}@2", 2, f"{MODEL}@1", False)
    assert (found.since, found.workers) == (AS_OF, {"a": f"{MODEL}@2"})


async def test_history_is_paged_newest_first_and_whole(parts: Parts) -> None:
    deployed(parts, 5)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await parts.records.history(MODEL, 2, cursor)
        seen += [deployment.version for deployment in page.deployments]
        cursor, pages = page.next_cursor, pages + 1
    assert (seen, pages) == ([f"{MODEL}@{version}" for version in (5, 4, 3, 2, 1)], 3)
    assert (await parts.records.history(MODEL, 5, None)).deployments[3].forced is True
