"""An experiment from its start over HTTP to its verdict: lists that a worker answers with, clicks on them, both as the events they become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event, encode
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.clock import FixedClock
from evergreen.core.experiment import Variant
from evergreen.core.recommending import MODEL
from evergreen.ports.messaging import Received
from evergreen.services.record_interactions import TOPICS, RecordInteractions
from evergreen.services.record_stream import RecordStream
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.listed import champion
from tests.support.serving_bench import NOW, Bench
from tests.support.trying import Trying

pytestmark = [pytest.mark.connected, pytest.mark.anyio]
USERS = [f"user-{number}" for number in range(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.serving.start()
    await made.deployed(1)
    await made.serving.listener.stop()  # it would look, and find neither the movies nor the experiment
    made.slots.swap(champion())
    yield made
    await made.serving.stop()


def message(at: int, event: Event) -> Received:
    return Received(TOPIC_OF[event.type], 0, at, event.subject.encode(), encode(event), (), event.time)


async def use(client: httpx.AsyncClient, user: str) -> str:
    """A user looks at a list; who is shown the diverse one clicks."""
    said = (await client.get(f"/recommendations/{user}")).json()
    if said["variant"] == "b":
        context = {"list_id": said["list_id"], "position": 1, "experiment": said["experiment"], "variant": said["variant"]}
        click = {"user_id": user, "item_id": said["items"][0]["item_id"], "recommendation_context": context}
        assert (await client.post("/clicks", json=click)).status_code == 202
    return str(said["variant"])


async def test_what_users_saw_and_clicked_is_what_is_counted(worker: Bench, postgres_settings: Settings) -> None:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    specs = Parts(postgres_settings).specs
    trying = Trying(store, FixedClock(NOW), specs)
    row = trying.start("diverse", Variant("b", params={"diversity": 0.6}), model=MODEL)
    worker.serving.listener.assigner.follow([row.plan])
    async with worker.client() as client:
        seen = [await use(client, user) for user in USERS]
    messages = [message(at, event) for at, event in enumerate(worker.publisher.events) if event.type in ("recommendations_shown", "recommendation_clicked")]
    shown = [one for one in messages if one.topic == "prediction.completed"]
    clicks = [one for one in messages if one.topic in TOPICS]
    trying.clock.advance(timedelta(hours=25))
    assert RecordStream(store, trying.clock, specs).run([*shown, *shown]).new == len(USERS)
    RecordInteractions(store, trying.clock, dict.fromkeys(TOPICS, "topic"), lambda items: dict.fromkeys(items, ())).run([*clicks, *clicks])
    trying.step.look()
    found = trying.row().found
    assert found is not None
    control, b = (one.counts for one in found.variants)
    assert (control.exposed, b.exposed) == (seen.count("control"), seen.count("b"))
    assert (control.users, control.clicks, b.users, b.clickers, b.total) == (control.exposed, 0, b.exposed, b.exposed, float(b.exposed))
    assert "users of control are too few" in found.says
    store.close()
