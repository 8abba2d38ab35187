"""The parts between the loop and people: what it asks them, and what it answers them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from evergreen.services.approval_question import ApprovalQuestion
from evergreen.services.ask_approval import AskApproval

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.services.change_by_hand import ChangeByHand
    from evergreen.services.dead_letters import DeadLetter
    from evergreen.services.explain_one import Explain
    from evergreen.services.preview_change import PreviewChange
    from evergreen.services.redrive import RedriveLetters
    from evergreen.services.republish import Republish


class PeopleParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings

    @cached_property
    def ask_approval(self) -> AskApproval:
        serving, parts = self._settings.serving.url, self._parts
        words = ApprovalQuestion(parts.store, lambda action: f"{serving}/actions/{action}/explain", lambda *named: parts.registry.version_url(*named))
        return AskApproval(parts.store, parts.carry_out, words.wording)

    @cached_property
    def preview_change(self) -> PreviewChange:
        from evergreen.services.preview_change import PreviewChange
        from evergreen.services.rollback import Rollback

        parts = self._parts
        rollback = Rollback(parts.store, parts.registry, parts.deploy, parts.spec)
        return PreviewChange(parts.store, parts.clock, rollback.planned, min_confirmations=self._settings.serving.min_confirmations)

    @cached_property
    def change_by_hand(self) -> ChangeByHand:
        from evergreen.services.change_by_hand import ChangeByHand

        return ChangeByHand(self._parts.store, self._parts.clock, self._parts.specs, self.preview_change)

    @cached_property
    def explain(self) -> Explain:
        """Reads the dead letters only when nothing recorded goes by the name."""
        from evergreen.adapters.kafka_reader import read_topics
        from evergreen.contracts.topics import DEAD_LETTER
        from evergreen.services.dead_letters import read_letter
        from evergreen.services.explain_one import Explain

        servers = self._settings.kafka.bootstrap_servers

        def letters() -> Iterable[DeadLetter]:
            return map(read_letter, read_topics(servers, [DEAD_LETTER], from_beginning=True, until_end=True))

        return Explain(self._parts.store, letters, self._settings.airflow.url)

    @cached_property
    def redrive_letters(self) -> RedriveLetters:
        from evergreen.adapters.kafka import KafkaMessenger
        from evergreen.adapters.kafka_reader import read_topics
        from evergreen.contracts.topics import DEAD_LETTER
        from evergreen.services.redrive import RedriveLetters

        kafka = self._settings.kafka
        read = partial(read_topics, kafka.bootstrap_servers, [DEAD_LETTER], from_beginning=True, until_end=True)
        return RedriveLetters(self._parts.store, read, lambda messages: KafkaMessenger(kafka).send(messages))

    def republish(self, bootstrap_servers: str | None, *, new_ids: bool, send: bool) -> Republish:
        """Onto this home's Kafka unless another is named; not at all unless `send`."""
        from evergreen.adapters.kafka import KafkaMessenger
        from evergreen.services.republish import Republish

        kafka = self._settings.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers} if bootstrap_servers else {})
        return Republish(self._parts.store, KafkaMessenger(kafka) if send else None, new_ids=new_ids)
