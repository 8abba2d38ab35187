"""What stands on each topic: offsets, how fast they grow, when the newest message came. Asks for offsets alone; reads no message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from evergreen.adapters.kafka_admin import admin_client
from evergreen.adapters.kafka_lag import KafkaLag
from evergreen.contracts.api_system import PartitionSaid, TopicSaid
from evergreen.contracts.topics import TOPICS, Topic
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable

RATE_OVER = timedelta(minutes=5)
_SECONDS = 5.0
_Offsets = Mapping[tuple[str, int], Any]


class KafkaTopics:
    """Connects for each look and leaves again: a serving worker keeps no threads of Kafka's for what is looked at now and then."""

    def __init__(self, bootstrap_servers: str, groups: Mapping[str, Sequence[str]]) -> None:
        """`groups`: consumer group -> the topics it reads."""
        self._servers = bootstrap_servers
        self._groups = groups

    def look(self) -> list[TopicSaid]:
        """In the order of the contracts. Blocks. Raises Unavailable."""
        lag = self._lag()
        asked = [TopicPartition(topic.name, partition) for topic in TOPICS for partition in range(topic.partitions)]
        admin, ago = admin_client(self._servers), int((wall_now() - RATE_OVER).timestamp() * 1000)
        specs = (OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.for_timestamp(ago), OffsetSpec.max_timestamp())
        try:
            futures = [admin.list_offsets(dict.fromkeys(asked, spec), request_timeout=_SECONDS) for spec in specs]
            firsts, ends, then, newest = ({(one.topic, one.partition): future.result(_SECONDS) for one, future in each.items()} for each in futures)
        except (KafkaException, TimeoutError) as error:
            raise Unavailable("Kafka does not say how far its topics are", inside=f"{self._servers}: {error}") from error
        return [_said(topic, firsts, ends, then, newest, lag.get(topic.name, {})) for topic in TOPICS]

    def _lag(self) -> Mapping[str, Mapping[str, int]]:
        """Topic -> group -> messages."""
        found: dict[str, dict[str, int]] = {}
        asking = KafkaLag(self._servers)
        try:
            for group, topics in self._groups.items():
                for topic, behind in asking.behind(group, topics).items():
                    found.setdefault(topic, {})[group] = behind
        finally:
            asking.close()
        return found


def _said(topic: Topic, firsts: _Offsets, ends: _Offsets, then: _Offsets, newest: _Offsets, lag: Mapping[str, int]) -> TopicSaid:
    places = [(topic.name, partition) for partition in range(topic.partitions)]
    partitions = [PartitionSaid(partition=place[1], first=firsts[place].offset, end=ends[place].offset) for place in places]
    # Nothing came since then: there is no offset of that time.
    came = sum(ends[place].offset - then[place].offset for place in places if then[place].offset >= 0)
    stamps = [newest[place].timestamp for place in places if newest[place].timestamp > 0]
    return TopicSaid(
        name=topic.name,
        control=topic.control,
        partitions=partitions,
        messages=sum(one.end - one.first for one in partitions),
        per_minute=came / (RATE_OVER.total_seconds() / 60),
        last_at=datetime.fromtimestamp(max(stamps) / 1000, UTC) if stamps else None,
        lag=dict(lag),
    )
