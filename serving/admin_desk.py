"""What operators do over HTTP: dead letters, accounts, the kill switch. The use cases of the command line, each with a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from evergreen.adapters.kafka import KafkaMessenger
from evergreen.adapters.kafka_reader import read_topics
from evergreen.adapters.passwords import Argon2
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_admin import (
    MOST_LETTERS,
    AccessChangeSaid,
    AccountChange,
    AccountList,
    AccountRequest,
    AccountSaid,
    AccountSecret,
    LetterList,
    LetterSaid,
    LetterWhole,
    PauseRequest,
    PauseSaid,
    RedriveAnswer,
    RedriveRequest,
    SecretRequest,
    SentBackSaid,
    TokenRevocation,
)
from evergreen.contracts.topics import DEAD_LETTER
from evergreen.core.access import Role
from evergreen.core.clock import Clock, wall_now
from evergreen.core.errors import InvalidRequest
from evergreen.services.dead_letters import REASON
from evergreen.services.manage_access import ManageAccess
from evergreen.services.once import Keyed
from evergreen.services.pause import TurnSwitch
from evergreen.services.redrive import Listed, RedriveLetters
from evergreen.settings import KafkaSettings
from serving.keyed import B, answered_once
from serving.own_store import OwnStore

T = TypeVar("T")
SHOWN_CHANGES = 50
SHOWN_BYTES = 64 * 1024
NEWEST_LETTERS = 1000
"""Of each partition: a worker does not read through a topic that has run full. `evergreen dlq` does."""


class AdminDesk(Protocol):
    """Every call raises Unavailable."""

    async def letters(self, limit: int, reason: str | None, waiting: bool) -> LetterList: ...
    async def letter(self, letter_id: str) -> LetterWhole: ...
    async def redrive(self, asked: RedriveRequest, who: str, keyed: Keyed | None) -> RedriveAnswer: ...
    async def accounts(self) -> AccountList: ...
    async def add_account(self, asked: AccountRequest, who: str, keyed: Keyed | None) -> AccountSecret: ...
    async def change_secret(self, asked: SecretRequest, who: str, keyed: Keyed | None) -> AccountSecret: ...
    async def change_account(self, asked: AccountChange, who: str) -> None: ...
    async def revoke_token(self, asked: TokenRevocation, who: str) -> None: ...
    async def pause(self) -> PauseSaid: ...
    async def turn(self, asked: PauseRequest, who: str) -> PauseSaid: ...


@dataclass(frozen=True)
class RealAdminDesk:
    stores: OwnStore
    clock: Clock
    letters_of: Callable[[PostgresStore], RedriveLetters]

    async def letters(self, limit: int, reason: str | None, waiting: bool) -> LetterList:
        found = await self._letters(lambda desk: desk.listed(limit, reason=reason, waiting=waiting))
        return LetterList(letters=[letter_said(one) for one in reversed(found)])

    async def letter(self, letter_id: str) -> LetterWhole:
        """Raises NotFound."""
        return letter_whole(await self._letters(lambda desk: desk.one(letter_id)))

    async def redrive(self, asked: RedriveRequest, who: str, keyed: Keyed | None) -> RedriveAnswer:
        """Raises NotFound, InvalidEvent, InvalidRequest, KeyReused."""
        return await self._once(keyed, RedriveAnswer, lambda store: redriven(self.letters_of(store), asked, who))

    async def accounts(self) -> AccountList:
        return await self._access(accounts_said)

    async def add_account(self, asked: AccountRequest, who: str, keyed: Keyed | None) -> AccountSecret:
        """Raises InvalidRequest, KeyReused, SecretGivenOut."""
        return await self._once(keyed, AccountSecret, lambda store: added(ManageAccess(store, Argon2()), asked, who))

    async def change_secret(self, asked: SecretRequest, who: str, keyed: Keyed | None) -> AccountSecret:
        """Raises NotFound, KeyReused, SecretGivenOut."""
        return await self._once(keyed, AccountSecret, lambda store: renewed(ManageAccess(store, Argon2()), asked, who))

    async def change_account(self, asked: AccountChange, who: str) -> None:
        """Raises NotFound, InvalidRequest."""
        await self._access(lambda manage: changed(manage, asked, who))

    async def revoke_token(self, asked: TokenRevocation, who: str) -> None:
        """Raises InvalidRequest."""
        await self._access(lambda manage: manage.revoke_token(asked.id, wall_now(), who, asked.reason))

    async def pause(self) -> PauseSaid:
        return await self.stores.use(pause_said)

    async def turn(self, asked: PauseRequest, who: str) -> PauseSaid:
        """One that stands there already stays as it is."""

        def work(store: PostgresStore) -> PauseSaid:
            TurnSwitch(store, self.clock).run(paused=asked.paused, who=who, reason=asked.reason)
            return pause_said(store)

        return await self.stores.use(work)

    async def _once(self, keyed: Keyed | None, kind: type[B], work: Callable[[PostgresStore], B]) -> B:
        return await self.stores.use(lambda store: answered_once(store, keyed, kind, lambda: work(store)))

    async def _letters(self, work: Callable[[RedriveLetters], T]) -> T:
        return await self.stores.use(lambda store: work(self.letters_of(store)))

    async def _access(self, work: Callable[[ManageAccess], T]) -> T:
        return await self.stores.use(lambda store: work(ManageAccess(store, Argon2())))


def build_admin_desk(stores: OwnStore, kafka: KafkaSettings, clock: Clock) -> RealAdminDesk:
    read = partial(read_topics, kafka.bootstrap_servers, [DEAD_LETTER], from_beginning=True, until_end=True, newest=NEWEST_LETTERS)

    def letters(store: PostgresStore) -> RedriveLetters:
        return RedriveLetters(store, read, lambda messages: KafkaMessenger(kafka).send(messages))

    return RealAdminDesk(stores, clock, letters)


def redriven(desk: RedriveLetters, asked: RedriveRequest, who: str) -> RedriveAnswer:
    if asked.changes and len(asked.ids) != 1:
        raise InvalidRequest("changes: name the one letter to repair")
    if not asked.why.strip():
        raise InvalidRequest("why: others will ask")
    chosen = desk.named(asked.ids) if asked.ids else desk.waiting(MOST_LETTERS, asked.reason)
    letters = [one for one in chosen if asked.ids or one.source_topic]
    sent, fault = desk.send_back(letters, who=who, reason=asked.why, changes=asked.changes or None)
    stayed = [one.id for one in chosen if one not in letters]
    return RedriveAnswer(sent=[SentBackSaid(**vars(one)) for one in sent], stayed=stayed, failed=None if fault is None else str(fault))


def added(manage: ManageAccess, asked: AccountRequest, who: str) -> AccountSecret:
    return AccountSecret(name=asked.name, secret=manage.add(asked.name, asked.kind, list(map(Role, asked.roles)), who=who, reason=asked.reason))


def renewed(manage: ManageAccess, asked: SecretRequest, who: str) -> AccountSecret:
    return AccountSecret(name=asked.name, secret=manage.change_secret(asked.name, wall_now(), who, asked.reason))


def changed(manage: ManageAccess, asked: AccountChange, who: str) -> None:
    if asked.change == "enable":
        manage.enable(asked.name, who, asked.reason)
    elif asked.change == "disable":
        manage.disable(asked.name, wall_now(), who, asked.reason)
    else:
        manage.revoke_subject(asked.name, wall_now(), who, asked.reason)


def accounts_said(manage: ManageAccess) -> AccountList:
    accounts = [AccountSaid(name=one.subject, kind=one.kind, roles=[role.value for role in one.roles], disabled_at=one.disabled_at) for one in manage.list()]
    return AccountList(accounts=accounts, changes=[AccessChangeSaid(**vars(one)) for one in manage.changes(SHOWN_CHANGES)])


def letter_said(found: Listed) -> LetterSaid:
    facts = found.letter.facts
    named = {name: facts.get(name) for name in ("source_topic", "source_partition", "source_offset", "attempts")}
    said = {"id": found.letter.id, "reason": facts.get(REASON, "?"), "detail": facts.get("detail", "")}
    return LetterSaid(**said, **named, at=found.at, size=found.size, redriven_at=found.redriven_at)


def letter_whole(found: Listed) -> LetterWhole:
    letter, value = found.letter, found.letter.value
    headers = [(name, _text(each)) for name, each in letter.original[:100]]
    cut = value is not None and len(value) > SHOWN_BYTES
    return LetterWhole(**letter_said(found).model_dump(), key=_text(letter.key), headers=headers, value=_text(value), cut=cut)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value[:SHOWN_BYTES].decode("utf-8", "backslashreplace")


def pause_said(store: PostgresStore) -> PauseSaid:
    with store.transaction() as tx:
        found = tx.pauses.current()
    if found is None:
        return PauseSaid(paused=False, who=None, reason=None, time=None)
    return PauseSaid(paused=found.paused, who=found.who, reason=found.reason, time=found.time)
