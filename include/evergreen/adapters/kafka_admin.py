"""Topics, created from the contracts: the broker creates none by itself, so a typo is an error and not a new topic."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from evergreen.contracts.topics import DEAD_LETTER, TOPICS, Topic
from evergreen.core.errors import Unavailable

DEAD_LETTER_MAX_BYTES = 8 * 1024 * 1024
"""A dead letter is the original message plus headers, and oversize is one of the reasons a message becomes one."""
DEAD_LETTER_PRODUCER_BYTES = DEAD_LETTER_MAX_BYTES + 65_536
"""A producer counts the whole message: the original, its headers and ours."""
_SECONDS = 15.0


def ensure_topics(bootstrap_servers: str, replication_factor: int = 1, *, timeout_seconds: float = _SECONDS) -> tuple[str, ...]:
    """Creates the topics of the contracts that are missing and adds missing partitions; returns what it created or widened.
    Safe to call twice and by two at once. Raises Unavailable when the broker does not answer or refuses."""
    admin = admin_client(bootstrap_servers)
    try:
        existing = admin.list_topics(timeout=timeout_seconds).topics
        partitions = {name: len(found.partitions) for name, found in existing.items()}
        created = _create(admin, [topic for topic in TOPICS if topic.name not in partitions], replication_factor, timeout_seconds)
        widened = _widen(admin, [topic for topic in TOPICS if 0 < partitions.get(topic.name, 0) < topic.partitions], timeout_seconds)
    except KafkaException as error:
        raise Unavailable("Kafka did not create the topics", inside=f"{bootstrap_servers}: {error.args[0]}") from error
    return (*created, *widened)


def topic_ids(bootstrap_servers: str, names: Sequence[str], *, timeout_seconds: float = _SECONDS) -> dict[str, str]:
    """Name -> id of the topic's present life: made anew, it starts its offsets again under another one. Raises Unavailable."""
    admin = admin_client(bootstrap_servers)  # kept: with it what was asked would go
    try:
        asked = admin.describe_topics(TopicCollection(list(names)), request_timeout=timeout_seconds)
        return {name: str(future.result(timeout_seconds).topic_id) for name, future in asked.items()}
    except (KafkaException, TimeoutError) as error:
        raise Unavailable("Kafka does not describe its topics", inside=f"{bootstrap_servers}: {error}") from error


def admin_client(bootstrap_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers, "socket.timeout.ms": 10_000, "log_level": 0})


def _create(admin: AdminClient, missing: list[Topic], replication_factor: int, timeout_seconds: float) -> list[str]:
    if not missing:
        return []
    wanted = [NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=replication_factor, config=_config(topic)) for topic in missing]
    for future in admin.create_topics(wanted, operation_timeout=timeout_seconds, request_timeout=timeout_seconds).values():
        _settle(future, KafkaError.TOPIC_ALREADY_EXISTS)
    return [topic.name for topic in missing]


def _widen(admin: AdminClient, narrow: list[Topic], timeout_seconds: float) -> list[str]:
    if not narrow:
        return []
    wanted = [NewPartitions(topic.name, topic.partitions) for topic in narrow]
    for future in admin.create_partitions(wanted, operation_timeout=timeout_seconds, request_timeout=timeout_seconds).values():
        _settle(future, KafkaError.INVALID_PARTITIONS)
    return [topic.name for topic in narrow]


def _config(topic: Topic) -> dict[str, str]:
    return {"max.message.bytes": str(DEAD_LETTER_MAX_BYTES)} if topic.name == DEAD_LETTER else {}


def _settle(future: object, harmless: int) -> None:
    """Another starter may have been faster: its topic is as good as ours."""
    try:
        future.result()  # type: ignore[attr-defined]  # confluent-kafka ships no types
    except KafkaException as error:
        if error.args[0].code() != harmless:
            raise
