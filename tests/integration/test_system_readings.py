"""What serving tells of the system, from real tables and a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from evergreen.adapters.alert_rows import AlertRows
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.kafka_topics import KafkaTopics
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.system_readings import SystemReadings, first_id
from evergreen.contracts.envelope import Event, new_id
from evergreen.contracts.events import SystemMetrics
from evergreen.contracts.topics import TOPICS
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.notices import Silence
from evergreen.ports.index import MetricsRow
from evergreen.ports.notifications import Group
from evergreen.settings import Settings
from tests.support.alerts import alert
from tests.support.claims import emptied
from tests.support.events import NOON

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLATFORM = datetime(2025, 7, 25, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Told:
    store: PostgresStore
    readings: SystemReadings
    rows: AlertRows

    def tell(self, seconds_ago: float, service: str, source: str = "/monitor", **numbers: float) -> None:
        at = NOW - timedelta(seconds=seconds_ago)
        told = first_id(at)[:-12] + new_id()[-12:]
        with self.store.transaction() as tx:
            tx.stream.metrics([MetricsRow(source, told, PLATFORM, service, numbers)])


@pytest.fixture
async def told(stack_settings: Settings) -> AsyncIterator[Told]:
    dsn = stack_settings.postgres.dsn.get_secret_value()
    store, postgres = emptied(PostgresStore(dsn)), AsyncPostgres(dsn)
    yield Told(store, SystemReadings(postgres), AlertRows(postgres))
    await postgres.close()
    store.close()


def test_an_id_tells_when_it_was_made() -> None:
    before, made, after = first_id(wall_now() - timedelta(milliseconds=2)), new_id(), first_id(wall_now() + timedelta(milliseconds=2))
    assert before < made < after
    assert UUID(first_id(NOW)).version == 7


async def test_a_number_is_the_newest_beside_the_mean_before_it_by_wall_time(told: Told) -> None:
    for seconds, rate in ((5, 90.0), (15, 10.0), (60, 20.0), (120, 40.0), (20 * 60, 1e6)):
        told.tell(seconds, "serving", up=1.0, requests_per_minute=rate)
    told.tell(1, "serving", "/somebody", requests_per_minute=7.0)
    found = await told.readings.readings(NOW)
    assert found == {"serving": {"up": (1.0, 1.0), "requests_per_minute": (90.0, 30.0)}}


async def test_parts_are_as_they_were_last_told_of(told: Told) -> None:
    told.tell(30, "redis", up=1.0, faults=0.0)
    told.tell(10, "redis", up=0.0, faults=3.0)
    told.tell(11, "intake", up=1.0, faults=0.0, lag_x=4.0, unsent=2.0, oldest_unsent_seconds=1.5, dead_letters=1.0)
    told.tell(10, "host", load_percent=50.0)
    told.tell(3600, "mlflow", up=1.0, faults=0.0)
    parts, queues, at = await told.readings.parts(NOW)
    assert [(one.name, one.up, one.faults, one.lag) for one in parts] == [("intake", True, 0, {"x": 4}), ("redis", False, 3, {})]
    assert queues is not None
    assert (queues.unsent, queues.oldest_unsent_seconds, queues.dead_letters) == (2, 1.5, 1)
    assert at == NOW - timedelta(seconds=10)


async def test_a_series_has_one_point_a_step_and_gaps_where_nothing_was_told(told: Told) -> None:
    for seconds, p95 in ((5, 30.0), (15, 10.0), (125, 7.0), (400, 9.0)):
        told.tell(seconds, "serving", p95_milliseconds=p95)
    told.tell(5, "redis", p95_milliseconds=1e9)
    points = await told.readings.series(NOW - timedelta(minutes=5), 60)
    assert [(one.at, one.p95_milliseconds, one.cpu_percent) for one in points] == [
        (NOW - timedelta(minutes=3), 7.0, None),
        (NOW - timedelta(minutes=1), 20.0, None),
    ]


async def test_without_events_no_hop_took_any_time(told: Told) -> None:
    assert sum(hop.count for hop in await told.readings.hops()) == 0


async def test_alerts_say_whether_they_are_over_and_silences_which_run(told: Told) -> None:
    first = alert("high")
    other = replace(alert(model="other"), resolves=True)
    group = Group(first.grouping, first.model, first.event_type, "high", "high", NOON)
    running, over = (Silence(UUID(new_id()), NOON + timedelta(hours=hours), "ann", "why", NOON, "m") for hours in (2, 1))
    with told.store.transaction() as tx:
        tx.alerts.record([first, other])
        tx.groups.save([group])
        for one in (over, running):
            tx.silences.add(one)
        assert tx.silences.end(over.id, NOON + timedelta(minutes=5), "lee")
    [said] = await told.rows.alerts(10)
    assert (said.id, said.severity, said.open, said.event_type) == (first.id, "high", True, first.event_type)
    silences = await told.rows.silences(NOON + timedelta(minutes=90), 10)
    assert [(one.id, one.running, one.ended_by) for one in silences] == [(running.id, True, None), (over.id, False, "lee")]


def test_topics_grow_by_what_was_said_and_name_who_is_behind(stack_settings: Settings) -> None:
    topics = KafkaTopics(stack_settings.kafka.bootstrap_servers, {"nobody": ["system.metrics"]})
    before = {one.name: one for one in topics.look()}
    assert list(before) == [topic.name for topic in TOPICS]
    publisher = KafkaPublisher(stack_settings.kafka)
    event = {"source": "/test", "type": "system_metrics", "subject": "redis", "time": NOW}
    for _ in range(5):
        publisher.publish(Event(id=new_id(), data=SystemMetrics(service_name="redis", metrics={"up": 1.0}).model_dump(mode="json"), **event))
    publisher.close()
    after = {one.name: one for one in topics.look()}
    grown = after["system.metrics"]
    assert grown.messages - before["system.metrics"].messages == 5
    assert grown.per_minute == pytest.approx(before["system.metrics"].per_minute + 1.0)
    assert grown.last_at is not None
    assert wall_now() - grown.last_at < timedelta(minutes=1)
    assert grown.lag == {}
    assert [one.end for one in after["data.ingested"].partitions] == [one.end for one in before["data.ingested"].partitions]


def test_without_a_broker_it_is_said(stack_settings: Settings) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        KafkaTopics("127.0.0.1:9", {}).look()
