"""The doorbell's watcher: one stream of `mlops.actions` for all eight DAGs, one trigger for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaBrokerPayload, KafkaSharedStreamProducer, KafkaSharedStreamTrigger
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import reject_shared_stream_event

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.topics import ACTIONS, DEAD_LETTER
from evergreen.core.clock import wall_now
from evergreen.core.errors import PublishFailed
from evergreen.orchestration.doorbell import Unreadable, read_message
from evergreen.ports.messaging import Received
from evergreen.services.dead_letters import Poison

CONNECTION = "kafka_default"
DEAD_LETTER_SECONDS = 10.0
POLL_SECONDS = 0.2
"""All Kafka calls of a triggerer share one thread: a commit waits for the poll that runs. A message ends a poll at once."""


class ActionTrigger(KafkaSharedStreamTrigger):
    """Fires `{"action_id": …}` for each `action_requested` of its kind.

    Guarantee: a message is committed only after the asset event it led to is stored; one that cannot be read goes to the dead letters.
    Failure: an exception in the filter would count as handled and lose the message. Remedy: `read_message` raises nothing; what is still
    lost between broker and run (a merged burst, a paused DAG, a killed triggerer) the sweeper rings again, since the table is the work list."""

    def __init__(self, *, kind: str, topics: Sequence[str] = (ACTIONS,), kafka_config_id: str = CONNECTION, poll_timeout: float = POLL_SECONDS) -> None:
        super().__init__(topics=topics, kafka_config_id=kafka_config_id, poll_timeout=poll_timeout, dlq_topic=DEAD_LETTER)
        self.kind = ActionKind(kind)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        keywords = {"kind": self.kind.value, "topics": self.topics, "kafka_config_id": self.kafka_config_id, "poll_timeout": self.poll_timeout}
        return f"{ActionTrigger.__module__}.{ActionTrigger.__qualname__}", keywords

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> DoorbellStream:
        return DoorbellStream(topics=kwargs["topics"], kafka_config_id=kwargs["kafka_config_id"], poll_timeout=kwargs["poll_timeout"], dlq_topic=DEAD_LETTER)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for body in shared_stream:
            said = read_message(body)
            if isinstance(said, Unreadable):
                reject_shared_stream_event()
            elif said is not None and said.kind is self.kind:
                yield TriggerEvent({"action_id": str(said.id)})


class DoorbellStream(KafkaSharedStreamProducer):
    """The one consumer; its dead letters say why."""

    def _send_to_dlq(self, topic: str, payloads: Sequence[KafkaBrokerPayload]) -> None:
        """Raises when Kafka did not take them all: the watchers start again and read from what was last committed."""
        refused: list[str] = []

        def delivered(error: object, _message: object) -> None:
            if error is not None:
                refused.append(str(error))

        producer = self._dead_letters()
        for payload in payloads:
            producer.produce(topic, value=payload.value, key=payload.key, headers=_why(payload), on_delivery=delivered)
        if producer.flush(DEAD_LETTER_SECONDS) or refused:
            raise PublishFailed(f"{topic} did not take the rejected messages: {'; '.join(refused[:1]) or 'no answer'}")

    def _dead_letters(self) -> Any:
        from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

        if self._dlq_producer is None:
            self._dlq_producer: Any = KafkaProducerHook(kafka_config_id=self.kafka_config_id).get_producer()
        return self._dlq_producer


def _why(payload: KafkaBrokerPayload) -> list[tuple[str, bytes]]:
    """As intake says it, which reads the topic too: the letter of the same message has the same id."""
    said = read_message(payload.value)
    fault = said if isinstance(said, Unreadable) else Unreadable("rejected", "rejected by a watcher", "")
    message = Received(payload.topic, payload.partition, payload.offset, payload.key, payload.value, (), wall_now())
    poison = Poison(message, fault.reason, fault.exception, fault.detail)
    return [(name, value.encode()) for name, value in poison.headers().items()]
