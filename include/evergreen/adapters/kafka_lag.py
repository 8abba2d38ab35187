"""How far consumer groups are behind.

Through a consumer that never joins: the admin client's group calls (librdkafka 2.16) crash the process while the group's coordinator
is being loaded, as after a restart of the broker."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from evergreen.contracts.topics import TOPICS
from evergreen.core.errors import Unavailable

_SECONDS = 5.0
_RETRIES, _PAUSE_SECONDS = 8, 0.25
_LOADING = frozenset({KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE})
_PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


class KafkaLag:
    """Thread-safe."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._lock = threading.Lock()
        self._consumers: dict[str, Consumer] = {}

    def behind(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """Raises Unavailable. While the group's coordinator is being found, as after a start of the broker, it asks again for a while."""
        attempts = 0
        while True:
            try:
                with self._lock:
                    return self._behind(group, topics)
            except KafkaException as error:
                self._forget(group)  # after a restart of the broker it would go on with what it knew of the last one
                attempts += 1
                if attempts > _RETRIES or error.args[0].code() not in _LOADING:
                    raise Unavailable(f"Kafka does not say how far {group} is", inside=f"{self._servers}: {error.args[0]}") from error
            threading.Event().wait(_PAUSE_SECONDS)

    def _behind(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        asked = [TopicPartition(topic, partition) for topic in topics for partition in range(_PARTITIONS[topic])]
        consumer = self._consumer(group)
        committed = consumer.committed(asked, timeout=_SECONDS)
        if all(one.offset < 0 for one in committed):
            return {}
        ends = consumer.offsets_for_times([TopicPartition(one.topic, one.partition, OFFSET_END) for one in asked], timeout=_SECONDS)
        fresh = [TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in committed if one.offset < 0]
        starts = consumer.offsets_for_times(fresh, timeout=_SECONDS) if fresh else []
        for one in (*committed, *ends, *starts):
            if one.error is not None:
                raise KafkaException(one.error)
        # A partition nothing was committed for is read from its beginning.
        done = {(one.topic, one.partition): one.offset for one in committed if one.offset >= 0} | {(one.topic, one.partition): one.offset for one in starts}
        lag: Counter[str] = Counter()
        for end in ends:
            lag[end.topic] += max(0, end.offset - done[end.topic, end.partition])
        return dict(lag)

    def _consumer(self, group: str) -> Consumer:
        if group not in self._consumers:
            self._consumers[group] = Consumer(
                {"bootstrap.servers": self._servers, "group.id": group, "enable.auto.commit": False, "log_level": 0, "error_cb": lambda _error: None}
            )
        return self._consumers[group]

    def _forget(self, group: str) -> None:
        with self._lock:
            consumer = self._consumers.pop(group, None)
        if consumer is not None:
            consumer.close()

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()
