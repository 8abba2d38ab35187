"""What operators do, without a database or a broker: dead letters in a list, accounts and the switch in stores in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.api_admin import (
    AccountChange,
    AccountList,
    AccountRequest,
    AccountSecret,
    LetterList,
    LetterWhole,
    PauseRequest,
    PauseSaid,
    RedriveAnswer,
    RedriveRequest,
    SecretRequest,
    TokenRevocation,
)
from evergreen.core.clock import Clock, wall_now
from evergreen.ports.messaging import Outgoing, Received, SendFault
from evergreen.services.dead_letters import Poison
from evergreen.services.manage_access import ManageAccess
from evergreen.services.once import Keyed
from evergreen.services.pause import TurnSwitch
from evergreen.services.redrive import RedriveLetters
from serving.admin_desk import accounts_said, added, changed, letter_said, letter_whole, pause_said, redriven, renewed
from serving.keyed import answered_once

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Letters:
    """A topic of dead letters, a broker, and table `redriven`."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.sent: list[Outgoing] = []
        self.done: dict[str, datetime] = {}
        self.marked: list[tuple[str, str, str]] = []
        self.refuses = False

    def put(self, reason: str = "bad_json", value: bytes = b'{"data": {"rows": -1}}') -> str:
        poison = Poison(Received("data.ingested", 0, len(self.messages), b"k", value, (), AT), reason, "ValueError", "<b>no</b> JSON")
        headers = tuple((name, text.encode()) for name, text in poison.headers().items())
        self.messages.append(Received("dead.letter", 0, len(self.messages), b"k", value, headers, AT, AT))
        return poison.letter_id

    def put_strangers(self) -> str:
        self.messages.append(Received("dead.letter", 0, len(self.messages), None, b"?", (), AT, AT))
        return f"0:{len(self.messages) - 1}"

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        yield SimpleNamespace(redriven=self)

    def mark(self, letter_id: str, topic: str, *, changed: bool, who: str, reason: str) -> None:
        self.done[letter_id] = AT
        self.marked.append((letter_id, who, reason))

    def all(self) -> Mapping[str, datetime]:
        return self.done

    def send(self, messages: Sequence[Outgoing]) -> Sequence[SendFault | None]:
        if self.refuses:
            return [SendFault("the broker is away", permanent=False)] * len(messages)
        self.sent += messages
        return [None] * len(messages)


class WorkedDesk:
    def __init__(self, manage: ManageAccess, clock: Clock) -> None:
        self.topic, self.manage, self.clock, self.store = Letters(), manage, clock, MemoryStore()
        self.desk = RedriveLetters(self.topic, lambda: iter(self.topic.messages), self.topic.send)

    async def letters(self, limit: int, reason: str | None, waiting: bool) -> LetterList:
        return LetterList(letters=[letter_said(one) for one in reversed(self.desk.listed(limit, reason=reason, waiting=waiting))])

    async def letter(self, letter_id: str) -> LetterWhole:
        return letter_whole(self.desk.one(letter_id))

    async def redrive(self, asked: RedriveRequest, who: str, keyed: Keyed | None) -> RedriveAnswer:
        return answered_once(self.store, keyed, RedriveAnswer, lambda: redriven(self.desk, asked, who))

    async def accounts(self) -> AccountList:
        return accounts_said(self.manage)

    async def add_account(self, asked: AccountRequest, who: str, keyed: Keyed | None) -> AccountSecret:
        return answered_once(self.store, keyed, AccountSecret, lambda: added(self.manage, asked, who))

    async def change_secret(self, asked: SecretRequest, who: str, keyed: Keyed | None) -> AccountSecret:
        return answered_once(self.store, keyed, AccountSecret, lambda: renewed(self.manage, asked, who))

    async def change_account(self, asked: AccountChange, who: str) -> None:
        changed(self.manage, asked, who)

    async def revoke_token(self, asked: TokenRevocation, who: str) -> None:
        self.manage.revoke_token(asked.id, wall_now(), who, asked.reason)

    async def pause(self) -> PauseSaid:
        return pause_said(cast(Any, self.store))

    async def turn(self, asked: PauseRequest, who: str) -> PauseSaid:
        TurnSwitch(self.store, self.clock).run(paused=asked.paused, who=who, reason=asked.reason)
        return pause_said(cast(Any, self.store))
